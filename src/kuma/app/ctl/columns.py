"""The columns of `kumactl get`, by kind; kinds that are not named here show name and age."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kuma.app.ctl.output import Columns, age, tag_text

Document = Mapping[str, Any]


def columns_of(kind: str, *, is_mesh_scoped: bool) -> Columns:
    return _OF_KIND.get(kind) or (_IN_MESH if is_mesh_scoped else _GLOBAL)


def dataplane_tags(networking: Document) -> str:
    gateway = networking.get("gateway") or {}
    inbounds = networking.get("inbound") or ()
    return tag_text([gateway.get("tags") or {}, *(each.get("tags") or {} for each in inbounds)])


def _age(document: Document, now: datetime) -> str:
    return age(document.get("modificationTime"), now)


def _in_mesh(document: Document, now: datetime) -> Sequence[str]:
    return document.get("mesh", ""), document["name"], _age(document, now)


def _global(document: Document, now: datetime) -> Sequence[str]:
    return document["name"], _age(document, now)


def _dataplane(document: Document, now: datetime) -> Sequence[str]:
    networking = document.get("networking") or {}
    address = networking.get("advertisedAddress") or networking.get("address", "")
    tags = dataplane_tags(networking)
    return document.get("mesh", ""), document["name"], tags, address, _age(document, now)


def _external_service(document: Document, now: datetime) -> Sequence[str]:
    address = (document.get("networking") or {}).get("address", "")
    tags = tag_text([document.get("tags") or {}])
    return document.get("mesh", ""), document["name"], tags, address, _age(document, now)


def _mesh(document: Document, now: datetime) -> Sequence[str]:
    mtls, routing = document.get("mtls") or {}, document.get("routing") or {}
    enabled = mtls.get("enabledBackend")
    backends = mtls.get("backends") or ()
    backend = next((each for each in backends if enabled and each.get("name") == enabled), None)
    return (
        document["name"],
        f"{backend.get('type', '')}/{enabled}" if backend else "off",
        _on_off(routing.get("localityAwareLoadBalancing")),
        _on_off(routing.get("zoneEgress")),
        _age(document, now),
    )


def _on_off(value: object) -> str:
    return "on" if value else "off"


_IN_MESH = Columns(("MESH", "NAME", "AGE"), _in_mesh)
_GLOBAL = Columns(("NAME", "AGE"), _global)
_OF_KIND = {
    "Dataplane": Columns(("MESH", "NAME", "TAGS", "ADDRESS", "AGE"), _dataplane),
    "ExternalService": Columns(("MESH", "NAME", "TAGS", "ADDRESS", "AGE"), _external_service),
    "Mesh": Columns(("NAME", "mTLS", "LOCALITY", "ZONEEGRESS", "AGE"), _mesh),
}
