"""Dataplanes, with inbounds and outbounds of every kind."""

from tests.compare import targets
from tests.compare.chance import Chance, Json
from tests.compare.mutation import odd


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


def a_dataplane(r: Chance, mesh: str, name: str) -> Json:
    address = "nobody.knows.invalid" if r.at(0.06) else f"10.0.0.{r.randint(1, 250)}"
    networking: Json = {"address": address}
    if r.at(0.15):
        tags = {"kuma.io/service": "edge", **({"version": "v1"} if r.at(0.5) else {})}
        networking["gateway"] = {"tags": tags, **({"type": "DELEGATED"} if r.at(0.5) else {})}
    else:
        ports = r.sample([80, 8080, 9090, 9091], r.choice([1, 1, 2, 3]))
        networking["inbound"] = [_inbound(r, port) for port in ports]
    if r.at(0.15):
        networking["advertisedAddress"] = f"192.168.0.{name[-1]}"
    networking["outbound"] = [_outbound(r, 10000 + each) for each in range(r.randint(0, 3))]
    labels = dict(r.some_of(
        [*targets.LABELS, ("kuma.io/origin", "zone"), ("k8s.kuma.io/namespace", "ns-a"), ("kuma.io/workload", "wl")],
        most=3,
    )) if r.at(0.7) else {}  # fmt: skip
    document = {"type": "Dataplane", "mesh": mesh, "name": name, "networking": networking}
    return odd(r, {**document, **({"labels": labels} if labels else {})}, 0.12)


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
    if r.at(0.1 if "tags" not in found else 0.0):
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
    elif r.at(0.5):
        found["backendRef"] = {
            "kind": "MeshExternalService",
            "name": r.choice(targets.EXTERNAL),
            "port": r.choice([443, 80]),
        }
    else:
        one = {"name": r.choice(targets.MULTI_ZONE)}
        if r.at(0.7):
            one = {"labels": dict([r.choice(targets.LABELS)])}
        found["backendRef"] = {"kind": "MeshMultiZoneService", **one, "port": 80}
    return found
