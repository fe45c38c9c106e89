"""What holds for a destination or a client is what every policy together says of it."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.kit.slots import Slots
from kuma.plan.origin import Origin
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.policies.meshtrafficpermission.model import Action, PermissionConf
from kuma.resolve.merge import merge, merge_groups
from kuma.resolve.placement import Source, TagPredicate
from kuma.resolve.rules import rule_for
from kuma.resolve.subsets import Entry, build_rules, contains
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_permission, a_policy, a_timeout, a_view, plan_of
from tests.support.builders import a_dataplane

_SERVICES = ("web", "api", "db")
_TAGS = st.dictionaries(st.sampled_from(("team", "zone")), st.sampled_from("ab"), max_size=2)
_CLIENTS = st.one_of(
    st.just({"kind": "Mesh"}),
    _TAGS.map(lambda tags: {"kind": "MeshSubset", "tags": tags}),
    st.sampled_from(_SERVICES).map(lambda name: {"kind": "MeshService", "name": name}),
    st.tuples(st.sampled_from(_SERVICES), _TAGS).map(
        lambda both: {"kind": "MeshServiceSubset", "name": both[0], "tags": both[1]}
    ),
)
_ENTRIES = st.lists(st.tuples(_CLIENTS, st.sampled_from([*Action])), min_size=1, max_size=3)
_WHO = st.tuples(st.sampled_from(_SERVICES), _TAGS).map(
    lambda both: {"kuma.io/service": both[0], **both[1]}
)
_DESTINATIONS = st.sampled_from(
    [{"kind": "Mesh"}, *({"kind": "MeshService", "name": name} for name in _SERVICES)]
)
_CONFS = st.fixed_dictionaries(
    {},
    optional={
        name: st.integers(1, 9).map(lambda n: f"{n}s")
        for name in ("idleTimeout", "connectionTimeout")
    },
)
_TO = st.lists(st.tuples(_DESTINATIONS, _CONFS), min_size=1, max_size=3)


def holds(target: dict[str, Any], tags: dict[str, str]) -> bool:
    wanted = dict(target.get("tags", {}))
    if "name" in target:
        wanted["kuma.io/service"] = target["name"]
    return all(tags.get(key) == text for key, text in wanted.items())


def decide(conf: Slots, client: dict[str, str]) -> Action | None:
    """As Envoy does: the first rule that holds."""
    permissions = conf.get(PermissionConf)
    for rule in permissions.tag_rules if permissions else ():
        if all((client.get(tag.key) == tag.value) is not tag.negated for tag in rule.subset):
            return rule.action
    return None


@given(st.lists(_ENTRIES, min_size=1, max_size=4), _WHO)
def test_a_client_is_treated_as_the_strongest_entry_that_holds_says(
    policies: list[list[tuple[dict[str, Any], Action]]], client: dict[str, str]
) -> None:
    resources = [a_permission(f"p{i}", *entries) for i, entries in enumerate(policies)]
    plan = plan_of("dp", a_dataplane("dp"), *resources, mtls=True)
    weakest_first = [entry for entries in reversed(policies) for entry in entries]
    naive = [action for target, action in weakest_first if holds(target, client)]
    assert decide(plan.inbounds[0].conf, client) == (naive[-1] if naive else None)


def test_a_client_that_is_denied_is_not_let_in_by_entries_about_others() -> None:
    """Kuma 2.14.3 lets it in: its rule for "not team b, zone east" comes first."""
    policy = a_permission(
        "p",
        ({"kind": "Mesh"}, "Allow"),
        ({"kind": "MeshSubset", "tags": {"team": "a"}}, "Deny"),
        ({"kind": "MeshSubset", "tags": {"team": "b", "zone": "east"}}, "Deny"),
    )
    plan = plan_of("dp", a_dataplane("dp"), policy, mtls=True)
    client = {"kuma.io/service": "web", "team": "a", "zone": "east"}
    assert decide(plan.inbounds[0].conf, client) is Action.DENY


@given(st.lists(_TO, min_size=1, max_size=4), st.sampled_from(_SERVICES))
def test_a_destination_is_treated_as_all_entries_that_hold_say_merged(
    policies: list[list[tuple[dict[str, Any], dict[str, str]]]], service: str
) -> None:
    resources = [
        a_policy("MeshTimeout", f"t{i}", {"to": [{"targetRef": t, "default": c} for t, c in to]})
        for i, to in enumerate(policies)
    ]
    view = a_view(*resources)
    found = rule_for(view, "MeshTimeout", tuple(each.name for each in resources), service)
    weakest_first = [entry for to in reversed(policies) for entry in to]
    confs = [
        TimeoutConf.model_validate(conf)
        for target, conf in weakest_first
        if holds(target, {"kuma.io/service": service})
    ]
    assert (found.conf if found else None) == (merge(confs) if confs else None)


_SUBSETS = st.dictionaries(st.sampled_from("xyz"), st.sampled_from("12"), max_size=3)


def entries_of(subsets: Sequence[dict[str, str]]) -> list[Entry]:
    return [
        Entry(
            tuple(TagPredicate(key, text) for key, text in sorted(subset.items())),
            Source(Origin("MeshTimeout", "default", "t", index), TimeoutConf()),
        )
        for index, subset in enumerate(subsets)
    ]


@given(st.lists(_SUBSETS, max_size=5), _SUBSETS.filter(bool))
def test_combined_rules_hold_for_whoever_an_entry_holds_for(
    subsets: list[dict[str, str]], element: dict[str, str]
) -> None:
    entries = entries_of(subsets)
    rules = build_rules(entries, merge_groups, with_negations=True)
    naive = any(contains(entry.subset, element) for entry in entries)
    assert any(contains(rule.subset, element) for rule in rules) is naive


@given(
    st.lists(_SUBSETS.map(lambda tags: dict.fromkeys(tags, "1")), max_size=5), _SUBSETS.filter(bool)
)
def test_combined_rules_are_exact_where_all_entries_overlap(
    subsets: list[dict[str, str]], element: dict[str, str]
) -> None:
    entries = entries_of(subsets)
    rules = build_rules(entries, merge_groups, with_negations=True)
    first = next((rule for rule in rules if contains(rule.subset, element)), None)
    naive = tuple(entry.source for entry in entries if contains(entry.subset, element))
    assert (first.sources if first else ()) == naive


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        (
            [{}, {"x": "1", "y": "1"}, {"x": "2"}],
            ["x1 y1", "x2", "!x1 y1", "x1 !y1", "!x2", "!x1 !y1"],
        ),
        ([{"x": "1"}, {"y": "2"}], ["x1 y2", "!x1 y2", "x1 !y2"]),
        (
            [{"x": "1"}, {"x": "2"}, {"y": "1"}],
            ["x2 y1", "x1 y1", "!x2 y1", "x2 !y1", "!x1 y1", "x1 !y1"],
        ),
    ],
)
def test_combinations_come_in_the_order_of_kuma(
    subsets: list[dict[str, str]], expected: list[str]
) -> None:
    rules = build_rules(entries_of(subsets), merge_groups, with_negations=True)
    shown = [
        " ".join(f"{'!' if tag.negated else ''}{tag.key}{tag.value}" for tag in rule.subset)
        for rule in rules
    ]
    assert shown == expected


def resources_in_order() -> list[AnyResource]:
    return [
        a_timeout("a", 1),
        a_timeout("b", 2, top={"kind": "MeshSubset", "tags": {"version": "v1"}}),
        a_permission(
            "p", ({"kind": "Mesh"}, "Allow"), ({"kind": "MeshService", "name": "web"}, "Deny")
        ),
        a_dataplane("web-1", service="web", outbounds={9001: "api"}, tags={"version": "v1"}),
        a_dataplane("api-1", service="api", port=8090),
        a_dataplane("api-2", service="api", port=8091),
    ]


@given(st.permutations(resources_in_order()))
def test_the_order_of_resources_does_not_matter(resources: list[AnyResource]) -> None:
    expected = plan_of("web-1", *resources_in_order(), mtls=True)
    assert plan_of("web-1", *resources, mtls=True) == expected
