"""Which endpoints a client would rather use."""

from typing import Any

import pytest

from kuma.plan.endpoint import Affinity, Failover, Preference
from kuma.policies.meshloadbalancingstrategy.model import StrategyConf
from kuma.policies.meshloadbalancingstrategy.placement import asked_tags, preference

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


def test_disabled_makes_zones_equal_whatever_else_is_said() -> None:
    local = {"affinityTags": [{"key": "node"}]}

    assert prefers({"disabled": True, "localZone": local}) == Preference(is_by_zone=False)


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
