"""What Kuma 2.14.3 answers to the same documents, but where a comment says otherwise."""

from datetime import timedelta
from typing import Any

import pytest

from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import parse_expiration, used_secrets
from tests.resources.claims import REGISTRY, Found, find_violations, parsing
from tests.support.builders import a_mesh

FORMAT = "has to be a valid format"
EMPTY = "cannot be empty"


def mtls(*backends: dict[str, Any], enabled: str = "") -> dict[str, Any]:
    return {"mtls": {"enabledBackend": enabled, "backends": list(backends)}}


def builtin(name: str = "ca", **fields: Any) -> dict[str, Any]:
    return {"name": name, "type": "builtin", **fields}


def provided(**conf: Any) -> dict[str, Any]:
    return mtls({"name": "ca", "type": "provided", "conf": conf})


@pytest.mark.parametrize(
    "spec",
    [
        {},
        mtls(),
        mtls(builtin(), enabled="ca"),
        mtls(builtin(mode="PERMISSIVE", dpCert={"rotation": {"expiration": "1d"}})),
        mtls(builtin(dpCert={}, rootChain={"requestTimeout": "10s"})),
        mtls(builtin(conf={"caCert": {"RSAbits": 2048, "expiration": "10y"}})),
        mtls(builtin(conf={"caCert": {"RSAbits": 0}}, mode=1)),
        provided(cert={"secret": "cert"}, key={"file": "/key"}),
        provided(cert={"inline": "aGVsbG8="}, key={"inlineString": "PEM"}),
        {"networking": {"outbound": {"passthrough": False}}},
        {"routing": {"localityAwareLoadBalancing": False, "zoneEgress": False}},
        *({"meshServices": {"mode": mode}} for mode in ("Disabled", "Everywhere", "Exclusive", 3)),
        {"skipCreatingInitialPolicies": ["*"]},
        {"constraints": {"dataplaneProxy": {"requirements": [{"tags": {"team": "*"}}]}}},
    ],
)
def test_these_are_valid(spec: dict[str, Any]) -> None:
    assert find_violations(MESH, spec) == []


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (
            mtls(builtin("a"), builtin("a"), enabled="x"),
            [
                ("mtls.backends", "cannot have more than 1 backends"),
                ("mtls.backends[1].name", '"a" name is already used for another backend'),
                ("mtls.enabledBackend", "has to be set to one of the backends in the mesh"),
            ],
        ),
        # Kuma says mtls.dpcert.rotation.expiration, without the index.
        (
            mtls(builtin(dpCert={"rotation": {"expiration": "zz"}})),
            [("mtls.backends[0].dpCert.rotation.expiration", FORMAT)],
        ),
        (
            mtls({"name": "ca", "type": "vault"}),
            [("mtls.backends[0].type", "could not find installed plugin for this type")],
        ),
        # Kuma says mtls.backends[0].conf.mtls.backends.name.
        (
            mtls(builtin("A_b")),
            [("mtls.backends[0].name", '"A_b" name must be valid dns name')],
        ),
        (
            mtls(builtin("a" * 240)),
            [
                ("mtls.backends[0].name", "Backend name is too long. Max length: 255"),
                ("mtls.backends[0].name", f'"{"a" * 240}" name must be valid dns name'),
            ],
        ),
        (
            mtls(builtin(conf={"caCert": {"RSAbit": 1, "expiration": 1}})),
            [
                ("mtls.backends[0].conf.caCert.expiration", "must be a string"),
                (
                    "mtls.backends[0].conf.caCert.RSAbit",
                    'unknown field, did you mean "RSAbits"?',
                ),
            ],
        ),
        (
            mtls(builtin(conf={"caCert": {"expiration": "zz"}})),
            [("mtls.backends[0].conf.caCert.expiration", FORMAT)],
        ),
        (
            mtls(
                builtin(
                    conf={"caCert": {"RSAbits": 1024, "expiration": "0"}},
                    dpCert={"rotation": {"expiration": "999ms"}},
                )
            ),
            [
                ("mtls.backends[0].dpCert.rotation.expiration", "must be 1s or more"),
                ("mtls.backends[0].conf.caCert.RSAbits", "must be in the range [2048, 8192]"),
                ("mtls.backends[0].conf.caCert.expiration", "must be 1s or more"),
            ],
        ),
        (
            provided(),
            [
                ("mtls.backends[0].conf.cert", "has to be defined"),
                ("mtls.backends[0].conf.key", "has to be defined"),
            ],
        ),
        (
            provided(cert={}, key={"secret": ""}),
            [
                (
                    "mtls.backends[0].conf.cert",
                    "data source has to be chosen. Available sources: secret, file, inline",
                ),
                ("mtls.backends[0].conf.key.secret", EMPTY),
            ],
        ),
        (
            provided(cert={"inline": ""}, key={"file": ""}),
            [
                ("mtls.backends[0].conf.cert.inline", EMPTY),
                ("mtls.backends[0].conf.key.file", EMPTY),
            ],
        ),
        (
            provided(cert={"secret": "a", "inlineString": "b"}, key={"secret": "a"}),
            [
                (
                    "mtls.backends[0].conf.cert",
                    "only one of secret, file, inline and inlineString can be set",
                )
            ],
        ),
        (
            {
                "constraints": {
                    "dataplaneProxy": {
                        "requirements": [{}, {"tags": {"a b": "**", "c": "*"}}],
                        "restrictions": [{"tags": {"x": ""}}],
                    }
                }
            },
            [
                (
                    "constraints.dataplaneProxy.requirements[0].tags",
                    "must have at least one tag",
                ),
                (
                    'constraints.dataplaneProxy.requirements[1].tags["a b"]',
                    (
                        "tag name must consist of alphanumeric characters, dots, dashes, slashes and "
                        "underscores"
                    ),
                ),
                (
                    'constraints.dataplaneProxy.requirements[1].tags["a b"]',
                    (
                        "tag value must consist of alphanumeric characters, dots, dashes, slashes and "
                        'underscores or be "*"'
                    ),
                ),
                (
                    'constraints.dataplaneProxy.restrictions[0].tags["x"]',
                    "tag value must be non-empty",
                ),
            ],
        ),
    ],
)
def test_these_are_invalid(spec: dict[str, Any], found: Found) -> None:
    assert find_violations(MESH, spec) == found


