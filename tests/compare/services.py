"""Services that are resources, and what gives them names."""

from tests.compare import targets
from tests.compare.chance import Chance, Json
from tests.compare.mutation import odd


def a_service(r: Chance, mesh: str, name: str) -> Json:
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
    labels = dict(r.some_of([*targets.LABELS, ("kuma.io/origin", "zone"), ("kuma.io/display-name", f"{name}-shown"),
                             ("k8s.kuma.io/namespace", "ns-a")], most=2)) if r.at(0.6) else {}  # fmt: skip
    return odd(r, {
        "type": "MeshService",
        "mesh": mesh,
        "name": name,
        **({"labels": labels} if labels else {}),
        "spec": {"selector": selector, "ports": [port(each) for each in r.sample([80, 8080, 9090], r.randint(1, 3))]},
    })  # fmt: skip


def a_mesh_external(r: Chance, mesh: str, name: str) -> Json:
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
    return odd(r, {
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


def an_external(r: Chance, mesh: str, name: str) -> Json:
    return odd(r, {
        "type": "ExternalService",
        "mesh": mesh,
        "name": name,
        "networking": {
            "address": r.choice(["ext.example:80", "10.8.8.8:443"]),
            **({"tls": r.some(enabled=r.flag, serverName=lambda: "ext.example", allowRenegotiation=r.flag)} if r.at(0.5) else {}),
        },
        "tags": {"kuma.io/service": name, **({"kuma.io/protocol": "http"} if r.at(0.7) else {})},
    })  # fmt: skip


def a_multi_zone(r: Chance, mesh: str, name: str) -> Json:
    port = {
        "port": 80,
        **r.some(appProtocol=lambda: r.choice(["http", "tcp"]), name=lambda: "main"),
    }
    labels = dict(r.some_of(targets.LABELS, most=2))
    return odd(r, {
        "type": "MeshMultiZoneService",
        "mesh": mesh,
        "name": name,
        **({"labels": labels} if labels else {}),
        "spec": {
            "selector": {"meshService": {"matchLabels": dict([r.choice(targets.LABELS)])}},
            "ports": [port],
        },
    })  # fmt: skip


def a_collector(r: Chance, mesh: str, name: str) -> Json:
    return odd(r, {
        "type": "MeshOpenTelemetryBackend",
        "mesh": mesh,
        "name": name,
        "labels": dict(r.some_of([("team", "a"), ("kuma.io/display-name", "collector")], most=2)),
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


def a_generator(r: Chance, name: str) -> Json:
    templates = [
        "{{ .DisplayName }}.svc.local", "{{ .Name }}.{{ .Mesh }}.test", "{{ .Name }}.{{ .Zone }}",
        '{{ label "app" }}.apps', '{{ label "kuma.io/zone" }}.{{ .DisplayName }}.x', "same.name.test",
        "{{ .DisplayName }}.{{ .Namespace }}.ns", "{{.Name}}.{{.Mesh}}", "{{ .Mesh }}.one",
    ]  # fmt: skip
    odd_templates = ["", "{{ .Nothing }}", "{{ .Name", "A B", "{{ label }}", "{{ .Name }}..x", None]
    kind = r.choice(["meshService", "meshService", "meshExternalService", "meshMultiZoneService"])
    labels = dict(r.some_of([*targets.LABELS, ("kuma.io/origin", "zone")], most=1))
    selector = {kind: {"matchLabels": labels} if r.at(0.9) else {}}
    if r.at(0.08):
        selector |= {"meshService": {}, "meshExternalService": {}}
    return odd(r, {
        "type": "HostnameGenerator",
        "name": name,
        **({"labels": {"kuma.io/origin": "zone"}} if r.at(0.3) else {}),
        "spec": {"selector": selector, "template": r.choice(odd_templates if r.at(0.15) else templates)},
    })  # fmt: skip
