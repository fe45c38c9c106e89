"""Short forms for tables: what a kind says of a spec in its JSON form."""

from collections.abc import Mapping
from typing import Any

from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource
from kuma.resources.kind import Kind
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.registry import Registry

REGISTRY = Registry(CORE_KINDS)

Found = list[tuple[str, str]]


def find_violations(kind: Kind[Any], spec: Mapping[str, Any], *, name: str = "one") -> Found:
    """What reading and checking the document of a resource finds, as (field, message)."""
    document = {"type": kind.name, "name": name, **spec}
    if kind.is_mesh_scoped:
        document["mesh"] = "default"
    return parsing(document)


def parsing(document: object) -> Found:
    try:
        parse_document(REGISTRY, document)
    except InvalidResource as error:
        return [(each.field, each.message) for each in error.violations]
    return []