@pytest.mark.parametrize(
    ("spec", "field", "part"),
    [
        ({"tracing": {"backends": []}}, "tracing", "tracing of a Mesh"),
        ({"logging": {}}, "logging", "access logs of a Mesh"),
        ({"metrics": {"enabledBackend": "p"}}, "metrics", "metrics of a Mesh"),
        (
            {"routing": {"localityAwareLoadBalancing": True}},
            "routing.localityAwareLoadBalancing",
            "locality-aware load balancing",
        ),
        ({"routing": {"zoneEgress": True}}, "routing.zoneEgress", "zone egresses"),
    ],
)
def test_what_cannot_be_honoured_yet_is_refused(
    spec: dict[str, Any], field: str, part: str
) -> None:
    message = f"is not supported by this version ({part})"
    assert find_violations(MESH, spec) == [(field, message)]


def test_a_mesh_belongs_to_no_mesh() -> None:
    document = {"type": "Mesh", "name": "m", "mesh": "default"}
    assert parsing(document) == [("mesh", "must not be set, Mesh belongs to no mesh")]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0", timedelta(0)),
        ("250ms", timedelta(milliseconds=250)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(days=14)),
        ("10y", timedelta(days=3650)),
    ],
)
def test_an_expiration_is_a_number_and_a_unit(text: str, meant: timedelta) -> None:
    assert parse_expiration(text) == meant


@pytest.mark.parametrize(
    "text", ["", "1", "d", "1d12h", "1.5d", "-1d", "9" * 30 + "y", "9" * 5000 + "y", "293y"]
)
def test_anything_else_is_no_expiration(text: str) -> None:
    with pytest.raises(ValueError, match="not a valid duration string"):
        parse_expiration(text)


def test_passthrough_is_on_unless_switched_off() -> None:
    assert MeshSpec().passthrough
    assert a_mesh(passthrough=True).spec.passthrough
    assert not a_mesh(passthrough=False).spec.passthrough


def test_the_enabled_backend_is_found_by_name() -> None:
    assert MeshSpec().enabled_backend is None
    assert MeshSpec.model_validate(mtls(builtin())).enabled_backend is None
    enabled = a_mesh(mtls=True, backend="ca-2").spec.enabled_backend
    assert enabled is not None
    assert enabled.name == "ca-2"


def test_backends_tell_which_secrets_they_use() -> None:
    [ca] = a_mesh(mtls=True).spec.backends
    assert used_secrets("default", ca) == {
        "default.ca-builtin-cert-ca-1",
        "default.ca-builtin-key-ca-1",
    }
    spec = MeshSpec.model_validate(provided(cert={"secret": "cert"}, key={"file": "/key"}))
    assert used_secrets("default", spec.backends[0]) == {"cert"}


@pytest.mark.parametrize("name", ["1mesh", "a.b"])
def test_a_name_that_is_no_dns_label_is_deprecated(name: str) -> None:
    [warning] = MESH.deprecations(a_mesh(name))
    assert warning == (
        f"Invalid Mesh resource name: '{name}'. It does not conform to the DNS format (RFC 1035). "
        "This is deprecated. Errors: a DNS-1035 label must consist of lower case alphanumeric "
        "characters or '-', start with an alphabetic character, and end with an alphanumeric "
        "character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
        "'[a-z]([-a-z0-9]*[a-z0-9])?')"
    )


def test_other_names_are_not() -> None:
    assert MESH.deprecations(a_mesh("default")) == ()
    assert REGISTRY.kind("Zone").deprecations(a_mesh("default")) == ()
