"""A field of a service, a Dataplane, a Mesh or an identity that is accepted is honoured: another value of it
gives some proxy another configuration or certificate, some service another name, or the mesh other members.

What is not so stands here with its reason, and the test that shows it where it is seen elsewhere.
"""

import base64
import copy
import re
import tempfile
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from kuma.identity.builtin import generate_root
from kuma.identity.errors import IdentityError
from kuma.kit.clock import SystemClock
from kuma.pipeline.credentials import trust, wanted_certificate
from kuma.policies.catalogue import REGISTRY
from kuma.policies.defaults import default_policies
from kuma.resources.admission import admit
from kuma.resources.computed_labels import Place
from kuma.resources.errors import InvalidResource
from kuma.resources.resource import AnyResource
from kuma.upkeep.defaults import secrets_of_mesh
from tests.policies.full_world import ZONE, World, documents
from tests.resolve.world import virtual_outbounds
from tests.support.builders import a_dataplane, a_mesh
from tests.support.envoy_static import a_key_pair
from tests.support.field_pairs import Refused, Shown, fields_of, named_values, show
from tests.support.replicas import replica_of

Raw = dict[str, Any]
TESTS = Path(__file__).parents[1]
CERT, KEY = a_key_pair()
ROOT = generate_root("default", clock=SystemClock())


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def a_secret(name: str, content: bytes) -> Raw:
    return {"type": "Secret", "mesh": "default", "name": name, "data": base64_of(content)}


SECRETS = [
    a_secret("cert", CERT),
    a_secret("key", KEY.reveal),
    a_secret("ca-cert", ROOT.cert_pem),
    a_secret("ca-key", ROOT.key.reveal),
]


@cache
def folder() -> "tempfile.TemporaryDirectory[str]":
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="kuma-fields-")


def a_file(name: str, content: bytes) -> str:
    path = Path(folder().name) / name
    path.write_bytes(content)
    return str(path)


def sources(content: bytes, secret: str) -> list[Raw]:
    text = content.decode()
    return [{"inline": base64_of(content)}, {"inlineString": text}, {"secret": secret}]


def file_sources(content: bytes, name: str) -> list[Raw]:
    return [*sources(content, name), {"file": a_file(name, content)}]


@dataclass(frozen=True)
class Full:
    """Specs of a resource of `full_world`, `name`, which together have every field of its kind."""

    name: str
    specs: list[Raw]
    more: tuple[Raw, ...] = ()
    """Other resources, without which some fields mean nothing."""
    status: Raw | None = None


def there(kind: str, name: str) -> Raw:
    """As it is in the world, but for its type, name and labels."""
    found = next(each for each in documents() if (each["type"], each["name"]) == (kind, name))
    rest = {key: found[key] for key in found if key not in {"type", "mesh", "name", "labels"}}
    return copy.deepcopy(rest.get("spec", rest))


def a_policy(kind: str, spec: Raw) -> Raw:
    return {"type": kind, "mesh": "default", "name": "a-policy", "spec": spec}


def reporting(kind: str) -> Raw:
    ref = {"backendRef": {"kind": "MeshOpenTelemetryBackend", "labels": {"for": "all"}}}
    backends = [{"type": "OpenTelemetry", "openTelemetry": ref}]
    return a_policy(kind, {"default": {"backends": backends}})


def external_services() -> list[Raw]:
    spec = {
        "match": {"type": "HostnameGenerator", "port": 443, "protocol": "http"},
        "endpoints": [
            {"address": "a.example.com", "port": 443, "priority": 0},
            {"address": "b.example.com", "port": 443, "priority": 1},
        ],
    }
    verification = {
        "mode": "Secured",
        "serverName": "c.example.com",
        "subjectAltNames": [{"type": "Exact", "value": "d.example.com"}],
    }
    return [
        {
            **spec,
            "tls": {
                "enabled": True,
                "allowRenegotiation": True,
                "version": {"min": "TLS10", "max": "TLS13"},
                "verification": {**verification, "caCert": cert, "clientCert": cert, "clientKey": key},
            },
        }
        for cert, key in zip(sources(CERT, "cert"), sources(KEY.reveal, "key"), strict=True)
    ]  # fmt: skip


