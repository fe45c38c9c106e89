"""Fields whose part does not exist yet: known to the models, refused by validation.

A field that is accepted is honoured; so each kind has one table of the fields that this version
cannot honour, with the part that they wait for. Making a part work removes its rows.
"""

from collections.abc import Iterable, Iterator, Sequence

from kuma.kit.value import value
from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation, join_path


@value
class Unsupported:
    """`path` has `[]` where any element of a list is meant: `networking.inbound[].serviceProbe`."""

    path: str
    part: str


def find_unsupported(spec: SpecModel, table: Sequence[Unsupported]) -> tuple[Violation, ...]:
    """A field at its default counts as left out."""
    return tuple(
        Violation(path, f"is not supported by this version ({row.part})")
        for row in table
        for path in _set_paths(spec, row.path.split("."), "")
    )


def _set_paths(spec: SpecModel, names: Sequence[str], root: str) -> Iterator[str]:
    name, is_list = names[0].removesuffix("[]"), names[0].endswith("[]")
    field, default, here = _field(spec, name)
    path = join_path(root, name)
    if len(names) == 1:
        if field != default:
            yield path
        return
    parts: Iterable[tuple[str, object]] = (
        ((f"{path}[{at}]", each) for at, each in enumerate(field))
        if is_list and isinstance(field, tuple)
        else ((path, here),)
    )
    for at, part in parts:
        if isinstance(part, SpecModel):
            yield from _set_paths(part, names[1:], at)


def _field(spec: SpecModel, alias: str) -> tuple[object, object, object]:
    for name, info in type(spec).model_fields.items():
        if (info.alias or name) == alias:
            held = getattr(spec, name)
            return held, info.get_default(call_default_factory=True), held
    msg = f"{type(spec).__name__} has no field {alias}"
    raise LookupError(msg)
