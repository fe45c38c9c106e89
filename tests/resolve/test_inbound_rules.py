"""What holds for a client is every rule that holds for it, however rules overlap."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.plan.origin import Origin
from kuma.policies.meshtimeout.model import TimeoutConf
from kuma.resolve.inbound_rules import distinct, rules_by_client
from kuma.resolve.placement import InboundRule
from kuma.resources.match import Match, SniMatch, SniMatchType, SpiffeIdMatch, SpiffeMatchType

IDS = ("spiffe://a", "spiffe://a/b", "spiffe://a/b/c", "spiffe://d", "spiffe://d/e")
NAMES = ("one.example", "two.example")
_SPIFFE = st.builds(
    SpiffeIdMatch, type=st.sampled_from(SpiffeMatchType), value=st.sampled_from(IDS)
)
_SNI = st.builds(SniMatch, type=st.just(SniMatchType.EXACT), value=st.sampled_from(NAMES))
_MATCHES = st.lists(
    st.none() | st.builds(Match, spiffe_id=st.none() | _SPIFFE, sni=st.none() | _SNI), max_size=5
)


def holds(match: Match | None, identity: str, name: str) -> bool:
    if match is None:
        return True
    if match.sni is not None and match.sni.value != name:
        return False
    if match.spiffe_id is None:
        return True
    if match.spiffe_id.type is SpiffeMatchType.PREFIX:
        return identity.startswith(match.spiffe_id.value)
    return identity == match.spiffe_id.value


@given(_MATCHES, st.sampled_from(IDS), st.sampled_from(("", *NAMES)))
def test_a_client_has_every_rule_that_holds_for_it(
    matches: list[Match | None], identity: str, name: str
) -> None:
    rules = [
        InboundRule(match, TimeoutConf(), Origin("MeshTimeout", "default", f"{index}"))
        for index, match in enumerate(matches)
    ]
    clients = rules_by_client(rules)
    found = next(each for each in clients if holds(each.match, identity, name))

    assert set(found.rules) == {rule for rule in rules if holds(rule.match, identity, name)}


@given(_MATCHES)
def test_what_is_less_specific_is_weaker_and_order_stays_among_equals(
    matches: list[Match | None],
) -> None:
    rules = [
        InboundRule(match, TimeoutConf(), Origin("MeshTimeout", "default", f"{index}"))
        for index, match in enumerate(matches)
    ]
    for each in rules_by_client(rules):
        for position, rule in enumerate(each.rules):
            for weaker in each.rules[:position]:
                if weaker.match == rule.match:
                    assert rules.index(weaker) < rules.index(rule)
                assert not (is_part(rule.match, weaker.match) and weaker.match != rule.match)


def is_part(wide: Match | None, narrow: Match | None) -> bool:
    """Whether every client of `narrow` is one of `wide`, as far as the samples tell."""
    identities = ("spiffe://z", *IDS, *(f"{each}/x" for each in IDS))
    everybody = [(identity, name) for identity in identities for name in ("", *NAMES)]
    inside = [client for client in everybody if holds(narrow, *client)]
    return len(inside) < sum(holds(wide, *client) for client in everybody) and all(
        holds(wide, *client) for client in inside
    )


@given(
    st.lists(st.tuples(_MATCHES.map(tuple), st.integers(0, 1)), max_size=4),
    st.sampled_from(IDS),
    st.sampled_from(("", *NAMES)),
)
def test_leaving_out_what_makes_no_difference_makes_none(
    policies: list[tuple[tuple[Match | None, ...], int]], identity: str, name: str
) -> None:
    rules = [
        InboundRule(match, TimeoutConf(), Origin("MeshTimeout", "default", f"{number}"))
        for matches, number in policies
        for match in matches
    ]
    outcomes = [
        (each.match, {rule.origin.name for rule in each.rules}) for each in rules_by_client(rules)
    ]

    def found(cases: Sequence[tuple[Match | None, set[str]]]) -> set[str]:
        return next(names for match, names in cases if holds(match, identity, name))

    assert found(distinct(outcomes)) == found(outcomes)


def test_a_case_with_the_outcome_of_the_next_one_is_left_out() -> None:
    prefix = SpiffeIdMatch(type=SpiffeMatchType.PREFIX, value="spiffe://a")
    name = SniMatch(type=SniMatchType.EXACT, value=NAMES[0])
    one, other = Match(spiffe_id=prefix), Match(sni=name)
    both = Match(spiffe_id=prefix, sni=name)

    assert distinct([(both, "x"), (one, "x"), (other, "x"), (None, "y")]) == (
        (one, "x"),
        (other, "x"),
        (None, "y"),
    )
    assert distinct([(both, "z"), (one, "x"), (None, "x")]) == ((both, "z"), (None, "x"))


def test_longer_prefixes_come_first_and_bring_the_rules_of_shorter_ones() -> None:
    prefixes = [
        "spiffe://a/b",
        "spiffe://a/b/c/d",
        "spiffe://a",
        "spiffe://a/b/c/d/e",
        "spiffe://a/b/c",
    ]
    rules = [
        InboundRule(
            Match(spiffe_id=SpiffeIdMatch(type=SpiffeMatchType.PREFIX, value=prefix)),
            TimeoutConf(),
            Origin("MeshTimeout", "default", prefix),
        )
        for prefix in prefixes
    ]
    clients = [[rule.origin.name for rule in each.rules] for each in rules_by_client(rules)]
    chain = sorted(prefixes)

    assert clients == [chain[:length] for length in range(len(chain), -1, -1)]


@pytest.mark.parametrize("kind", SpiffeMatchType)
def test_what_holds_at_once_is_a_case_of_its_own_if_it_can(kind: SpiffeMatchType) -> None:
    name = SniMatch(type=SniMatchType.EXACT, value=NAMES[0])
    wide = Match(spiffe_id=SpiffeIdMatch(type=kind, value="spiffe://a"), sni=name)
    narrow = SpiffeIdMatch(type=SpiffeMatchType.EXACT, value="spiffe://a/b")
    rules = [
        InboundRule(match, TimeoutConf(), Origin("MeshTimeout", "default", "t"))
        for match in (wide, Match(spiffe_id=narrow))
    ]
    both = {Match(spiffe_id=narrow, sni=name)} if kind is SpiffeMatchType.PREFIX else set()
    assert {each.match for each in rules_by_client(rules)} == {
        wide,
        Match(spiffe_id=narrow),
        None,
        *both,
    }


def test_everybody_else_comes_last() -> None:
    exact = SpiffeIdMatch(type=SpiffeMatchType.EXACT, value="spiffe://a")
    rule = InboundRule(Match(spiffe_id=exact), TimeoutConf(), Origin("MeshTimeout", "default", "t"))

    assert [each.match for each in rules_by_client([rule])] == [rule.match, None]
    assert [each.match for each in rules_by_client([])] == [None]
