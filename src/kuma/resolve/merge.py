"""Several confs into one: a JSON merge patch (RFC 7396) in order of rising priority.

Whole values replace each other, objects merge, lists replace; but for fields marked otherwise:

    append_...                                   lists whose name says so are concatenated
    rules: Annotated[..., MergeByKey("matches")] entries with an equal key become one entry
    hostnames: Annotated[..., SplitBy()]         one merged conf for each value

Source: https://www.rfc-editor.org/rfc/rfc7396 and reference 14.8.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, TypeVar

from kuma.kit.value import value
from kuma.resources.spec import SpecModel

C = TypeVar("C", bound=SpecModel)

Merge = Callable[[Sequence[SpecModel]], tuple[SpecModel, ...]]
"""What `merge_groups` does. Empty: they could not be merged."""

_APPENDED = "append"


@value
class MergeByKey:
    """Entries have a field `key` and a `default`. The defaults of equal keys are merged. Within a
    conf the first entry is the strongest, and so it stays; stronger confs come first."""

    key: str


@value
class SplitBy:
    """Confs that share a value are merged with each other only; no value is a group as well."""


def merge(confs: Sequence[C]) -> C:
    """One conf; `confs` are in order of rising priority and not empty. Ignores SplitBy."""
    if len(confs) == 1 and not _has_marked(type(confs[0])):
        return confs[0]
    model = type(confs[0])
    raw = reduce(merge_patch, (conf.to_json() for conf in confs))
    merged = model.model_validate(raw)
    return _with_lists(merged, confs)


def merge_groups(confs: Sequence[C]) -> tuple[C, ...]:
    """One merged conf for each value of the SplitBy field, in order of appearance."""
    field = _split_field(type(confs[0]))
    if field is None:
        return (merge(confs),)
    groups: dict[str, list[C]] = {}
    for conf in confs:
        for each in getattr(conf, field) or ("",):
            single = (each,) if each else None
            groups.setdefault(each, []).append(conf.model_copy(update={field: single}))
    return tuple(merge(group) for group in groups.values())


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396 on JSON values; the arguments are left alone."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def _with_lists(merged: C, confs: Sequence[C]) -> C:
    """`merged` with its concatenated lists put right, at any depth outside of lists."""
    update: dict[str, Any] = {}
    for name, field in type(merged).model_fields.items():
        values = [found for conf in confs if (found := getattr(conf, name)) is not None]
        if not values:
            continue
        by_key = next((mark for mark in field.metadata if isinstance(mark, MergeByKey)), None)
        if by_key is not None:
            update[name] = _merge_by_key(values, by_key.key)
        elif name.startswith(_APPENDED):
            update[name] = tuple(item for found in values for item in found)
        elif isinstance(values[-1], SpecModel):
            update[name] = _with_lists(getattr(merged, name), values)
    return merged.model_copy(update=update) if update else merged


def _merge_by_key(lists: Iterable[Sequence[Any]], key: str) -> tuple[Any, ...]:
    groups: dict[Any, list[Any]] = {}
    for entry in (entry for entries in lists for entry in reversed(entries)):
        wanted = getattr(entry, key)
        groups[wanted] = [*groups.pop(wanted, ()), entry.default]
        template = type(entry)
    return tuple(
        template.model_validate({key: known, "default": merge(groups[known])})
        for known in reversed(groups)
    )


def _has_marked(model: type[SpecModel]) -> bool:
    return any(
        isinstance(mark, MergeByKey)
        for field in model.model_fields.values()
        for mark in field.metadata
    )


def _split_field(model: type[SpecModel]) -> str | None:
    for name, field in model.model_fields.items():
        if any(isinstance(mark, SplitBy) for mark in field.metadata):
            return name
    return None
