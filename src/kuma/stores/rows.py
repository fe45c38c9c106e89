"""The stored form of a resource: a row of text and numbers, the same in every database.

Times are microseconds since 1970 in UTC, so that a time read is the very time written. A row that
this version cannot read (its kind was removed, its spec was written by a newer version) is left out
with a log line: it costs itself, not the start of the control plane.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import structlog
from pydantic import ValidationError

from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.registry import Registry, UnknownKind
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import SpecModel
from kuma.stores.transaction import Held, Owned

log = structlog.get_logger(__name__)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Row(NamedTuple):
    """The order is that of the columns."""

    kind: str
    mesh: str
    name: str
    version: int
    created: int
    modified: int
    labels: str
    spec: str
    status: str | None
    owner_kind: str | None
    owner_mesh: str | None
    owner_name: str | None

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.kind, self.mesh, self.name)


COLUMNS = Row._fields


def row_of(entry: Owned) -> Row:
    resource, owner = entry
    meta = resource.meta
    return Row(
        *resource.key,
        meta.version,
        to_micros(meta.creation_time),
        to_micros(meta.modification_time),
        json.dumps(dict(meta.labels), ensure_ascii=False, separators=(",", ":")),
        _dump(resource.spec),
        None if resource.status is None else _dump(resource.status),
        *(owner or (None, None, None)),
    )


def held_in(row: Sequence[Any]) -> Held:
    """From the columns version, created, owner_kind, owner_mesh, owner_name."""
    version, created, *owner = row
    return Held(version, to_time(created), None if owner[0] is None else ResourceKey(*owner))


def read_row(row: Row, registry: Registry) -> AnyResource | None:
    try:
        return _read(row, registry)
    except (UnknownKind, ValidationError) as error:
        log.warning(
            "a stored resource is unreadable and left out", key=str(row.key), error=str(error)
        )
        return None


def read_rows(rows: Iterable[Row], registry: Registry) -> list[AnyResource]:
    return [resource for row in rows if (resource := read_row(row, registry)) is not None]


def to_micros(time: datetime) -> int:
    return (time - _EPOCH) // _MICROSECOND


def to_time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _read(row: Row, registry: Registry) -> AnyResource:
    kind = registry.kind(row.kind)
    status = None
    if row.status is not None and kind.status is not None:
        status = kind.status.model_validate_json(row.status)
    meta = ResourceMeta(
        mesh=row.mesh,
        name=row.name,
        version=row.version,
        creation_time=to_time(row.created),
        modification_time=to_time(row.modified),
        labels=cast("dict[str, str]", json.loads(row.labels)),
    )
    return Resource(kind, meta, kind.spec.model_validate_json(row.spec), status)


def _dump(model: SpecModel) -> str:
    return model.model_dump_json(by_alias=True, exclude_none=True)