def older_external_services() -> list[Raw]:
    spec = there("ExternalService", "outside")
    made = []
    for cert, key in zip(file_sources(CERT, "cert"), file_sources(KEY.reveal, "key"), strict=True):
        tls = {
            "enabled": True,
            "allowRenegotiation": True,
            "skipHostnameVerification": False,
            "serverName": "c.example.com",
            "caCert": cert,
            "clientCert": cert,
            "clientKey": key,
        }
        networking = {**spec["networking"], "tls": tls, "disableHostDNSEntry": True}
        made.append({**spec, "networking": networking})
    return made


def mesh_services() -> list[Raw]:
    spec = there("MeshService", "orders")
    selectors = [
        spec["selector"],
        {"dataplaneLabels": {"matchLabels": {"app": "orders"}}},
        {"dataplaneRef": {"name": "orders-1"}},
    ]
    identities = [{"type": "ServiceTag", "value": "orders"}]
    return [{**spec, "selector": each, "identities": identities} for each in selectors]


def generators() -> list[Raw]:
    selected = {
        "meshService": "orders",
        "meshExternalService": "bank",
        "meshMultiZoneService": "all-orders",
    }
    return [
        {"selector": {kind: {"matchLabels": {"team": team}}}, "template": "{{ .Name }}.a"}
        for kind, team in selected.items()
    ]


def collectors() -> list[Raw]:
    env = {"mode": "Optional", "precedence": "EnvFirst", "allowSignalOverrides": True}
    endpoint = {"address": "here.example.com", "port": 4318}
    return [
        {"endpoint": {**endpoint, "path": "/x"}, "protocol": "http", "env": env},
        {"endpoint": endpoint, "protocol": "grpc", "env": env},
    ]


def dataplanes() -> list[Raw]:
    spec = there("Dataplane", "web")
    http, *others = spec["networking"]["inbound"]
    http |= {
        "address": "192.168.0.1",
        "serviceAddress": "127.0.0.1",
        "protocol": "http",
        "state": "Ready",
        "health": {"ready": True},
    }
    called = {"address": "127.0.0.2", "port": 9020, "backendRef": {"kind": "MeshService", "port": 80, "labels": {"team": "orders"}}}  # fmt: skip
    networking = {
        **spec["networking"],
        "advertisedAddress": "192.168.9.9",
        "inbound": [http, *others],
        "outbound": [*spec["networking"]["outbound"], called],
        "admin": {"port": 9901},
    }
    redirected = {
        "redirectPortInbound": 15006,
        "redirectPortOutbound": 15001,
        "ipFamilyMode": "IPv4",
        "directAccessServices": ["api"],
        "reachableServices": ["api"],
        "reachableBackends": {
            "refs": [
                {"kind": "MeshService", "name": "orders", "namespace": "", "port": 80},
                {"kind": "MeshService", "labels": {"team": "elsewhere"}},
            ]
        },
    }  # fmt: skip
    gateway = {"type": "DELEGATED", "tags": {"kuma.io/service": "gateway"}}
    return [
        {"networking": networking},
        {"networking": {**networking, "transparentProxying": redirected}},
        {
            "networking": {
                "address": "192.168.0.1",
                "gateway": gateway,
                "outbound": networking["outbound"],
            }
        },
    ]


