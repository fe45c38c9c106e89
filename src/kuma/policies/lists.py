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
    if ref is None:
        return ()
    return at("targetRef", validate_target_ref(ref, selects_proxies=True, **rules))


def validate_client(ref: TargetRef, kinds: Iterable[TargetRefKind]) -> Found:
    """The violations of a target in `from`, with paths below it. Clients are known by their tags.

    # Differs from Kuma, which takes what else a MeshService may have, and ignores it.
    """
    found = validate_target_ref(ref, kinds=kinds)
    if found or ref.kind is not TargetRefKind.MESH_SERVICE:
        return found
    fields = {"labels": ref.labels, "namespace": ref.namespace, "sectionName": ref.section_name}
    text = "must not be set in 'from', where clients are known by their tags"
    return tuple(Violation(name, text) for name, written in fields.items() if written)


def validate_items(
    field: str,
    items: Sequence[Item[C_co]] | None,
    kinds: Iterable[TargetRefKind],
    check: Callable[[C_co], Iterable[Violation]],
) -> Found:
    """`check` gives the violations of a conf, with paths below it."""
    allowed = tuple(kinds)
    validate = validate_client if field == "from" else _validate_destination
    return tuple(
        violation
        for index, item in enumerate(items or ())
        for violation in (
            *at(f"{field}[{index}].targetRef", validate(item.target_ref, allowed)),
            *at(f"{field}[{index}].default", tuple(check(item.default))),
        )
    )


def _validate_destination(ref: TargetRef, kinds: Iterable[TargetRefKind]) -> Found:
    return validate_target_ref(ref, kinds=kinds)


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
