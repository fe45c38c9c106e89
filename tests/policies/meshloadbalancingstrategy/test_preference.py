"""Which endpoints a client would rather use."""

from typing import Any

import pytest

from kuma.plan.endpoint import Affinity, Failover, Preference
from kuma.policies.meshloadbalancingstrategy import KIND
from kuma.policies.meshloadbalancingstrategy.model import StrategyConf
from kuma.policies.meshloadbalancingstrategy.placement import asked_tags, preference
from tests.resolve.world import MESH_TARGET, PLACEMENTS, PlainMeshView, a_policy, resolve_proxy
from tests.support.builders import a_dataplane, a_mesh

CLIENT = (("node", "n1"), ("rack", "r1"))


def prefers(locality: dict[str, Any] | None, zone: str = "east") -> Preference:
    conf = StrategyConf.model_validate({"localityAwareness": locality})
    return preference(conf, CLIENT, zone)


def failovers(*rules: dict[str, Any], zone: str = "east") -> tuple[Failover, ...]:
    found = prefers({"crossZone": {"failover": rules}}, zone).failovers
    assert found is not None
    return found


def test_the_own_zone_comes_first_where_nothing_else_is_said() -> None:
    assert prefers(None) == prefers({}) == Preference()


def test_disabled_makes_zones_equal_where_nothing_else_is_said() -> None:
    assert prefers({"disabled": True}) == Preference(is_by_zone=False)
    for more in ({"localZone": {"affinityTags": [{"key": "node"}]}}, {"crossZone": {}}):
        assert prefers({"disabled": True, **more}) == prefers(more)


def test_each_tag_weighs_nine_times_what_follows() -> None:
    tags = [{"key": key} for key in ("node", "missing", "rack")]

    assert prefers({"localZone": {"affinityTags": tags}}).affinities == (
        Affinity("node", "n1", 900),
        Affinity("rack", "r1", 9),
    )


def test_written_weights_count() -> None:
    tags = [{"key": "node", "weight": 3}, {"key": "rack", "weight": 2}]

    assert [each.weight for each in prefers({"localZone": {"affinityTags": tags}}).affinities] == [
        3,
        2,
    ]


def test_weights_of_very_many_tags_fit() -> None:
    tags = [{"key": "node"}, *({"key": f"tag-{n}"} for n in range(30))]
    (first,) = prefers({"localZone": {"affinityTags": tags}}).affinities

    assert first.weight < 2**32


def test_a_rule_for_other_clients_keeps_its_place() -> None:
    rules = (
        {"from": {"zones": ["west"]}, "to": {"type": "Any"}},
        {"to": {"type": "Only", "zones": ["b", "a"]}},
        {"from": {"zones": ["east"]}, "to": {"type": "AnyExcept", "zones": ["c"]}},
    )

    assert failovers(*rules) == (
        Failover(2, ("a", "b")),
        Failover(3, ("c",), is_inverted=True),
    )


@pytest.mark.parametrize(
    ("to", "zones", "admitted"),
    [
        ({"type": "Any"}, ["a", "b"], ["a", "b"]),
        ({"type": "None"}, ["a", "b"], []),
        ({"type": "Only", "zones": ["a"]}, ["a", "b"], ["a"]),
        ({"type": "AnyExcept", "zones": ["a"]}, ["a", "b"], ["b"]),
    ],
)
def test_zones_that_are_admitted(to: dict[str, Any], zones: list[str], admitted: list[str]) -> None:
    (rule,) = failovers({"to": to})

    assert [zone for zone in zones if rule.admits(zone)] == admitted


@pytest.mark.parametrize(
    ("percentage", "factor"), [(None, 200), (50, 200), (70, 143), ("12.5", 800), (100, 100)]
)
def test_below_the_threshold_others_take_over(percentage: int | str | None, factor: int) -> None:
    threshold = {} if percentage is None else {"failoverThreshold": {"percentage": percentage}}

    assert prefers({"crossZone": threshold}).overprovisioning == factor


def test_tags_are_asked_for_by_name() -> None:
    local = {"affinityTags": [{"key": "node"}, {"key": "rack"}]}
    conf = StrategyConf.model_validate({"localityAwareness": {"localZone": local}})

    assert asked_tags(conf) == ("node", "rack")
    assert asked_tags(StrategyConf()) == ()


def destinations(*tags: dict[str, str], affinity: str = "") -> list[object]:
    """Those of one client for each set of tags, under a policy with this affinity."""
    locality = {"localityAwareness": {"localZone": {"affinityTags": [{"key": affinity}]}}}
    spec = {"to": [{"targetRef": MESH_TARGET, "default": locality}]}
    clients = [
        a_dataplane(f"web-{n}", service="web", tags=found, outbounds={9001: "api"})
        for n, found in enumerate(tags)
    ]
    policies = [a_policy(KIND.name, "near", spec)] if affinity else []
    resources = [a_mesh(), a_dataplane("api-1", service="api"), *clients, *policies]
    view = PlainMeshView(resources, placements=PLACEMENTS)
    return [resolve_proxy(view, each.name).destinations for each in clients]


def test_clients_with_the_same_tag_share_their_destinations() -> None:
    one, same, other = destinations(
        {"node": "n1", "other": "a"}, {"node": "n1", "other": "b"}, {"node": "n2"}, affinity="node"
    )

    assert one == same != other


def test_without_a_policy_tags_of_clients_make_no_difference() -> None:
    one, other = destinations({"node": "n1"}, {"node": "n2"})

    assert one == other
