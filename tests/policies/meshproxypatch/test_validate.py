"""Fields and messages are those of Kuma 2.14.3, given the same specs; but for what Go's own reader of
protobuf says at the end of a message."""

from typing import Any

import pytest

from kuma.policies.meshproxypatch import KIND
from tests.kit.test_json_yaml import BOMB
from tests.policies.verdict import verdict


def _packed(kind: str, content: str) -> str:
    config = f'{{"@type": {kind}, value: {content}}}'
    return f"name: a\ntransportSocket: {{name: b, typedConfig: {config}}}"


ROOT = "spec.default.appendModifications"
CLUSTER = "name: extra\nconnectTimeout: 5s\ntype: STATIC\n"
FILTER = "name: envoy.filters.http.router"


def a_spec(*modifications: dict[str, Any]) -> dict[str, Any]:
    return {"default": {"appendModifications": list(modifications)}}


@pytest.mark.parametrize(
    "modification",
    [
        {"cluster": {"operation": "Add", "value": CLUSTER}},
        {"cluster": {"operation": "Remove", "match": {"origin": "inbound"}}},
        {"cluster": {"operation": "Patch", "value": "connectTimeout: 5s"}},
        {
            "listener": {
                "operation": "Patch",
                "match": {"tags": {"a": "b"}},
                "jsonPatches": [{"op": "remove", "path": "/metadata"}],
            }
        },
        {"networkFilter": {"operation": "AddFirst", "value": "name: a"}},
        {"httpFilter": {"operation": "AddBefore", "match": {"name": "a"}, "value": FILTER}},
        {
            "httpFilter": {
                "operation": "Patch",
                "match": {"name": "a"},
                "jsonPatches": [{"op": "add", "path": "/a", "value": [1]}],
            }
        },
        {
            "virtualHost": {
                "operation": "Add",
                "match": {},
                "value": "name: a\ndomains: [a]\nroutes: []",
            }
        },
    ],
)
def test_accepts(modification: dict[str, Any]) -> None:
    assert verdict(KIND, a_spec(modification)) == []


@pytest.mark.parametrize(
    ("modification", "expected"),
    [
        (
            {},
            [
                (
                    "",
                    (
                        "exactly one modification can be defined at a time. "
                        "Currently, 0 modifications are defined"
                    ),
                )
            ],
        ),
        (
            {"cluster": {"operation": "Remove"}, "listener": {"operation": "Remove"}},
            [
                (
                    "",
                    (
                        "exactly one modification can be defined at a time. "
                        "Currently, 2 modifications are defined"
                    ),
                )
            ],
        ),
        (
            {"cluster": {"operation": "Add", "match": {"name": "a"}}},
            [
                (".cluster.match", "must not be defined"),
                (".cluster.value", "must be defined"),
            ],
        ),
        (
            {"listener": {"operation": "Remove", "value": "name: a"}},
            [(".listener.value", "must not be defined")],
        ),
        (
            {"listener": {"operation": "Patch"}},
            [(".listener", "listener must have exactly one defined: value, jsonPatches")],
        ),
        (
            {
                "cluster": {
                    "operation": "Patch",
                    "value": "name: a",
                    "jsonPatches": [{"op": "remove", "path": "/a"}],
                }
            },
            [(".cluster", "cluster must have only one type defined: value, jsonPatches")],
        ),
        (
            {"networkFilter": {"operation": "AddBefore", "value": "name: a"}},
            [
                (
                    ".networkFilter.match.name",
                    (
                        "must be defined. You need to pick a filter before which this one will be "
                        "added"
                    ),
                )
            ],
        ),
        (
            {"httpFilter": {"operation": "AddAfter"}},
            [
                (
                    ".httpFilter.match.name",
                    "must be defined. You need to pick a filter after which this one will be added",
                ),
                (".httpFilter.value", "must be defined"),
            ],
        ),
        (
            {"httpFilter": {"operation": "Patch", "match": {}, "value": FILTER}},
            [(".httpFilter.match.name", "must be defined")],
        ),
        (
            {"virtualHost": {"operation": "Remove"}},
            [(".virtualHost.match", "must be defined")],
        ),
        (
            {"virtualHost": {"operation": "Add", "match": {"name": "a"}}},
            [
                (".virtualHost.match.name", "must not be defined"),
                (".virtualHost.value", "must be defined"),
            ],
        ),
        (
            {
                "cluster": {
                    "operation": "Patch",
                    "jsonPatches": [
                        {"op": "add", "path": "/a"},
                        {"op": "remove", "path": "/", "value": 1},
                        {"op": "move", "path": "/a"},
                        {"op": "replace", "path": "/a", "value": 1, "from": "/b"},
                    ],
                }
            },
            [
                (
                    ".cluster.jsonPatches[0].value",
                    '"value" must not be empty when "op" is one of ["add", "replace"]',
                ),
                (
                    ".cluster.jsonPatches[1].value",
                    '"value" is allowed only when "op" is one of ["add", "replace"]',
                ),
                (".cluster.jsonPatches[1].path", "root path cannot be removed"),
                (
                    ".cluster.jsonPatches[2].from",
                    '"from" must not be empty when "op" is one of ["move", "copy"]',
                ),
                (
                    ".cluster.jsonPatches[3].from",
                    '"from" is allowed only when "op" is one of ["move", "copy"]',
                ),
            ],
        ),
    ],
)
def test_refuses(modification: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, a_spec(modification)) == [
        (f"{ROOT}[0]{field}", message) for field, message in expected
    ]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("no: [yaml", "line 2, column 1: did not find expected"),
        ("[" * 5000, "exceeded maximum nesting depth"),
        ("name: a\nmetadata: {filterMetadata: {x: " + "{a: " * 700 + "1" + "}" * 702, "deep"),
        (
            "name: a\nmetadata: &m {filterMetadata: {x: *m}}",
            "an alias stands for what it is part of",
        ),
        ("name: a\naltStatName: 0x_", '"0x_" is no number'),
        ("name: a\nmetadata: {filterMetadata: {x: {a: .nan}}}", '".nan" is no number'),
        (
            'name: a\ntransportSocket: {name: b, typedConfig: {"@type": 1}}',
            "is no envoy.config.cluster.v3.Cluster",
        ),
        (
            _packed("a/google.protobuf.Any", '{"@type": a/google.protobuf.Any}'),
            "is no envoy.config",
        ),
        (BOMB, "aliases repeat more than 100000 values"),
        ("name: a\n---\nname: b", "there must be one document only"),
        ("a text", "must be a map of fields"),
        ("connectTimout: 5s", 'no field named "connectTimout"'),
        ("connectTimeout: 5s", "name: must have at least 1 len"),
        ("name: a\nconnectTimeout: 0s", "connectTimeout: must be greater than 0 ns"),
        ('name: a\ntransportSocket: {name: b, typedConfig: {"@type": a/os.system}}', "os.system"),
    ],
)
def test_refuses_what_is_no_cluster(value: str, says: str) -> None:
    ((field, message),) = verdict(KIND, a_spec({"cluster": {"operation": "Add", "value": value}}))

    assert field == f"{ROOT}[0].cluster.value"
    assert message.startswith("native Envoy resource is not valid: ")
    assert says in message


def test_needs_modifications() -> None:
    assert verdict(KIND, {"default": {}}) == [(ROOT, "must not be empty")]
