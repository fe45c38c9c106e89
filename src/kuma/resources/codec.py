"""Between a resource and its document, the universal form that REST, kumactl and files use.

    {"type": "Dataplane", "mesh": "default", "name": "api-1", "creationTime": ..., "labels": {...},
     "kri": ..., then the spec: beside these for the older kinds, else under `spec`, with `status`}

Writing is cached on the resource, which never changes, so that a list is joined from ready bytes.
Reading checks form only: names, types, fields. What depends on the state of the mesh is `admission`.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from kuma.resources.errors import InvalidResource
from kuma.resources.kind import Kind
from kuma.resources.kri import Kri, build_sni, kri_of
from kuma.resources.label_syntax import check_labels
from kuma.resources.meta import ResourceMeta
from kuma.resources.names import DEFAULT_MESH, check_mesh, check_name
from kuma.resources.proto_json import format_timestamp
from kuma.resources.registry import Registry, UnknownKind
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import SpecModel, parse_spec
from kuma.resources.spec_violations import nearest_name
from kuma.resources.strict_reading import read_strictly
from kuma.resources.violation import Violation

_ENVELOPE = ("type", "mesh", "name", "creationTime", "modificationTime", "labels", "kri", "snis")
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""The time of a resource that was not stored yet."""


def to_document(resource: AnyResource) -> dict[str, Any]:
    document = _envelope(resource)
    spec = resource.spec.to_json()
    if resource.kind.spec_at_root:
        return {**document, **spec}
    document["spec"] = spec
    if resource.status is not None:
        document["status"] = resource.status.to_json()
    return document


def document_bytes(resource: AnyResource) -> bytes:
    """`to_document` as compact JSON, remembered."""
    known: bytes | None = resource.__dict__.get("_document")
    if known is None:
        known = _build_bytes(resource)
        object.__setattr__(resource, "_document", known)
    return known


def _envelope(resource: AnyResource) -> dict[str, Any]:
    meta, kri = resource.meta, kri_of(resource)
    return {
        "type": resource.kind.name,
        **({"mesh": meta.mesh} if meta.mesh else {}),
        "name": meta.name,
        "creationTime": format_timestamp(meta.creation_time),
        "modificationTime": format_timestamp(meta.modification_time),
        **({"labels": dict(sorted(meta.labels.items()))} if meta.labels else {}),
        **({"kri": str(kri)} if kri is not None else {}),
        **({"snis": snis} if kri is not None and (snis := _snis(resource, kri)) else {}),
    }


def _snis(resource: AnyResource, kri: Kri) -> list[dict[str, Any]]:
    """The server name by which each port of a destination is called, in order of the ports."""
    if resource.kind.ports is None:
        return []
    ports = sorted(resource.kind.ports(resource.spec), key=lambda port: port[0])
    return [{"port": port, "sni": build_sni(kri.with_section(section))} for port, section in ports]


def _build_bytes(resource: AnyResource) -> bytes:
    envelope = json.dumps(_envelope(resource), ensure_ascii=False, separators=(",", ":")).encode()
    spec = resource.spec.to_json_bytes()
    if resource.kind.spec_at_root:
        return envelope if spec == b"{}" else b"%b,%b" % (envelope[:-1], spec[1:])
    status = b"" if resource.status is None else b',"status":' + resource.status.to_json_bytes()
    return b'%b,"spec":%b%b}' % (envelope[:-1], spec, status)


def parse_document(registry: Registry, raw: object) -> AnyResource:
    """A document with all that can be known of it alone: its form and its kind's own rules.

    Raises InvalidResource with every violation.
    """
    resource = read_document(registry, raw)
    if found := resource.kind.validate(resource):
        raise InvalidResource(tuple(dict.fromkeys(found)))
    return resource


def read_document(
    registry: Registry,
    raw: object,
    *,
    kind: Kind[Any] | None = None,
    mesh: str | None = None,
    name: str | None = None,
) -> AnyResource:
    """Read a document that was parsed from JSON or YAML, for the writer: its admission asks the
    kind's own rules, which take long for a large document and so are asked once.

    Without a `mesh` it is of the mesh "default", but for the older kinds, which have to say theirs.

    `kind`, `mesh` and `name` are what the URL says, where there is one, and the document must agree.
    Raises InvalidResource with every violation, if the form is wrong those of the rules included.
    """
    if not isinstance(raw, Mapping):
        raise InvalidResource((Violation("", "must be an object with the fields of a resource"),))
    found: list[Violation] = []
    declared = _read_kind(registry, raw, kind, found)
    if declared is None:
        raise InvalidResource(tuple(found))
    meta = _read_meta(declared, raw, mesh, name, found)
    spec = _read_spec(declared, raw, found)
    status = _read_status(declared, raw, found)
    if spec is not None:
        resource = Resource(declared, meta, declared.default(spec), status)
        if not found:
            return resource
        found += declared.validate(resource)
    raise InvalidResource(tuple(dict.fromkeys(found)))