def meshes() -> list[Raw]:
    def authority(kind: str, **conf: Any) -> Raw:
        rest = {
            "mode": "STRICT",
            "dpCert": {"rotation": {"expiration": "1d"}, "requestTimeout": "1s"},
        }
        backend = {
            "name": "ca",
            "type": kind,
            "conf": conf,
            "rootChain": {"requestTimeout": "1s"},
            **rest,
        }
        return {"enabledBackend": "ca", "skipValidation": True, "backends": [backend]}

    def mesh(mtls: Raw) -> Raw:
        tags = {"kuma.io/service": "web"}
        return {
            "mtls": mtls,
            "meshServices": {"mode": "Everywhere"},
            "networking": {"outbound": {"passthrough": False}},
            "routing": {"defaultForbidMeshExternalServiceAccess": True},
            "skipCreatingInitialPolicies": ["MeshRetry"],
            "constraints": {
                "dataplaneProxy": {
                    "requirements": [{"tags": tags}],
                    "restrictions": [{"tags": {"kuma.io/service": "db"}}],
                }
            },
        }

    return [mesh(authority("builtin"))] + [
        mesh(authority("provided", cert=cert, key=key))
        for cert, key in zip(
            file_sources(ROOT.cert_pem, "ca-cert"),
            file_sources(ROOT.key.reveal, "ca-key"),
            strict=True,
        )
    ]  # fmt: skip


def identities() -> list[Raw]:
    def identity(provider: Raw) -> Raw:
        return {
            "selector": {"dataplane": {"matchLabels": {"team": "blue"}}},
            "spiffeID": {"trustDomain": "a.local", "path": "/w/{{ .Workload }}"},
            "provider": provider,
        }

    def brought(kind: str, name: str, cert: Raw, key: Raw) -> Raw:
        authority = {
            "certificate": {"type": kind, name: cert},
            "privateKey": {"type": kind, name: key},
        }
        bundled = {
            "ca": authority,
            "meshTrustCreation": "Disabled",
            "insecureAllowSelfSigned": True,
            "certificateParameters": {"expiry": "1h"},
        }
        return identity({"type": "Bundled", "bundled": bundled})

    cert, key = ROOT.cert_pem.decode(), ROOT.key.reveal.decode()
    return [
        brought("InsecureInline", "insecureInline", {"value": cert}, {"value": key}),
        brought(
            "Secret",
            "secretRef",
            {"kind": "Secret", "name": "ca-cert"},
            {"kind": "Secret", "name": "ca-key"},
        ),
        brought(
            "File",
            "file",
            {"path": a_file("ca-cert", ROOT.cert_pem)},
            {"path": a_file("ca-key", ROOT.key.reveal)},
        ),
        identity({"type": "Spire", "spire": {"agent": {"timeout": "3s"}}}),
        identity({"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}}}),
    ]


READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready", "message": ""}]}
A_MESH_IDENTITY = {
    "type": "MeshIdentity",
    "mesh": "default",
    "name": "an-identity",
    "labels": {"kuma.io/zone": ZONE},
    "spec": identities()[0],
    "status": READY,
}
CALLER = {
    "type": "Dataplane",
    "mesh": "default",
    "name": "caller",
    "networking": {
        "address": "192.168.0.10",
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "caller"}}],
        "outbound": [{"port": 9001, "tags": {"kuma.io/service": "web"}}],
    },
}
A_SECTION = a_policy(
    "MeshTimeout",
    {
        "targetRef": {"kind": "Dataplane", "name": "web", "sectionName": "http"},
        "rules": [{"default": {"idleTimeout": "9s"}}],
    },
)
FULL = {
    "MeshService": Full("orders", mesh_services()),
    "MeshExternalService": Full("bank", external_services()),
    "ExternalService": Full("outside", older_external_services()),
    "MeshMultiZoneService": Full("all-orders", [there("MeshMultiZoneService", "all-orders")]),
    "HostnameGenerator": Full("a-generator", generators()),
    "MeshOpenTelemetryBackend": Full(
        "here", collectors(), (reporting("MeshTrace"), reporting("MeshMetric"))
    ),
    "Dataplane": Full("web", dataplanes(), (CALLER, A_SECTION)),
    "Mesh": Full("default", meshes()),
    "MeshIdentity": Full("an-identity", identities(), status=READY),
    "MeshTrust": Full(
        "a-trust",
        [
            {
                "trustDomain": "elsewhere.org",
                "caBundles": [{"type": "Pem", "pem": {"value": each.decode()}}],
            }
            for each in (CERT, ROOT.cert_pem)
        ],
        (A_MESH_IDENTITY,),
    ),
}
NOT_YET = "resources/kinds/test_{}.py::test_what_cannot_be_honoured_yet_is_refused"
NOT_YET_OF_THE_MESH, NOT_YET_OF_A_PROXY = NOT_YET.format("mesh"), NOT_YET.format("dataplane")
A_STEP_FAILS = "upkeep/test_mesh_identities.py::test_a_step_that_fails_is_told"
HERE = "resources/test_every_field.py::"
ELSEWHERE = {
    "MeshService": {
        r"state": "upkeep/test_mesh_services.py::test_a_service_of_dataplanes_becomes_a_mesh_service",
        r"identities.*": "upkeep/test_mesh_services.py::test_who_answers_by_a_mesh_identity_is_listed_and_makes_tls_ready",
    },
    "MeshExternalService": {
        r"extension\..*": "resources/kinds/test_mesh_external_service.py::test_a_wrong_one_is_refused"
    },
    "HostnameGenerator": {
        r"extension\..*": "resources/kinds/test_hostname_generator.py::test_a_wrong_generator_is_refused"
    },
    "ExternalService": {
        r"networking\.disableHostDNSEntry": "upkeep/test_virtual_outbounds.py::test_a_host_may_be_left_out_and_an_address_is_its_own",
    },
    "Dataplane": {
        r"(metrics|probes|networking\.(listeners|gateway\.type|inbound\[\]\.serviceProbe)).*": NOT_YET_OF_A_PROXY,
    },
    "Mesh": {
        r"(logging|metrics|tracing)\..*": NOT_YET_OF_THE_MESH,
        r"routing\.(localityAwareLoadBalancing|zoneEgress)": NOT_YET_OF_THE_MESH,
        r"mtls\.backends\[\]\.(conf.*|name)": f"{HERE}test_an_authority_is_made_as_its_conf_says",
        r"mtls\.skipValidation": f"{HERE}test_a_mesh_may_skip_that_its_authority_is_looked_at",
    },
    "MeshIdentity": {
        r"provider\.bundled\.(insecureAllowSelfSigned|meshTrustCreation)": A_STEP_FAILS,
        r"provider\.bundled\.autogenerate\.enabled": "upkeep/test_mesh_identities.py::test_an_identity_is_prepared_and_then_ready",
        r"provider\.bundled\.ca\..*\.envVar\.name": A_STEP_FAILS,
        r"provider\.extension\..*": "resources/kinds/test_mesh_identity.py::test_a_wrong_identity_is_refused",
    },
    "MeshTrust": {
        r"origin\.kri": "resources/kinds/test_mesh_trust.py::test_whoever_writes_an_origin_is_told_that_it_is_without_effect"
    },
}
"""Where what is not seen here is shown, or that it is refused."""

