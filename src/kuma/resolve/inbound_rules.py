"""Rules by match: `rules` of policies (and `from`, where a kind reads it so), most specific first.

    entries -> a rule for each match -> for each kind of client, all rules that hold for it

Source: reference 14.7.
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import TypeVar

from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.resolve.merge import merge
from kuma.resolve.placement import InboundRule
from kuma.resources.match import Match, SpiffeIdMatch, SpiffeMatchType
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
    client's; the last one is for everybody else."""
    matches = sorted(_combined({rule.match or _ANYBODY for rule in rules}), key=_rank)
    return tuple(
        RulesForClient(None if match == _ANYBODY else match, _holding(match, rules))
        for match in (*matches, _ANYBODY)
    )


def distinct(
    outcomes: Sequence[tuple[Match | None, Outcome]],
) -> tuple[tuple[Match | None, Outcome], ...]:
    """What remains of the outcomes for each of `rules_by_client`, if those are left out without
    which every client has its outcome as well."""
    matches = [match or _ANYBODY for match, _ in outcomes]
    held = [
        [at for at, wide in enumerate(matches) if _both(wide, match) == match] for match in matches
    ]
    left_out: set[int] = set()
    for candidate in range(len(outcomes) - 1):
        without = {*left_out, candidate}
        if all(
            outcomes[next(at for at in found if at not in without)][1] == outcomes[position][1]
            for position, found in enumerate(held)
            if candidate in found
        ):
            left_out = without
    return tuple(each for position, each in enumerate(outcomes) if position not in left_out)


_ANYBODY = Match()


def _holding(match: Match, rules: Sequence[InboundRule]) -> tuple[InboundRule, ...]:
    held = [rule for rule in rules if _both(rule.match or _ANYBODY, match) == match]
    return tuple(sorted(held, key=lambda rule: _rank(rule.match or _ANYBODY), reverse=True))


def _combined(matches: set[Match]) -> set[Match]:
    """With what holds for a client of whom two of them hold at once. One pass is enough: there are
    two parts, and of each the narrower one stays."""
    both = (_both(one, other) for one, other in product(matches, repeat=2))
    return {match for match in both if match is not None and match != _ANYBODY}


def _both(one: Match, other: Match) -> Match | None:
    """The match that holds if both do; None: they cannot."""
    if one.sni is not None and other.sni is not None and one.sni != other.sni:
        return None
    spiffe = _narrower(one.spiffe_id, other.spiffe_id)
    if spiffe is None and (one.spiffe_id or other.spiffe_id):
        return None
    return Match(spiffe_id=spiffe, sni=one.sni or other.sni)


def _narrower(one: SpiffeIdMatch | None, other: SpiffeIdMatch | None) -> SpiffeIdMatch | None:
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
    for index, entry in enumerate(entries):
        origin = Origin(policy.kind.name, policy.mesh, policy.name, index)
        for match in getattr(entry, "matches", None) or (None,):
            yield InboundRule(match, entry.default, origin)


def _specificity(match: Match | None) -> tuple[int, bool]:
    if match is None or match.spiffe_id is None:
        return 2, match is None or match.sni is None
    return int(match.spiffe_id.type is not SpiffeMatchType.EXACT), match.sni is None
