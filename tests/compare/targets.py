"""References to what the sets of resources contain, and to some of what they do not."""

from tests.compare.chance import Chance, Json

SERVICES = ("web", "api", "db", "kv")
DATAPLANES = tuple(f"dp-{number}" for number in range(6))
MULTI_ZONE = ("everywhere", "api")
EXTERNAL = ("payments", "mail")
COLLECTORS = ("collector", "otel")
ROUTES = ("route-a", "route-b", "route-c")
TAGS = (
    ("version", "v1"),
    ("version", "v2"),
    ("team", "a"),
    ("team", "b"),
    ("kuma.io/protocol", "http"),
    ("kuma.io/zone", "default"),
    ("version", "*"),
)
LABELS = (("app", "shop"), ("app", "bank"), ("tier", "front"), ("tier", "back"))
_SECTIONS = ("main", "admin", "8080", "80")
_BACKEND_KINDS = (
    "MeshService", "MeshService", "MeshServiceSubset", "MeshExternalService", "MeshMultiZoneService",
)  # fmt: skip
_NAMES = {
    "MeshExternalService": EXTERNAL, "MeshHTTPRoute": ROUTES, "MeshMultiZoneService": MULTI_ZONE,
}  # fmt: skip


def tags(r: Chance, *, least: int = 1, wild: bool = False) -> dict[str, str]:
    odd = [("", "x"), ("k", ""), ("a b", "c"), ("version", "v 1"), ("k", "a/b")]
    choices = [each for each in TAGS if wild or each[1] != "*"]
    return dict(r.sample(odd, 1) if r.is_odd else r.some_of(choices, least=least, most=2))


def labels(r: Chance) -> dict[str, str]:
    shown = ("kuma.io/display-name", r.choice(["api", "web", "web-shown"]))
    return dict(r.some_of([*LABELS, shown], least=1, most=2))


def top(r: Chance, kinds: tuple[str, ...], *, is_inbound: bool, sidecars: bool = False) -> Json:
    """The target of a policy; None: it has none."""
    if r.at(0.1) and not sidecars:
        return None
    kind = r.one(
        [*kinds, "Mesh", "Dataplane", "MeshSubset"], ("MeshGateway", "MeshExternalService", "X", "")
    )
    found: Json = {"kind": kind}
    if kind in {"Mesh", "MeshSubset"} and (sidecars or r.at(0.4)):
        found["proxyTypes"] = (
            ["Sidecar"]
            if sidecars
            else r.one([["Sidecar"], ["Gateway"], ["Sidecar", "Gateway"]], ([], ["X"]))
        )
    if kind == "MeshSubset":
        found["tags"] = tags(r, least=0)
    if kind in {"MeshService", "MeshServiceSubset", "MeshHTTPRoute"}:
        found["name"] = r.one(ROUTES if kind == "MeshHTTPRoute" else SERVICES, ("nobody", "A", ""))
    if kind == "MeshServiceSubset":
        found["tags"] = tags(r, wild=True)
    if kind == "Dataplane":
        found |= _dataplane(r, is_inbound=is_inbound)
    return found | _stray(r)


def _dataplane(r: Chance, *, is_inbound: bool) -> Json:
    found: Json = {}
    choice = r.random()
    if choice < 0.4:
        found["name"] = r.one(DATAPLANES, ("nobody", "A_"))
    elif choice < 0.8:
        found["labels"] = labels(r)
    if (is_inbound and r.at(0.4)) or r.is_odd:
        found["sectionName"] = r.choice(_SECTIONS)
    if r.at(0.05):
        found["namespace"] = "ns-a"
    return found


def destination(r: Chance, kinds: tuple[str, ...]) -> Json:
    """The target of an entry of `to`."""
    kind = r.one(kinds, ("MeshSubset", "MeshGateway", "X"))
    found: Json = {"kind": kind}
    if kind == "MeshService":
        choice = r.random()
        if choice < 0.7:
            found["name"] = r.one(SERVICES, ("nobody", "A", ""))
        elif choice < 0.75:
            found["name"] = "api_ns-a_svc_80"
        else:
            found["labels"] = labels(r)
        if r.at(0.3):
            found["sectionName"] = r.choice(_SECTIONS)
    elif kind in _NAMES:
        if r.at(0.75):
            found["name"] = r.one(_NAMES[kind], ("nobody", "A"))
        else:
            found["labels"] = labels(r)
        if kind == "MeshMultiZoneService" and r.at(0.3):
            found["sectionName"] = "main"
    elif kind == "MeshServiceSubset":
        found |= {"name": r.one(SERVICES), "tags": tags(r)}
    return found | _stray(r)


def source(r: Chance, kinds: tuple[str, ...]) -> Json:
    """The target of an entry of `from`."""
    kind = r.one(kinds, ("MeshGateway", "MeshHTTPRoute", "X"))
    found: Json = {"kind": kind}
    if kind == "Mesh" and r.at(0.1):
        found["proxyTypes"] = ["Sidecar"]
    if kind in {"MeshService", "MeshServiceSubset"}:
        found["name"] = r.one(SERVICES, ("nobody", "A", ""))
    if kind in {"MeshSubset", "MeshServiceSubset"}:
        found["tags"] = tags(r, wild=kind == "MeshServiceSubset")
    return found | _stray(r)


def backend_ref(r: Chance) -> Json:
    kind = r.one(_BACKEND_KINDS, ("Mesh", "MeshGateway", "X"))
    found: Json = {"kind": kind}
    if kind == "MeshMultiZoneService" and r.at(0.5):
        found["labels"] = dict([r.choice(LABELS)])
    elif kind in _NAMES:
        found["name"] = r.choice(_NAMES[kind])
    elif kind == "MeshService" and r.at(0.15):
        found["labels"] = labels(r)
    else:
        found["name"] = r.one(SERVICES, ("nobody", ""))
    if kind == "MeshServiceSubset":
        found["tags"] = tags(r)
    if (kind in {"MeshService", "MeshMultiZoneService"} and r.at(0.5)) or r.is_odd:
        found["port"] = r.choice([80, 8080, 9090])
    if r.at(0.5):
        found["weight"] = r.one([0, 1, 10, 90], (-1, "1", 1.5, 2**32))
    return found | _stray(r)


def _stray(r: Chance) -> Json:
    """A field that the kind does not have."""
    if not r.at(r.edge / 2):
        return {}
    choices = [
        {"tags": {"version": "v1"}}, {"labels": {"app": "shop"}}, {"namespace": "ns-a"},
        {"sectionName": "main"}, {"proxyTypes": ["Sidecar"]}, {"mesh": "default"}, {"name": "x"},
        {"unknown": 1}, {"tags": {}}, {"labels": {}},
    ]  # fmt: skip
    return r.choice(choices)
