"""The targets and lists that the policies share: `targetRef`, `to`, `from`, `rules[].matches`.

The messages are Kuma's, the paths those below `spec`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from kuma.policies.constraints import Found
from kuma.resources.match import Match, validate_match
from kuma.resources.target_ref import TargetRef, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at

FROM_GATEWAYS = (
    "must not be defined when the scope includes a Gateway, select only proxyType Sidecar or "
    "select only gateways and use spec.to"
)
"""What is wrong with `from` where the top-level target may select gateways."""

C_co = TypeVar("C_co", covariant=True)


class Item(Protocol[C_co]):
    """An entry of `to` or `from`."""

    @property
    def target_ref(self) -> TargetRef: ...
    @property
    def default(self) -> C_co: ...


def validate_top(ref: TargetRef | None, **rules: Any) -> Found:
    """`rules` are those of `validate_target_ref`."""
    return () if ref is None else at("targetRef", validate_target_ref(ref, **rules))


def validate_items(
    field: str,
    items: Sequence[Item[C_co]] | None,
    kinds: Iterable[TargetRefKind],
    check: Callable[[C_co], Iterable[Violation]],
) -> Found:
    """`check` gives the violations of a conf, with paths below it."""
    allowed = tuple(kinds)
    return tuple(
        violation
        for index, item in enumerate(items or ())
        for violation in (
            *at(f"{field}[{index}].targetRef", validate_target_ref(item.target_ref, kinds=allowed)),
            *at(f"{field}[{index}].default", tuple(check(item.default))),
        )
    )


def validate_matches(matches: Sequence[Match] | None, *, may_be_empty: bool = True) -> Found:
    """Those of one rule; `may_be_empty`: a match may say nothing, and means everybody."""
    return tuple(
        violation
        for index, match in enumerate(matches or ())
        for violation in at(f"matches[{index}]", _of_match(match, may_be_empty=may_be_empty))
    )


def _of_match(match: Match, *, may_be_empty: bool) -> Found:
    if not may_be_empty and match.spiffe_id is None and match.sni is None:
        return (Violation("", "must specify at least one of 'spiffeID' or 'sni'"),)
    return tuple(validate_match(match))


def one_of_lists(fields: Sequence[str], present: Sequence[str]) -> Found:
    """`rules` excludes `to` and `from`, and one of them must be there. `fields` are those that the
    policy has, `present` those that are not empty."""
    if not present:
        *first, last = [f"'{each}'" for each in fields]
        return (Violation("", f"at least one of {', '.join(first)} or {last} has to be defined"),)
    others = [f"'{each}'" for each in reversed(fields) if each != "rules"]
    if "rules" not in present or len(present) == 1:
        return ()
    noun = "fields" if len(others) > 1 else "field"
    text = f"{noun} {' and '.join(others)} must be empty when 'rules' is defined"
    return (Violation("", text),)