IGNORED = {
    "Mesh": {
        r"mtls\.backends\[\]\.(dpCert|rootChain)\.requestTimeout": "issuing waits for nothing",
    },
    "MeshIdentity": {
        r"provider\.bundled\.ca\.(certificate|privateKey)\.type": "what it leads to is the same",
    },
}
"""Taken without effect, as regular expressions of paths."""

ALIKE = {
    r"tls\.version\.min": {("TLS12", "TLSAuto")},
    r".*\.ipFamilyMode": {
        ("DualStack", "IPv6"),
        ("DualStack", "UnSpecified"),
        ("IPv6", "UnSpecified"),
    },
    r"meshServices\.mode": {("Disabled", "Everywhere")},
    r"provider\.type": {("Bundled", "Extension"), ("Extension", "Spire")},
}
"""Names that mean the same here: the mode of MeshServices also says whether they are made, and there are no
extensions."""


def seen_beside(world: World, resource: AnyResource) -> Hashable:
    """Certificates; of a Mesh also what it begins with, and whom it admits."""
    found: list[Hashable] = []
    with suppress(IdentityError):
        found.append(wanted_certificate(world.view, "web"))
    with suppress(IdentityError):
        found.append(trust(world.view))
    if resource.kind.name == "Mesh":
        found += [each.name for each in default_policies(resource)]
        found += [admits(resource, service) for service in ("web", "db", "other")]
    return tuple(found)


