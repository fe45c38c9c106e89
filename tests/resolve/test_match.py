"""Which proxies and inbounds a policy selects."""

from collections.abc import Mapping
from typing import Any

import pytest

from kuma.resolve.match import matched_policies
from kuma.resolve.subject import subject_of
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_timeout, a_view, an_http_route
from tests.support.builders import a_dataplane, a_mesh, an_inbound

ZONE = {"kuma.io/origin": "zone", "kuma.io/zone": "east"}
NAMESPACE = {"k8s.kuma.io/namespace": "shop"}


def selected(
    policy: AnyResource, dataplane: AnyResource, *others: AnyResource, shadow: bool = False
) -> tuple[int, ...] | None:
    """The inbounds; None: not selected at all."""
    view = a_view(policy, dataplane, *others)
    subject = subject_of(view, dataplane.name)
    assert subject is not None
    found = matched_policies(view, policy.kind.name, subject, shadow).policies
    return found[0].inbounds if found else None


TWO_INBOUNDS = a_dataplane(
    "dp",
    inbounds=[
        an_inbound("web", 8080, name="main", tags={"version": "v1"}),
        an_inbound("api", 8081, tags={"version": "v2"}),
    ],
    labels={"app": "shop"},
)


@pytest.mark.parametrize(
    ("top", "inbounds"),
    [
        (None, (0, 1)),
        ({"kind": "Mesh"}, (0, 1)),
        ({"kind": "Mesh", "proxyTypes": ["Sidecar"]}, (0, 1)),
        ({"kind": "Mesh", "proxyTypes": ["Gateway"]}, None),
        ({"kind": "MeshSubset"}, (0, 1)),
        ({"kind": "MeshSubset", "tags": {"version": "v2"}}, (1,)),
        ({"kind": "MeshSubset", "tags": {"version": "*"}}, (0, 1)),
        ({"kind": "MeshSubset", "tags": {"team": "*"}}, None),
        ({"kind": "MeshSubset", "tags": {"version": "v2"}, "proxyTypes": ["Gateway"]}, None),
        ({"kind": "MeshService", "name": "web"}, (0,)),
        ({"kind": "MeshService", "name": "db"}, None),
        ({"kind": "MeshServiceSubset", "name": "web", "tags": {"version": "v1"}}, (0,)),
        ({"kind": "MeshServiceSubset", "name": "web", "tags": {"version": "v2"}}, None),
        ({"kind": "Dataplane"}, (0, 1)),
        ({"kind": "Dataplane", "name": "dp"}, (0, 1)),
        ({"kind": "Dataplane", "name": "other"}, None),
        ({"kind": "Dataplane", "labels": {"app": "shop"}}, (0, 1)),
        ({"kind": "Dataplane", "labels": {"app": "bank"}}, None),
        ({"kind": "Dataplane", "sectionName": "main"}, (0,)),
        ({"kind": "Dataplane", "sectionName": "8081"}, (1,)),
        ({"kind": "Dataplane", "sectionName": "8080"}, None),
        ({"kind": "MeshGateway", "name": "edge"}, None),
    ],
)
def test_selects_inbounds(top: Mapping[str, Any] | None, inbounds: tuple[int, ...] | None) -> None:
    assert selected(a_timeout("t", 1, top=top), TWO_INBOUNDS) == inbounds


def test_a_proxy_without_inbounds_is_not_selected_by_mesh() -> None:
    assert selected(a_timeout("t", 1), a_dataplane("dp", inbounds=[])) is None


@pytest.mark.parametrize(
    ("top", "is_selected"),
    [
        (None, True),
        ({"kind": "Mesh", "proxyTypes": ["Gateway"]}, True),
        ({"kind": "Mesh", "proxyTypes": ["Sidecar"]}, False),
        ({"kind": "MeshService", "name": "edge"}, True),
        ({"kind": "MeshService", "name": "web"}, False),
        ({"kind": "Dataplane", "name": "dp"}, True),
    ],
)
def test_a_delegated_gateway_is_selected_without_inbounds(
    top: Mapping[str, Any] | None, is_selected: bool
) -> None:
    found = selected(a_timeout("t", 1, top=top), a_dataplane("dp", gateway="edge"))
    assert found == (() if is_selected else None)


