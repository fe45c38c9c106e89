"""The schemas of the API's description: each kind's document, complete, from its models."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from kuma.api.operations import ref
from kuma.resources.descriptions import field_descriptions
from kuma.resources.kind import Kind
from kuma.resources.names import DEFAULT_MESH
from kuma.resources.spec import SpecModel

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time", "readOnly": True}
_OPEN = {"type": "object", "additionalProperties": True}


def _object(properties: Mapping[str, Any], *, required: Iterable[str] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if names := list(required):
        schema["required"] = names
    return schema


def _list_of(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(item)}


def _part(kind: str) -> dict[str, Any]:
    """An inbound, outbound or listener, with its name in Envoy."""
    fields = {"kri": _TEXT, "port": {"type": "integer"}, kind: _TEXT, "proxyResourceName": _TEXT}
    return _object(fields, required=fields)


def _merged(items: str, parts: Mapping[str, Any]) -> dict[str, Any]:
    """What policies say of a part, for each kind, with the KRIs of those that say it."""
    fields = {"kind": _TEXT, "origins": _list_of(_object({"kri": _TEXT})), **parts}
    return _object({items: _list_of(_object(fields, required=fields))}, required=(items,))


_VIOLATION = {"field": _TEXT, "reason": _TEXT}

_COMMON: dict[str, dict[str, Any]] = {
    "Error": _object(
        {
            "type": {"type": "string", "const": "/std-errors"},
            "status": {"type": "integer"},
            "title": _TEXT,
            "detail": _TEXT,
            "instance": {**_TEXT, "description": "Finds the log line of an unexpected error."},
            "invalid_parameters": _list_of(_object(_VIOLATION, required=_VIOLATION)),
            "details": {**_TEXT, "deprecated": True},
            "causes": {**_list_of(_object({"field": _TEXT, "message": _TEXT})), "deprecated": True},
        },
        required=("type", "status", "title", "detail"),
    ),
    "Written": _object(
        {"warnings": {**_list_of(_TEXT), "description": "What of the resource is deprecated."}}
    ),
    "Deleted": _object({}),
    "Manifest": _object(
        {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _object({"name": _TEXT})},
        required=("apiVersion", "kind", "metadata"),
    ),
    "Meta": _object(
        {
            "type": _TEXT,
            "mesh": _TEXT,
            "name": _TEXT,
            "labels": {"type": "object", "additionalProperties": _TEXT},
        },
        required=("type", "mesh", "name", "labels"),
    ),
    "MetaList": _object(
        {
            "total": {"type": "integer"},
            "items": _list_of(ref("Meta")),
            "next": {
                "type": "string",
                "description": "The next page; not there: this is the last.",
            },
        }
    ),
    "Hostnames": _object(
        {
            "total": {"type": "integer"},
            "items": _list_of(
                _object({"hostname": _TEXT, "zones": _list_of(_object({"name": _TEXT}))})
            ),
        },
        required=("total", "items"),
    ),
    "Index": _object(
        {
            "hostname": _TEXT,
            "product": _TEXT,
            "version": _TEXT,
            "instanceId": _TEXT,
            "clusterId": _TEXT,
            "gui": _TEXT,
        }
    ),
    "WhoAmI": _object({"name": _TEXT, "groups": _list_of(_TEXT)}, required=("name", "groups")),
    "Settings": _OPEN,
    "Policies": _object(
        {
            "policies": _list_of(
                _object(
                    {
                        "name": _TEXT,
                        "readOnly": {"type": "boolean"},
                        "path": _TEXT,
                        "singularDisplayName": _TEXT,
                        "pluralDisplayName": _TEXT,
                        "isExperimental": {"type": "boolean"},
                        "isTargetRefBased": {"type": "boolean"},
                        "isInbound": {"type": "boolean"},
                        "isOutbound": {"type": "boolean"},
                    }
                )
            )
        }
    ),
    "ResourceTypes": _object(
        {
            "resources": _list_of(
                _object(
                    {
                        "name": _TEXT,
                        "scope": {"type": "string", "enum": ["Global", "Mesh"]},
                        "readOnly": {"type": "boolean"},
                        "path": _TEXT,
                        "singularDisplayName": _TEXT,
                        "pluralDisplayName": _TEXT,
                        "shortName": _TEXT,
                        "includeInFederation": {"type": "boolean"},
                        "policy": _object(
                            {
                                "isTargetRef": {"type": "boolean"},
                                "hasToTargetRef": {"type": "boolean"},
                                "hasFromTargetRef": {"type": "boolean"},
                                "hasRulesTargetRef": {"type": "boolean"},
                                "isFromAsRules": {"type": "boolean"},
                            }
                        ),
                    }
                )
            )
        }
    ),
    "GlobalInsight": _OPEN,
    "Rules": _OPEN,
    "ProxyConfig": _object({"xds": _OPEN, "diff": _list_of(_OPEN)}),
    "Layout": _object(
        {
            "kri": _TEXT,
            "labels": {"type": "object", "additionalProperties": _TEXT},
            "inbounds": _list_of(_part("protocol")),
            "outbounds": _list_of(_part("protocol")),
            "listeners": _list_of(_part("type")),
            "spiffeId": _TEXT,
        },
        required=("kri", "labels", "inbounds", "outbounds", "listeners"),
    ),
    "ProxyPolicies": _merged("policies", {"conf": _OPEN}),
    "InboundPolicies": _merged(
        "policies", {"rules": _list_of(_object({"conf": _OPEN, "kri": _TEXT}))}
    ),
    "OutboundPolicies": _merged("policies", {"conf": _list_of(_OPEN)}),
    "Routes": _merged(
        "routes",
        {"rules": _list_of(_object({"conf": _OPEN, "kri": _TEXT, "matches": _list_of(_OPEN)}))},
    ),
    "EnvoyAdmin": {},
    "Token": {"type": "string", "description": "A JWT."},
    "AnyResource": _OPEN,
    "DataplaneTokenRequest": _object(
        {
            "name": {**_TEXT, "description": "The only dataplane that may use the token."},
            "mesh": _TEXT,
            "tags": {"type": "object", "additionalProperties": _list_of(_TEXT)},
            "type": {"type": "string", "enum": ["dataplane", "ingress", "egress"]},
            "workload": _TEXT,
            "validFor": {**_TEXT, "examples": ["24h"], "description": "10 years by default."},
        },
        required=("mesh",),
    ),
    "ZoneTokenRequest": _object(
        {
            "zone": _TEXT,
            "scope": _list_of({"type": "string", "enum": ["ingress", "egress"]}),
            "validFor": {**_TEXT, "examples": ["24h"], "description": "10 years by default."},
        },
        required=("scope",),
    ),
    "UserTokenRequest": _object(
        {"name": _TEXT, "groups": _list_of(_TEXT), "validFor": {**_TEXT, "examples": ["24h"]}},
        required=("name", "validFor"),
    ),
}


class _Described(GenerateJsonSchema):
    """Says of each field what its model says."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        model: type[SpecModel] = schema["cls"]
        properties = made.get("properties", {})
        for name, text in field_descriptions(model).items():
            info = model.model_fields.get(name)
            if info is not None and (field := info.alias or name) in properties:
                properties[field].setdefault("description", text)
        return made


