"""Rules by match: `rules` of policies (and `from`, where a kind reads it so), most specific first.

Source: reference 14.7.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from kuma.plan.origin import Origin
from kuma.resolve.merge import merge
from kuma.resolve.placement import InboundRule
from kuma.resources.match import Match, SpiffeMatchType
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel

C = TypeVar("C", bound=SpecModel)


def build_inbound_rules(policies: Iterable[AnyResource]) -> tuple[InboundRule, ...]:
    """`policies` are in order of rising priority. Equally specific rules keep that order."""
    rules = [rule for policy in policies for rule in _rules_of(policy)]
    return tuple(sorted(rules, key=lambda rule: _specificity(rule.match)))


def merge_unconditional(rules: Sequence[InboundRule], model: type[C]) -> C | None:
    """What holds for every connection; None: no rule does."""
    confs = [rule.conf for rule in rules if rule.match is None and isinstance(rule.conf, model)]
    return merge(confs) if confs else None


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
