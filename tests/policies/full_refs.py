"""References to what there is in `full_world`: for each of their fields two that differ in it alone."""

from typing import Any

Ref = dict[str, Any]
_BLUE, _RED = {"team": "blue"}, {"team": "red"}
_V1, _V2 = {"version": "v1"}, {"version": "v2"}


def _ref(kind: str, name: str = "", **rest: Any) -> Ref:
    return {"kind": kind, **({"name": name} if name else {}), **rest}


_WHOLE = [
    _ref("Mesh"),
    _ref("Mesh", "web"),
    _ref("Mesh", mesh="other"),
    _ref("Mesh", labels=_BLUE),
    _ref("Mesh", tags=_BLUE),
    _ref("Mesh", namespace="other"),
    _ref("Mesh", sectionName="http"),
    _ref("Mesh", proxyTypes=["Sidecar"]),
    _ref("Mesh", proxyTypes=["Gateway"]),
]
PROXIES = [
    *_WHOLE,
    _ref("MeshSubset", tags=_BLUE, proxyTypes=["Sidecar"]),
    _ref("MeshSubset", tags=_RED, proxyTypes=["Sidecar"]),
    _ref("MeshSubset", tags=_BLUE, proxyTypes=["Gateway"]),
    *(_ref(kind, name) for kind in ("Dataplane", "MeshService") for name in ("web", "open")),
    _ref("Dataplane", "web", namespace="other"),
    _ref("Dataplane", "open", namespace="other"),
    _ref("Dataplane", "web", sectionName="http"),
    _ref("Dataplane", "web", sectionName="tcp"),
    _ref("Dataplane", labels=_BLUE),
    _ref("Dataplane", labels=_RED),
]
"""At the top of a policy."""

DESTINATIONS = [
    *_WHOLE,
    *(_ref("MeshService", name) for name in ("api", "db", "orders")),
    _ref("MeshService", "orders", sectionName="main"),
    _ref("MeshService", "orders", sectionName="raw"),
    _ref("MeshService", "orders", namespace="other"),
    _ref("MeshService", "orders", mesh="other"),
    _ref("MeshService", "orders", tags=_V1),
    _ref("MeshService", "orders", proxyTypes=["Sidecar"]),
    _ref("MeshService", labels={"team": "orders"}),
    _ref("MeshService", labels={"team": "elsewhere"}),
    _ref("MeshExternalService", "orders"),
    _ref("MeshExternalService", "bank"),
    _ref("MeshMultiZoneService", "all-orders"),
    _ref("MeshHTTPRoute", "split"),
    _ref("MeshHTTPRoute", "split-orders"),
]
"""In `to`."""

CLIENTS = [
    *_WHOLE,
    _ref("MeshSubset", tags=_BLUE),
    _ref("MeshSubset", tags=_RED),
    _ref("MeshSubset", tags=_BLUE, proxyTypes=["Sidecar"]),
    _ref("MeshService", "api"),
    _ref("MeshService", "db"),
    _ref("MeshService", "api", labels=_BLUE),
    _ref("MeshService", "api", namespace="other"),
    _ref("MeshService", "api", sectionName="http"),
    _ref("MeshServiceSubset", "api", tags=_V1),
    _ref("MeshServiceSubset", "api", tags=_V2),
]
"""In `from`."""

BACKENDS = [
    *(_ref("MeshService", name) for name in ("api", "db", "echo")),
    _ref("MeshService", "db", mesh="other"),
    _ref("MeshService", "db", tags=_V1),
    _ref("MeshService", "db", labels=_BLUE),
    _ref("MeshService", "db", namespace="other"),
    _ref("MeshService", "db", proxyTypes=["Sidecar"]),
    *(_ref("MeshService", name, weight=7) for name in ("api", "db", "echo")),
    _ref("MeshService", "orders", port=80),
    _ref("MeshService", "orders", port=90),
    _ref("MeshService", "orders", port=80, namespace="other"),
    _ref("MeshService", "orders", sectionName="main"),
    _ref("MeshService", "orders", sectionName="raw"),
    _ref("MeshService", port=80, labels={"team": "orders"}),
    _ref("MeshService", port=80, labels={"team": "elsewhere"}),
    _ref("MeshExternalService", "orders", port=80),
    _ref("MeshExternalService", "bank"),
    *(_ref("MeshServiceSubset", name, tags=tags) for name in ("api", "db") for tags in (_V1, _V2)),
    _ref("MeshMultiZoneService", "all-orders", port=80),
]
"""Of routes."""