def model_schema(model: type[SpecModel]) -> dict[str, Any]:
    """The JSON schema of one model, with those it consists of under `$defs`."""
    return model.model_json_schema(schema_generator=_Described)


def build_schemas(kinds: Iterable[Kind[Any]]) -> dict[str, Any]:
    """All schemas by name: each kind under its own name, its list as `<Kind>List`."""
    listed = tuple(kinds)
    models = dict.fromkeys(
        model for kind in listed for model in (kind.spec, kind.status) if model is not None
    )
    by_model, definitions = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Described,
    )
    schemas = {**_COMMON, **definitions.get("$defs", {})}
    for kind in listed:
        schemas[kind.name] = _document(kind, by_model, schemas)
        schemas[f"{kind.name}List"] = _object(
            {
                "total": {"type": "integer"},
                "items": _list_of(ref(kind.name)),
                "next": {"type": ["string", "null"], "description": "The next page."},
            },
            required=("total", "items", "next"),
        )
    return dict(sorted(schemas.items()))


def _document(
    kind: Kind[Any], by_model: Mapping[Any, Any], schemas: Mapping[str, Any]
) -> dict[str, Any]:
    envelope = _envelope(kind)
    required = ("type", "name")
    spec = by_model[kind.spec, "validation"]
    if not kind.spec_at_root:
        parts = {"spec": spec} | _status(kind, by_model)
        return _object({**envelope, **parts}, required=(*required, "spec"))
    fields = schemas[spec["$ref"].rpartition("/")[2]]
    place = ("mesh",) if kind.is_mesh_scoped else ()
    return _object(
        {**envelope, **fields.get("properties", {})},
        required=(*required, *place, *fields.get("required", ())),
    )


def _status(kind: Kind[Any], by_model: Mapping[Any, Any]) -> dict[str, Any]:
    status: type[SpecModel] | None = kind.status
    return {} if status is None else {"status": by_model[status, "validation"]}


_SNIS = {
    "type": "array",
    "readOnly": True,
    "items": {"type": "object", "properties": {"port": {"type": "integer"}, "sni": _TEXT}},
}
"""The server name by which each port of a destination is called."""


def _mesh(kind: Kind[Any]) -> dict[str, Any]:
    return dict(_TEXT) if kind.spec_at_root else {**_TEXT, "default": DEFAULT_MESH}


def _envelope(kind: Kind[Any]) -> dict[str, Any]:
    return {
        "type": {"type": "string", "const": kind.name},
        **({"mesh": _mesh(kind)} if kind.is_mesh_scoped else {}),
        "name": _TEXT,
        "labels": {"type": "object", "additionalProperties": _TEXT},
        "creationTime": _TIME,
        "modificationTime": _TIME,
        **({"kri": {**_TEXT, "readOnly": True}} if kind.short else {}),
        **({"snis": _SNIS} if kind.ports is not None else {}),
    }