@pytest.mark.parametrize(
    ("policy", "dataplane", "is_selected"),
    [
        (ZONE, ZONE, True),
        (ZONE, {**ZONE, "kuma.io/zone": "west"}, False),
        (ZONE, {"kuma.io/zone": "west"}, True),
        (ZONE, {"kuma.io/zone": "west", "kuma.io/origin": "global"}, True),
        ({**ZONE, "kuma.io/policy-role": "producer"}, {**ZONE, "kuma.io/zone": "west"}, True),
        ({"kuma.io/origin": "zone"}, ZONE, True),
        ({"kuma.io/origin": "global"}, ZONE, True),
        ({"kuma.io/policy-role": "consumer"}, {}, False),
        ({"kuma.io/policy-role": "consumer", **NAMESPACE}, NAMESPACE, True),
        ({"kuma.io/policy-role": "workload-owner", **NAMESPACE}, {}, False),
        ({"kuma.io/policy-role": "system", **NAMESPACE}, {}, True),
    ],
)
def test_zone_and_namespace_limit_a_policy(
    policy: Mapping[str, str], dataplane: Mapping[str, str], is_selected: bool
) -> None:
    found = selected(a_timeout("t", 1, labels=policy), a_dataplane("dp", labels=dataplane))
    assert (found is not None) is is_selected


def test_a_dataplane_is_named_within_its_namespace() -> None:
    policy = a_timeout("t", 1, top={"kind": "Dataplane", "name": "dp"})
    assert selected(policy, a_dataplane("dp", labels=NAMESPACE)) is None
    named = {"kind": "Dataplane", "name": "dp", "namespace": "shop"}
    assert selected(a_timeout("t", 1, top=named), a_dataplane("dp", labels=NAMESPACE)) == (0,)


def test_a_shadow_policy_is_seen_only_by_who_asks() -> None:
    policy = a_timeout("t", 1, labels={"kuma.io/effect": "shadow"})
    assert selected(policy, a_dataplane("dp")) is None
    assert selected(policy, a_dataplane("dp"), shadow=True) == (0,)


def test_a_policy_on_a_route_selects_what_the_route_selects() -> None:
    policy = a_timeout("t", 1, top={"kind": "MeshHTTPRoute", "name": "r"})
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {}}
    assert selected(policy, a_dataplane("dp"), an_http_route("r", "web", rule)) == (0,)
    assert selected(policy, a_dataplane("dp"), an_http_route("other", "web", rule)) is None


def test_a_policy_on_a_route_of_another_zone_selects_nothing() -> None:
    policy = a_timeout("t", 1, top={"kind": "MeshHTTPRoute", "name": "r"})
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {}}
    elsewhere = an_http_route("r", "web", rule, labels={**ZONE, "kuma.io/zone": "west"})
    assert selected(policy, a_dataplane("dp", labels=ZONE), elsewhere) is None


def test_what_no_policy_asks_for_makes_no_difference_between_proxies() -> None:
    view = a_view(
        a_timeout("t", 1, top={"kind": "MeshSubset", "tags": {"version": "v1"}}),
        a_dataplane("one", port=8080, tags={"version": "v1", "team": "a"}, labels={"app": "a"}),
        a_dataplane("two", port=8090, tags={"version": "v1", "team": "b"}, labels={"app": "b"}),
        a_dataplane("three", tags={"version": "v2"}),
    )
    assert subject_of(view, "one") == subject_of(view, "two")
    assert subject_of(view, "one") != subject_of(view, "three")


def test_a_gateway_without_tags_is_in_its_zone() -> None:
    bare = a_dataplane("dp", networking={"gateway": {}, "inbound": []}, labels=ZONE)
    top = {"kind": "MeshSubset", "tags": {"kuma.io/zone": "east"}}
    assert selected(a_timeout("t", 1, top=top), bare) == ()
    other = {"kind": "MeshSubset", "tags": {"kuma.io/zone": "west"}}
    assert selected(a_timeout("t", 1, top=other), bare) is None


def test_an_inbound_without_tags_is_in_its_zone() -> None:
    bare = a_dataplane("dp", inbounds=[{"port": 8080}], labels=ZONE)
    for zone, inbounds in (("east", (0,)), ("west", None)):
        top = {"kind": "MeshSubset", "tags": {"kuma.io/zone": zone}}
        assert selected(a_timeout("t", 1, top=top), bare) == inbounds
    exclusive = a_mesh(spec={"meshServices": {"mode": "Exclusive"}})
    top = {"kind": "MeshSubset", "tags": {"kuma.io/zone": "east"}}
    assert selected(a_timeout("t", 1, top=top), bare, exclusive) is None
