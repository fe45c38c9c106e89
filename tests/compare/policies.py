"""Policies of every kind, with every kind of target: overlapping, contradicting, and some wrong."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.compare import confs, targets
from tests.compare.chance import Chance, Json
from tests.compare.mutation import mutated

_PROXIES = ("MeshService", "MeshServiceSubset")
_SENDING = ("Mesh", "MeshService", "MeshExternalService", "MeshMultiZoneService")
_ROUTED = ("MeshService", "MeshExternalService", "MeshMultiZoneService")
_SENDING_AND_ROUTES = (*_SENDING, "MeshHTTPRoute")
_CLIENTS = ("Mesh", "MeshSubset", "MeshService", "MeshServiceSubset")


@dataclass(frozen=True)
class Shape:
    """Which parts a kind of policy has. `rules`: what one entry of it says; None: it has none."""

    conf: Callable[[Chance], Json]
    top: tuple[str, ...] = _PROXIES
    to: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    rules: Callable[[Chance], Json] | None = None
    is_single: bool = False
    has_matches: bool = True
    routes: Callable[[Chance], Json] | None = None
    sidecars: bool = False
    on_routes: Callable[[Chance], Json] | None = None
    """What it says where its top-level target is a route, if that may be less."""


KINDS = {
    "MeshTimeout": Shape(confs.timeout, (*_PROXIES, "MeshHTTPRoute"), _SENDING_AND_ROUTES, ("Mesh",), confs.timeout, on_routes=confs.route_timeout),
    "MeshRetry": Shape(confs.retry, (*_PROXIES, "MeshHTTPRoute"), _SENDING_AND_ROUTES),
    "MeshCircuitBreaker": Shape(confs.circuit_breaker, _PROXIES, _SENDING, ("Mesh",), confs.circuit_breaker, has_matches=False),
    "MeshHealthCheck": Shape(confs.health_check, _PROXIES, _SENDING),
    "MeshRateLimit": Shape(confs.rate_limit, (*_PROXIES, "MeshHTTPRoute"), ("Mesh",), ("Mesh",), confs.rate_limit, sidecars=True),
    "MeshFaultInjection": Shape(confs.fault_injection, _PROXIES, ("Mesh",), _CLIENTS, confs.fault_injection, sidecars=True),
    "MeshTrafficPermission": Shape(confs.permission, _PROXIES, (), _CLIENTS, confs.permission_rule, has_matches=False),
    "MeshTLS": Shape(confs.tls, (), (), ("Mesh",), confs.tls, has_matches=False),
    "MeshLoadBalancingStrategy": Shape(confs.load_balancing, _PROXIES, ("Mesh", "MeshService", "MeshMultiZoneService", "MeshHTTPRoute")),
    "MeshAccessLog": Shape(confs.access_log, _PROXIES, _SENDING_AND_ROUTES, ("Mesh",), confs.access_log),
    "MeshTrace": Shape(confs.trace, _PROXIES, is_single=True),
    "MeshMetric": Shape(confs.metric, _PROXIES, is_single=True),
    "MeshPassthrough": Shape(confs.passthrough, (), is_single=True),
    "MeshProxyPatch": Shape(confs.proxy_patch, _PROXIES, is_single=True),
    "MeshHTTPRoute": Shape(confs.http_rules, _PROXIES, _ROUTED, routes=confs.http_rules),
    "MeshTCPRoute": Shape(confs.tcp_rules, _PROXIES, _ROUTED, routes=confs.tcp_rules),
}  # fmt: skip

_META_LABELS = (
    ("kuma.io/origin", "zone"),
    ("kuma.io/origin", "global"),
    ("kuma.io/zone", "default"),
    ("kuma.io/policy-role", "system"),
    ("kuma.io/policy-role", "consumer"),
    ("kuma.io/policy-role", "producer"),
    ("kuma.io/policy-role", "workload-owner"),
    ("kuma.io/effect", "shadow"),
    ("kuma.io/display-name", "aaa"),
    ("kuma.io/display-name", "zzz"),
    ("k8s.kuma.io/namespace", "ns-a"),
    ("team", "a"),
)


def a_policy(r: Chance, kind: str, mesh: str, name: str) -> Json:
    """Of ten, seven are valid as far as the generator knows, two have odd values, one is broken."""
    choice = r.random()
    r.edge = 0.0 if choice < 0.7 else 0.08
    document = {
        "type": kind, "mesh": mesh, "name": name, **_labels(r), "spec": _spec(r, KINDS[kind]),
    }  # fmt: skip
    r.edge = 0.0
    return mutated(r, document) if choice > 0.9 else document


def _labels(r: Chance) -> Json:
    if r.at(0.6):
        return {}
    odd = [
        ("a b", "c"),
        ("k", "v v"),
        ("kuma.io/effect", "x"),
        ("kuma.io/zone", "east"),
        ("kuma.io/mesh", "other"),
    ]
    found = dict(r.some_of(_META_LABELS, least=1, most=2))
    return {"labels": found | (dict([r.choice(odd)]) if r.is_odd else {})}


def _spec(r: Chance, shape: Shape) -> Json:
    parts = _parts(r, shape)
    top = targets.top(
        r,
        shape.top,
        is_inbound=bool({"from", "rules"} & set(parts)),
        sidecars=shape.sidecars and "to" not in parts and not r.at(0.1),
    )
    if shape.sidecars and "to" in parts:
        top = {"kind": "Mesh", "proxyTypes": ["Gateway"]} if r.at(0.7) else top
    if shape.on_routes and top and top["kind"] == "MeshHTTPRoute":
        parts = {"to": [{"targetRef": {"kind": "Mesh"}, "default": shape.on_routes(r)}]}
    if r.at(r.edge / 2):
        parts |= _parts(r, shape)
    return {**({} if top is None else {"targetRef": top}), **parts}


def _parts(r: Chance, shape: Shape) -> Json:
    if shape.is_single:
        return {"default": shape.conf(r)}
    if shape.routes is not None:
        return {"to": _routes(r, shape)}
    makes = {
        **({"to": lambda: _entries(r, shape, targets.destination, shape.to)} if shape.to else {}),
        **(
            {"from": lambda: _entries(r, shape, targets.source, shape.from_)} if shape.from_ else {}
        ),
        **({"rules": lambda: _rules(r, shape)} if shape.rules else {}),
    }
    names = [r.choice(list(makes))]
    if "rules" not in names and {"to", "from"} <= set(makes) and not shape.sidecars and r.at(0.3):
        names = ["to", "from"]
    return {name: makes[name]() for name in names}


def _entries(
    r: Chance,
    shape: Shape,
    target: Callable[[Chance, tuple[str, ...]], Json],
    kinds: tuple[str, ...],
) -> Json:
    return r.many(lambda: {"targetRef": target(r, kinds), "default": shape.conf(r)})


def _routes(r: Chance, shape: Shape) -> Json:
    assert shape.routes is not None
    make = shape.routes
    return r.many(lambda: {"targetRef": targets.destination(r, shape.to), "rules": make(r)}, most=2)


def _rules(r: Chance, shape: Shape) -> Json:
    def rule() -> Json:
        assert shape.rules is not None
        matches = shape.has_matches and r.at(0.4)
        found = {"matches": r.many(lambda: confs.spiffe_match(r), most=2)} if matches else {}
        return {**found, "default": shape.rules(r)}

    return r.many(rule, most=2)
