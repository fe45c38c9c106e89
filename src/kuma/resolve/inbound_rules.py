"""Rules by match: `rules` of policies (and `from`, where a kind reads it so), most specific first.

    entries -> a rule for each match -> for each kind of client, all rules that hold for it

Source: reference 14.7.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product
from typing import TypeVar

from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resolve.merge import merge
from kuma.resolve.placement import InboundRule
from kuma.resolve.subsets import MAX_COMBINATIONS, TooManyCombinations
from kuma.resources.kri import kri_of
from kuma.resources.match import Match, SniMatch, SpiffeIdMatch, SpiffeMatchType
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel

C = TypeVar("C", bound=SpecModel)
Outcome = TypeVar("Outcome")


def build_inbound_rules(policies: Iterable[AnyResource]) -> tuple[InboundRule, ...]:
    """`policies` are in order of rising priority. Equally specific rules keep that order."""
    rules = [rule for policy in policies for rule in _rules_of(policy)]
    return tuple(sorted(rules, key=lambda rule: _specificity(rule.match)))


def merge_unconditional(rules: Sequence[InboundRule], model: type[C]) -> C | None:
    """What holds for every connection; None: no rule does."""
    return merge_rules([rule for rule in rules if rule.match is None], model)


def merge_rules(rules: Sequence[InboundRule], model: type[C]) -> C | None:
    """What rules say together that all hold, in order of rising priority; None: there is none."""
    confs = [rule.conf for rule in rules if isinstance(rule.conf, model)]
    return merge(confs) if confs else None


@value
class RulesForClient:
    """`rules` are in order of rising priority: what is less specific is weaker, and of equally
    specific ones the weaker policy. `match` None: every client that no other match holds for."""

    match: Match | None
    rules: tuple[InboundRule, ...]


def rules_by_client(rules: Sequence[InboundRule]) -> tuple[RulesForClient, ...]:
    """For each kind of client all rules that hold for it. The first whose match holds is the
    client's; the last one is for everybody else. Raises TooManyCombinations."""
    known = [rule.match or _ANYBODY for rule in rules]
    matches = sorted(_combined(set(known)), key=_rank)
    wider, budget, made = _Wider(known), MAX_COMBINATIONS, list[RulesForClient]()
    for match in (*matches, _ANYBODY):
        held = [rules[position] for position in wider.than(match)]
        budget -= len(held)
        if budget < 0:
            raise TooManyCombinations("rules that hold together for some client")
        held.sort(key=lambda rule: _rank(rule.match or _ANYBODY), reverse=True)
        made.append(RulesForClient(None if match == _ANYBODY else match, tuple(held)))
    return tuple(made)


def distinct(
    outcomes: Sequence[tuple[Match | None, Outcome]],
) -> tuple[tuple[Match | None, Outcome], ...]:
    """What remains of the outcomes for each of `rules_by_client`, if those are left out without
    which every client has its outcome as well."""
    matches = [match or _ANYBODY for match, _ in outcomes]
    wider = _Wider(matches)
    held = [wider.than(match) for match in matches]
    within: dict[int, list[int]] = {}
    for position, found in enumerate(held):
        for each in found:
            within.setdefault(each, []).append(position)
    left_out: set[int] = set()
    for candidate in range(len(outcomes) - 1):
        left_out.add(candidate)
        if any(
            outcomes[next(at for at in held[position] if at not in left_out)][1]
            != outcomes[position][1]
            for position in within[candidate]
        ):
            left_out.remove(candidate)
    return tuple(each for position, each in enumerate(outcomes) if position not in left_out)


_ANYBODY = Match()


class _Wider:
    """Finds among many matches, without a look at each, those that hold wherever another one does."""

    def __init__(self, matches: Sequence[Match]) -> None:
        self._positions: dict[tuple[SpiffeIdMatch | None, SniMatch | None], list[int]] = {}
        lengths: set[int] = set()
        for position, match in enumerate(matches):
            self._positions.setdefault((match.spiffe_id, match.sni), []).append(position)
            if match.spiffe_id is not None and match.spiffe_id.type is SpiffeMatchType.PREFIX:
                lengths.add(len(match.spiffe_id.value))
        self._lengths = sorted(lengths)

    def than(self, match: Match) -> list[int]:
        """Their positions, sorted."""
        ids = dict.fromkeys((None, match.spiffe_id, *self._prefixes(match.spiffe_id)))
        snis = dict.fromkeys((None, match.sni))
        places = (self._positions.get(place, ()) for place in product(ids, snis))
        return sorted(chain.from_iterable(places))

    def _prefixes(self, spiffe: SpiffeIdMatch | None) -> Iterator[SpiffeIdMatch]:
        text = "" if spiffe is None else spiffe.value
        for length in () if spiffe is None else self._lengths:
            if length <= len(text):
                yield SpiffeIdMatch(type=SpiffeMatchType.PREFIX, value=text[:length])


def _combined(matches: set[Match]) -> set[Match]:
    """With what holds for a client of whom two of them hold at once. One pass is enough: there are
    two parts, and of each the narrower one stays; something new has one part of each."""
    known = matches - {_ANYBODY}
    with_sni = [match for match in known if match.sni is not None]
    without = [match for match in known if match.sni is None]
    if len(with_sni) * len(without) > MAX_COMBINATIONS:
        raise TooManyCombinations("pairs of a rule with and a rule without a server name")
    both = (_both(one, other) for one, other in product(with_sni, without))
    return known | {match for match in both if match is not None}


def _both(with_sni: Match, other: Match) -> Match | None:
    """The match that holds if both do; None: they cannot."""
    spiffe = _narrower(with_sni.spiffe_id, other.spiffe_id)
    return None if spiffe is None else Match(spiffe_id=spiffe, sni=with_sni.sni)


def _narrower(one: SpiffeIdMatch | None, other: SpiffeIdMatch | None) -> SpiffeIdMatch | None:
    """None: nobody has both, or none is given."""
    if one is None or other is None or one == other:
        return one or other
    for wide, narrow in ((one, other), (other, one)):
        if wide.type is SpiffeMatchType.PREFIX and narrow.value.startswith(wide.value):
            return narrow
    return None


def _rank(match: Match) -> tuple[int, int, bool]:
    """Lower is more specific; whatever is part of a match is less specific than it."""
    kind, has_no_sni = _specificity(match)
    length = len(match.spiffe_id.value) if match.spiffe_id is not None else 0
    return kind, -length, has_no_sni


def _rules_of(policy: AnyResource) -> Iterable[InboundRule]:
    traits = policy.kind.policy
    entries = getattr(policy.spec, "rules", None) or ()
    if not entries and traits is not None and traits.from_as_rules:
        entries = getattr(policy.spec, "from_", None) or ()
    kri = str(kri_of(policy) or "")
    for index, entry in enumerate(entries):
        origin = Origin(policy.kind.name, policy.mesh, policy.name, index)
        for match in getattr(entry, "matches", None) or (None,):
            yield InboundRule(match, entry.default, origin, kri)


def _specificity(match: Match | None) -> tuple[int, bool]:
    if match is None or match.spiffe_id is None:
        return 2, match is None or match.sni is None
    return int(match.spiffe_id.type is not SpiffeMatchType.EXACT), match.sni is None