def admits(mesh: Any, service: str) -> bool:
    dataplane = a_dataplane("one", service=service)
    with suppress(InvalidResource):
        place = Place(ZONE, "universal", "zone")
        return bool(admit(dataplane, None, mesh=mesh, view=replica_of(), place=place))
    return False


@cache
def shown(kind: str) -> Shown:
    full, known = FULL[kind], REGISTRY.kind(kind)
    proxies = ("web", "open", "caller") if CALLER in full.more else ("web", "open")
    world = World(
        [*documents(), *SECRETS, *full.more],
        made=(virtual_outbounds("api", "db"),),
        proxies=proxies,
        more=seen_beside,
    )
    labels = {
        each["name"]: each.get("labels", {}) for each in documents() if each["type"] == kind
    }.get(full.name, {})

    def see(spec: Raw) -> Hashable:
        body = spec if known.spec_at_root else {"spec": spec}
        mesh = {"mesh": "default"} if known.is_mesh_scoped else {}
        status = {"status": full.status} if full.status else {}
        return world.see(
            {"type": kind, "name": full.name, "labels": labels, **mesh, **body, **status}
        )

    return show(known.spec, full.specs, see, wholes={})


@pytest.mark.parametrize("kind", FULL)
def test_every_field_shows(kind: str) -> None:
    seen, known = shown(kind), {**ELSEWHERE.get(kind, {}), **IGNORED.get(kind, {})}
    hidden = [
        path
        for path, annotation in fields_of(REGISTRY.kind(kind).spec).items()
        if path not in seen.fields and len(named_values(annotation)) != 1
    ]
    assert [path for path in hidden if not any(re.fullmatch(each, path) for each in known)] == []
    assert [each for each in known if not any(re.fullmatch(each, path) for path in hidden)] == []


@pytest.mark.parametrize("kind", FULL)
def test_each_two_named_values_mean_something_else(kind: str) -> None:
    seen = shown(kind)
    for path, annotation in fields_of(REGISTRY.kind(kind).spec).items():
        if path in seen.fields:
            same = next((each for at, each in ALIKE.items() if re.fullmatch(at, path)), set())
            assert set(seen.alike(path, annotation)) == same, path


@pytest.mark.parametrize("skips", [False, True])
def test_a_mesh_may_skip_that_its_authority_is_looked_at(*, skips: bool) -> None:
    conf = {"cert": sources(CERT, "cert")[0], "key": sources(KEY.reveal, "key")[0]}
    backend = {"name": "ca", "type": "provided", "conf": conf}
    mtls = {"enabledBackend": "ca", "backends": [backend], "skipValidation": skips}
    found = World(documents()).see({"type": "Mesh", "name": "other", "mtls": mtls})
    assert isinstance(found, Refused) is not skips


def test_an_authority_is_made_as_its_conf_says() -> None:
    conf = {"caCert": {"RSAbits": 3072, "expiration": "1d"}}
    backends = [{"name": "mine", "type": "builtin", "conf": conf}]
    mesh = a_mesh(spec={"mtls": {"enabledBackend": "mine", "backends": backends}})
    found = {
        each.name: each for each in secrets_of_mesh(mesh, replica=replica_of(), clock=SystemClock())
    }
    assert {"default.ca-builtin-cert-mine", "default.ca-builtin-key-mine"} <= set(found)
    root = load_pem_x509_certificate(found["default.ca-builtin-cert-mine"].spec.data)
    assert root.public_key().key_size == 3072  # type: ignore[union-attr]
    lifetime = root.not_valid_after_utc - root.not_valid_before_utc
    assert timedelta(days=1) <= lifetime < timedelta(days=1, minutes=1)


def test_what_is_said_to_be_shown_elsewhere_is() -> None:
    for shown_by in {each for found in ELSEWHERE.values() for each in found.values()}:
        file, _, name = shown_by.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text(), shown_by
