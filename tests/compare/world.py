"""A set of resources of one mesh: proxies, services, policies. The seed decides everything."""

from dataclasses import dataclass

from tests.compare import targets
from tests.compare.chance import Chance, Json
from tests.compare.mutation import mutated
from tests.compare.policies import KINDS, a_policy

_MODES = ("Disabled", "Everywhere", "ReachableBackends", "Exclusive", None)


@dataclass(frozen=True)
class World:
    seed: int
    mesh: str
    documents: tuple[Json, ...]

    def of(self, kind: str) -> list[str]:
        return [each["name"] for each in self.documents if each["type"] == kind]


def a_world(seed: int, kinds: list[str], *, policies: int = 30) -> World:
    r = Chance(seed)
    mesh = f"m{seed}"
    documents = [
        _mesh(r, mesh),
        *(_service(r, mesh, name) for name in r.some_of(targets.SERVICES, least=1, most=3)),
        *(_multi_zone(r, mesh, name) for name in r.some_of(targets.SERVICES, most=1)),
        *(_dataplane(r, mesh, name) for name in targets.DATAPLANES),
        *(_mesh_external(r, mesh, name) for name in r.some_of(targets.EXTERNAL, least=0, most=2)),
        *(_external(r, mesh, name) for name in r.some_of(["ext-a", "ext-b"], least=0, most=2)),
    ]
    routes = [
        (name, r.choice(["MeshHTTPRoute", "MeshHTTPRoute", "MeshTCPRoute"]))
        for name in targets.ROUTES
    ]
    documents += [a_policy(r, kind, mesh, name) for name, kind in routes if kind in kinds]
    favoured = r.sample(kinds, min(5, len(kinds)))
    for number in range(policies):
        kind = r.choice(favoured if r.at(0.7) else kinds)
        documents.append(a_policy(r, kind, mesh, f"{r.choice('abc')}-{number}"))
    return World(seed, mesh, tuple(documents))


def all_kinds() -> list[str]:
    return list(KINDS)


def _odd(r: Chance, document: Json, share: float = 0.15) -> Json:
    return mutated(r, document) if r.at(share) else document