def _read_kind(
    registry: Registry, raw: Mapping[str, Any], expected: Kind[Any] | None, found: list[Violation]
) -> Kind[Any] | None:
    given = raw.get("type")
    if expected is not None:
        if given != expected.name:
            found.append(Violation("type", "type from the URL has to be the same as in body"))
        return expected
    if not isinstance(given, str) or not given:
        message = "must be a string" if given else "must be defined"
        if "apiVersion" in raw:
            message += "; this looks like a Kubernetes manifest, the universal form is needed"
        found.append(Violation("type", message))
        return None
    try:
        return registry.kind(given)
    except UnknownKind as error:
        found.append(Violation("type", str(error)))
        return None


def _read_meta(
    kind: Kind[Any],
    raw: Mapping[str, Any],
    mesh: str | None,
    name: str | None,
    found: list[Violation],
) -> ResourceMeta:
    given_name = _text(raw, "name", found)
    if name not in {None, given_name}:
        found.append(Violation("name", "name from the URL has to be the same as in body"))
    found += check_name(given_name)
    return ResourceMeta(
        mesh=_read_mesh(kind, raw, mesh, found),
        name=given_name,
        version=0,
        creation_time=_time(raw, "creationTime", found),
        modification_time=_time(raw, "modificationTime", found),
        labels=_read_labels(raw, found),
    )


def _read_mesh(
    kind: Kind[Any], raw: Mapping[str, Any], expected: str | None, found: list[Violation]
) -> str:
    given = _text(raw, "mesh", found)
    if not kind.is_mesh_scoped:
        if given:
            found.append(Violation("mesh", f"must not be set, {kind.name} belongs to no mesh"))
        return ""
    if raw.get("mesh") is None and not kind.spec_at_root:
        given = DEFAULT_MESH
    if expected not in {None, given}:
        found.append(Violation("mesh", "mesh from the URL has to be the same as in body"))
    found += check_mesh(given)
    return given


def _read_labels(raw: Mapping[str, Any], found: list[Violation]) -> dict[str, str]:
    given = raw.get("labels")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        found.append(Violation("labels", "must be a map of strings to strings"))
        return {}
    labels = {k: v for k, v in given.items() if isinstance(k, str) and isinstance(v, str)}
    for key in (key for key in given if key not in labels):
        text = "must not be null" if given[key] is None else "must be a string"
        found.append(Violation(f'labels["{key}"]', text))
    found += check_labels(labels)
    return labels


def _read_spec(kind: Kind[Any], raw: Mapping[str, Any], found: list[Violation]) -> SpecModel | None:
    if kind.spec_at_root:
        rest = {field: each for field, each in raw.items() if field not in _ENVELOPE}
        spec, violations = parse_spec(kind.spec, rest)
        found += violations
        return spec
    found += _unknown_roots(raw, (*_ENVELOPE, "spec", "status"))
    if raw.get("spec") is None:
        found.append(Violation("spec", "must be defined"))
        return None
    given, strict = read_strictly(kind.spec, raw["spec"], root="spec")
    spec, violations = parse_spec(kind.spec, given, root="spec")
    known = {each.field for each in strict}
    found += (*strict, *(each for each in violations if each.field not in known))
    return spec


def _unknown_roots(raw: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[Violation]:
    for field in raw:
        if field not in known:
            hint = nearest_name(str(field), known)
            yield Violation(str(field), f"unknown field{hint}")


def _read_status(
    kind: Kind[Any], raw: Mapping[str, Any], found: list[Violation]
) -> SpecModel | None:
    """Kinds without a status ignore what is shown in its place."""
    if kind.status is None or raw.get("status") is None:
        return None
    status, violations = parse_spec(kind.status, raw["status"], root="status")
    found += violations
    return status


def _text(raw: Mapping[str, Any], field: str, found: list[Violation]) -> str:
    given = raw.get(field)
    if given is None or isinstance(given, str):
        return given or ""
    found.append(Violation(field, "must be a string"))
    return str(given)


def _time(raw: Mapping[str, Any], field: str, found: list[Violation]) -> datetime:
    """Shown on reading, so allowed in a document that comes back; the store sets its own."""
    given = raw.get(field)
    if given is None:
        return _NEVER
    if isinstance(given, datetime):
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    try:
        parsed = datetime.fromisoformat(str(given))
    except ValueError:
        found.append(Violation(field, "must be a time such as 2026-01-01T00:00:00Z"))
        return _NEVER
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
