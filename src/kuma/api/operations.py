"""How endpoints are described: fragments of OpenAPI operations, by reference to `schemas`.

Source: https://spec.openapis.org/oas/v3.1.0
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kuma.resources.kind import Kind

_PARAMETER = re.compile(r"{(\w+)}")
_STRING = {"type": "string"}

Operation = Mapping[str, Any]


def ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _STRING}
        for name in _PARAMETER.findall(path)
    ]


def query(
    name: str, description: str, schema: Mapping[str, Any] = _STRING, **more: Any
) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


PAGING = (
    query(
        "size",
        "How many items a page has.",
        {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    ),
    query("offset", "Where the page starts, taken from `next` of the page before."),
)
NAME_FILTER = query("name", "Only items whose name contains this.")
FORMAT = query(
    "format",
    "The form of the answer.",
    {"type": "string", "enum": ["universal", "k8s", "kubernetes"], "default": "universal"},
)
NAMESPACE = query("namespace", "With `format=k8s`: the namespace of the manifest.")
_LABELS = query(
    "filter",
    "Only items with these labels, as `filter[labels.<key>]=<value>`.",
    {"type": "object", "patternProperties": {r"^labels\.": _STRING}, "additionalProperties": False},
    style="deepObject",
    explode=True,
)
_TAGS = query(
    "tag",
    "Only items with these tags, as `key:value`; of the value a part is enough.",
    {"type": "array", "items": _STRING},
)
_GATEWAY = query(
    "gateway",
    "Only gateways of this mode, or none.",
    {"type": "string", "enum": ["true", "false", "builtin", "delegated"]},
)


def list_parameters(kind: Kind[Any]) -> list[dict[str, Any]]:
    more = {"Dataplane": [_TAGS, _GATEWAY], "ExternalService": [_TAGS]}.get(kind.name, [])
    return [*PAGING, NAME_FILTER, _LABELS, *more]


def answers(
    *schemas: str, statuses: Iterable[int] = (200,), media: str = "application/json"
) -> Operation:
    """The `responses` of an operation: success in one of the forms; everything else is an Error."""
    forms = [ref(schema) for schema in schemas]
    success = {
        "description": "OK",
        "content": {media: {"schema": forms[0] if len(forms) == 1 else {"anyOf": forms}}},
    }
    return {
        "responses": {
            **{str(status): success for status in statuses},
            "default": {
                "description": "What went wrong.",
                "content": {"application/json": {"schema": ref("Error")}},
            },
        }
    }


def asks(schema: str) -> Operation:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(schema)}},
        }
    }


def with_parameters(*parameters: Mapping[str, Any]) -> Operation:
    return {"parameters": list(parameters)}