def _mesh(r: Chance, name: str) -> Json:
    mtls = {"enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]}
    if r.at(0.3):
        mtls["backends"][0]["mode"] = r.choice(["PERMISSIVE", "STRICT"])
    mode = r.choice(_MODES)
    return {
        "type": "Mesh",
        "name": name,
        **({"mtls": mtls} if r.at(0.6) else {}),
        **({"meshServices": {"mode": mode}} if mode else {}),
        **({"skipCreatingInitialPolicies": r.choice([["*"], ["MeshRetry"]])} if r.at(0.5) else {}),
        **(
            {"networking": {"outbound": {"passthrough": r.choice([True, False])}}}
            if r.at(0.2)
            else {}
        ),
    }


def _tags(r: Chance, service: str) -> Json:
    tags = {"kuma.io/service": service}
    if r.at(0.7):
        tags["kuma.io/protocol"] = r.choice(
            ["http", "tcp", "grpc", "http2", "kafka", "tls", "unknown"]
        )
    if r.at(0.6):
        tags["version"] = r.choice(["v1", "v2"])
    if r.at(0.4):
        tags["team"] = r.choice(["a", "b"])
    if r.at(0.1):
        tags["kuma.io/zone"] = "default"
    return tags


def _dataplane(r: Chance, mesh: str, name: str) -> Json:
    address = f"10.0.0.{r.randint(1, 250)}"
    networking: Json = {"address": address}
    if r.at(0.15):
        tags = {"kuma.io/service": "edge", **({"version": "v1"} if r.at(0.5) else {})}
        networking["gateway"] = {"tags": tags, **({"type": "DELEGATED"} if r.at(0.5) else {})}
    else:
        ports = r.sample([80, 8080, 9090, 9091], r.choice([1, 1, 2, 3]))
        networking["inbound"] = [_inbound(r, port) for port in ports]
    if r.at(0.15):
        networking["advertisedAddress"] = "192.168.0.9"
    networking["outbound"] = [_outbound(r, 10000 + each) for each in range(r.randint(0, 3))]
    labels = dict(r.some_of(
        [*targets.LABELS, ("kuma.io/origin", "zone"), ("k8s.kuma.io/namespace", "ns-a"), ("kuma.io/workload", "wl")],
        most=3,
    )) if r.at(0.7) else {}  # fmt: skip
    document = {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}
    return _odd(r, {**document, **({"labels": labels} if labels else {})}, 0.12)


def _inbound(r: Chance, port: int) -> Json:
    found: Json = {"port": port}
    if r.at(0.93):
        found["tags"] = _tags(r, r.choice(targets.SERVICES))
    if r.at(0.4):
        found["name"] = r.choice(["main", "admin", "x"]) + (str(port) if r.at(0.3) else "")
    if r.at(0.5):
        found["servicePort"] = r.choice([port, 7000])
    if r.at(0.1):
        found["serviceAddress"] = "127.0.0.1"
    if r.at(0.2):
        found["state"] = r.choice(["Ready", "NotReady", "Ignored"])
    if r.at(0.1):
        found["health"] = {"ready": r.choice([True, False])}
    if r.at(0.1):
        found["protocol"] = r.choice(["http", "tcp", "x"])
    if r.at(0.08):
        found["address"] = "10.1.1.1"
    return found


def _outbound(r: Chance, port: int) -> Json:
    found: Json = {"port": port}
    if r.at(0.1):
        found["address"] = "127.0.0.2"
    if r.at(0.6):
        found["tags"] = {"kuma.io/service": r.choice([*targets.SERVICES, "nobody"])}
    elif r.at(0.7):
        found["backendRef"] = {
            "kind": "MeshService",
            "name": r.choice(targets.SERVICES),
            "port": r.choice([80, 8080]),
        }
    else:
        found["backendRef"] = {
            "kind": "MeshExternalService",
            "name": r.choice(targets.EXTERNAL),
            "port": 443,
        }
    return found


def _service(r: Chance, mesh: str, name: str) -> Json:
    def port(number: int) -> Json:
        found: Json = {"port": number}
        if r.at(0.6):
            found["targetPort"] = r.choice([number, 8080, "main"])
        if r.at(0.6):
            found["appProtocol"] = r.choice(["http", "tcp", "grpc", "http2"])
        if r.at(0.5):
            found["name"] = r.choice(["main", "admin", "x"]) + (str(number) if r.at(0.3) else "")
        return found

    selector = r.choice([
        {"dataplaneTags": {"kuma.io/service": name}},
        {"dataplaneTags": {"kuma.io/service": name, "version": "v1"}},
        {"dataplaneRef": {"name": r.choice(targets.DATAPLANES)}},
        {"dataplaneLabels": {"matchLabels": dict([r.choice(targets.LABELS)])}},
    ])  # fmt: skip
    labels = dict(r.some_of([*targets.LABELS, ("kuma.io/origin", "zone"), ("kuma.io/display-name", "api"),
                             ("k8s.kuma.io/namespace", "ns-a")], most=2)) if r.at(0.6) else {}  # fmt: skip
    return _odd(r, {
        "type": "MeshService",
        "mesh": mesh,
        "name": name,
        **({"labels": labels} if labels else {}),
        "spec": {"selector": selector, "ports": [port(each) for each in r.sample([80, 8080, 9090], r.randint(1, 3))]},
    })  # fmt: skip


def _mesh_external(r: Chance, mesh: str, name: str) -> Json:
    labels = dict(r.some_of(targets.LABELS, most=2)) if r.at(0.5) else {}
    tls = {"enabled": True} if r.at(0.6) else {"enabled": False}
    if tls["enabled"] and r.at(0.6):
        tls |= r.some(
            allowRenegotiation=r.flag,
            version=lambda: r.some(min=lambda: r.choice(["TLS12", "TLSAuto"]), max=lambda: r.choice(["TLS13", "TLSAuto"])),
            verification=lambda: r.some(
                mode=lambda: r.choice(["SkipSAN", "SkipCA", "Secured", "SkipAll"]),
                serverName=lambda: "pay.example",
                subjectAltNames=lambda: [{"type": "Exact", "value": "pay.example"}],
                caCert=lambda: {"inlineString": "x"},
            ),
        )  # fmt: skip
    return _odd(r, {
        "type": "MeshExternalService",
        "mesh": mesh,
        "name": name,
        **({"labels": labels} if labels else {}),
        "spec": {
            "match": {"port": r.choice([443, 80]), **({"protocol": r.choice(["tcp", "http", "grpc", "http2"])} if r.at(0.7) else {})},
            "endpoints": [{"address": r.choice(["pay.example", "10.9.9.9"]), "port": 443}],
            **({"tls": tls} if r.at(0.5) else {}),
        },
    })  # fmt: skip


def _external(r: Chance, mesh: str, name: str) -> Json:
    return _odd(r, {
        "type": "ExternalService",
        "mesh": mesh,
        "name": name,
        "networking": {
            "address": r.choice(["ext.example:80", "10.8.8.8:443"]),
            **({"tls": r.some(enabled=r.flag, serverName=lambda: "ext.example", allowRenegotiation=r.flag)} if r.at(0.5) else {}),
        },
        "tags": {"kuma.io/service": name, **({"kuma.io/protocol": "http"} if r.at(0.7) else {})},
    })  # fmt: skip


def _multi_zone(r: Chance, mesh: str, name: str) -> Json:
    port = {
        "port": 80,
        **r.some(appProtocol=lambda: r.choice(["http", "tcp"]), name=lambda: "main"),
    }
    labels = dict(r.some_of(targets.LABELS, most=2))
    return _odd(r, {
        "type": "MeshMultiZoneService",
        "mesh": mesh,
        "name": name,
        **({"labels": labels} if labels else {}),
        "spec": {
            "selector": {"meshService": {"matchLabels": dict([r.choice(targets.LABELS)])}},
            "ports": [port],
        },
    })  # fmt: skip


def _backend(r: Chance, mesh: str) -> Json:
    return _odd(r, {
        "type": "MeshOpenTelemetryBackend",
        "mesh": mesh,
        "name": "collector",
        "labels": {"team": "a"},
        "spec": r.some(
            endpoint=lambda: r.some(
                address=lambda: r.choice(["otel.example", "10.0.0.9"]),
                port=lambda: r.number(1, 65535),
                path=lambda: r.choice(["/v1", "x"]),
            ),
            protocol=lambda: r.choice(["grpc", "http"]),
            env=lambda: r.some(
                mode=lambda: r.choice(["Disabled", "Optional", "Required"]),
                precedence=lambda: r.choice(["ExplicitFirst", "EnvFirst"]),
                allowSignalOverrides=r.flag,
            ),
        ),
    }, 0.3)  # fmt: skip


def _identity(r: Chance, mesh: str) -> Json:
    return _odd(r, {
        "type": "MeshIdentity",
        "mesh": mesh,
        "name": "identity",
        "spec": {
            "selector": {"dataplane": {"matchLabels": dict(r.some_of(targets.LABELS, most=1))}},
            "spiffeID": r.some(
                trustDomain=lambda: r.choice(["{{ .Mesh }}.{{ .Zone }}.mesh.local", "acme.org"]),
                path=lambda: r.choice(["/ns/x", '/{{ label "app" }}']),
            ),
            "provider": {
                "type": "Bundled",
                "bundled": {
                    "autogenerate": {"enabled": True},
                    "insecureAllowSelfSigned": True,
                    **({"meshTrustCreation": r.choice(["Enabled", "Disabled"])} if r.at(0.5) else {}),
                    **({"certificateParameters": {"expiry": r.choice(["24h", "1h"])}} if r.at(0.5) else {}),
                },
            },
        },
    }, 0.5)  # fmt: skip


def _trust(r: Chance, mesh: str) -> Json:
    return _odd(r, {
        "type": "MeshTrust",
        "mesh": mesh,
        "name": "trust",
        "spec": {
            "trustDomain": r.choice(["acme.org", "other.acme.org", "A B"]),
            "caBundles": [{"type": "Pem", "pem": {"value": "not a certificate"}}],
        },
    }, 0.5)  # fmt: skip
