"""Which kinds each policy may name, where. Kuma 2.14.3 gave the same answers to all of these."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from kuma.policies.catalogue import REGISTRY
from tests.policies.verdict import verdict

FIELDS: dict[str, dict[str, Any]] = {
    "Mesh": {},
    "MeshSubset": {"tags": {"a": "b"}},
    "MeshService": {"name": "a"},
    "MeshServiceSubset": {"name": "a", "tags": {"a": "b"}},
    "Dataplane": {"name": "a"},
    "MeshGateway": {"name": "a"},
    "MeshExternalService": {"name": "a"},
    "MeshMultiZoneService": {"name": "a"},
    "MeshHTTPRoute": {"name": "a"},
}
ROUTING = {"Mesh", "MeshSubset", "Dataplane"}
PROXIES = ROUTING | {"MeshService", "MeshServiceSubset"}
GATEWAYS = PROXIES | {"MeshGateway"}
ROUTES = GATEWAYS | {"MeshHTTPRoute"}
SERVICES = {"MeshService", "MeshExternalService", "MeshMultiZoneService"}
DESTINATIONS = SERVICES | {"Mesh"}
CLIENTS = {"Mesh", "MeshSubset", "MeshService", "MeshServiceSubset"}

Raw = dict[str, Any]


@dataclass(frozen=True)
class Targets:
    """`rest` is what an item of `to` or `from` has besides its target; without such lists the spec."""

    top: set[str]
    to: set[str] | None = None
    from_: set[str] | None = None
    rest: Raw = field(default_factory=dict)

    def spec(self, top: Raw) -> Raw:
        """A spec that is right but perhaps for `top`."""
        if self.to is not None:
            kind = "Mesh" if "Mesh" in self.to else "MeshService"
            return {"targetRef": top, "to": [{"targetRef": target(kind), **self.rest}]}
        if self.from_ is not None:
            return {"targetRef": top, "from": [{"targetRef": target("Mesh"), **self.rest}]}
        return {"targetRef": top, **self.rest}


def target(kind: str) -> Raw:
    return {"kind": kind, **FIELDS[kind]}


def conf(**default: Any) -> Raw:
    return {"default": default}


LIMITS = conf(local={"http": {"disabled": True}})
FAULTS = conf(http=[{"abort": {"httpStatus": 500, "percentage": 1}}])
BACKENDS = {"backendRefs": [{"kind": "MeshService", "name": "a"}]}
HTTP_RULE = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": BACKENDS}
REMOVAL = {"cluster": {"operation": "Remove"}}

TARGETS = {
    "MeshHTTPRoute": Targets(GATEWAYS, SERVICES, rest={"rules": [HTTP_RULE]}),
    "MeshTCPRoute": Targets(GATEWAYS, SERVICES, rest={"rules": [{"default": BACKENDS}]}),
    "MeshTimeout": Targets(
        ROUTES,
        DESTINATIONS | {"MeshHTTPRoute"},
        {"Mesh"},
        rest=conf(http={"requestTimeout": "1s"}),
    ),
    "MeshRetry": Targets(
        ROUTES, DESTINATIONS | {"MeshHTTPRoute"}, rest=conf(tcp={"maxConnectAttempt": 1})
    ),
    "MeshCircuitBreaker": Targets(
        GATEWAYS, DESTINATIONS, {"Mesh"}, rest=conf(connectionLimits={"maxRetries": 1})
    ),
    "MeshHealthCheck": Targets(GATEWAYS, DESTINATIONS, rest=conf(tcp={})),
    "MeshAccessLog": Targets(
        GATEWAYS, DESTINATIONS | {"MeshHTTPRoute"}, {"Mesh"}, rest=conf(backends=[])
    ),
    "MeshFaultInjection": Targets(GATEWAYS, None, CLIENTS, rest=FAULTS),
    "MeshRateLimit": Targets(ROUTES, None, {"Mesh"}, rest=LIMITS),
    "MeshTrafficPermission": Targets(PROXIES, None, CLIENTS, rest=conf(action="Allow")),
    "MeshTLS": Targets(ROUTING, None, {"Mesh"}, rest=conf(mode="Strict")),
    "MeshLoadBalancingStrategy": Targets(
        GATEWAYS,
        {"Mesh", "MeshService", "MeshMultiZoneService", "MeshHTTPRoute"},
        rest=conf(hashPolicies=[]),
    ),
    "MeshMetric": Targets(GATEWAYS, rest=conf()),
    "MeshTrace": Targets(GATEWAYS, rest=conf(backends=[])),
    "MeshPassthrough": Targets(ROUTING, rest=conf()),
    "MeshProxyPatch": Targets(GATEWAYS, rest=conf(appendModifications=[REMOVAL])),
}


SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
ROWS = [(kind, named) for kind in TARGETS for named in FIELDS]


def refused(kind: str, spec: Raw) -> list[str]:
    return [path for path, _ in verdict(REGISTRY.kind(kind), spec) if path.endswith("Ref.kind")]


def test_every_policy_has_a_row() -> None:
    assert {kind.name for kind in REGISTRY.policies()} == set(TARGETS)


@pytest.mark.parametrize(("kind", "named"), ROWS)
def test_the_kinds_at_the_top(kind: str, named: str) -> None:
    found = refused(kind, TARGETS[kind].spec(target(named)))
    assert ("spec.targetRef.kind" in found) == (named not in TARGETS[kind].top)


@pytest.mark.parametrize(("kind", "named"), ROWS)
def test_the_kinds_below(kind: str, named: str) -> None:
    targets = TARGETS[kind]
    for name, kinds in (("to", targets.to), ("from", targets.from_)):
        if kinds is None:
            continue
        item = {"targetRef": target(named), **targets.rest}
        found = verdict(REGISTRY.kind(kind), {"targetRef": SIDECARS, name: [item]})
        expected = [] if named in kinds else [f"spec.{name}[0].targetRef.kind"]
        assert [path for path, _ in found] == expected


@pytest.mark.parametrize("named", FIELDS)
@pytest.mark.parametrize(
    ("kind", "top", "accepted"),
    [
        ("MeshTimeout", "MeshHTTPRoute", {"Mesh", "MeshExternalService"}),
        ("MeshTimeout", "MeshGateway", {"Mesh", "MeshExternalService"}),
        ("MeshRetry", "MeshHTTPRoute", {"Mesh", "MeshExternalService"}),
        ("MeshRetry", "MeshGateway", {"Mesh", "MeshExternalService"}),
        ("MeshAccessLog", "MeshGateway", {"Mesh"}),
        ("MeshFaultInjection", "MeshGateway", {"Mesh"}),
        ("MeshRateLimit", "MeshGateway", {"Mesh"}),
        ("MeshRateLimit", "MeshHTTPRoute", {"Mesh"}),
        (
            "MeshLoadBalancingStrategy",
            "MeshGateway",
            {"Mesh", "MeshService", "MeshMultiZoneService"},
        ),
        ("MeshHTTPRoute", "MeshGateway", {"Mesh"}),
        ("MeshTCPRoute", "MeshGateway", {"Mesh"}),
    ],
)
def test_the_kinds_below_a_route_or_gateway(
    kind: str, top: str, accepted: set[str], named: str
) -> None:
    item = {"targetRef": target(named), **TARGETS[kind].rest}
    found = set(refused(kind, {"targetRef": target(top), "to": [item]}))
    assert found == (set() if named in accepted else {"spec.to[0].targetRef.kind"})


@pytest.mark.parametrize("kind", ["MeshTrafficPermission", "MeshFaultInjection"])
@pytest.mark.parametrize(
    ("field", "value"),
    [("labels", {"a": "b"}), ("namespace", "n"), ("sectionName", "s")],
)
def test_clients_are_known_by_their_tags_alone(kind: str, field: str, value: object) -> None:
    named = {} if field == "labels" else {"name": "a"}
    item = {"targetRef": {"kind": "MeshService", **named, field: value}, **TARGETS[kind].rest}
    found = verdict(REGISTRY.kind(kind), {"targetRef": SIDECARS, "from": [item]})
    assert found == [
        (
            f"spec.from[0].targetRef.{field}",
            "must not be set in 'from', where clients are known by their tags",
        )
    ]
