"""Which fields a target of each kind may have. Kuma 2.14.3 named the same ones, but for
MeshMultiZoneService, of which it looks at nothing."""

from typing import Any

import pytest

from kuma.resources.spec import parse_spec
from kuma.resources.target_ref import TargetRef, TargetRefKind, validate_target_ref

BEST: dict[str, dict[str, Any]] = {
    "Mesh": {},
    "MeshSubset": {"tags": {"a": "b"}},
    "Dataplane": {"name": "a"},
    "MeshService": {"name": "a"},
    "MeshServiceSubset": {"name": "a"},
    "MeshGateway": {"name": "a"},
    "MeshExternalService": {"name": "a"},
    "MeshHTTPRoute": {"name": "a"},
    "MeshMultiZoneService": {"name": "a"},
}
"""What is enough for each kind."""

MAY_HAVE = {
    "Mesh": {"proxyTypes"},
    "MeshSubset": {"tags", "proxyTypes"},
    "Dataplane": {"name", "namespace", "sectionName"},
    "MeshService": {"name", "namespace", "sectionName"},
    "MeshServiceSubset": {"name", "tags"},
    "MeshGateway": {"name", "tags"},
    "MeshExternalService": {"name", "namespace"},
    "MeshHTTPRoute": {"name", "namespace"},
    "MeshMultiZoneService": {"name", "namespace", "sectionName"},
}
"""Besides `labels` instead of a name."""

VALUES: dict[str, Any] = {
    "name": "a",
    "tags": {"a": "b"},
    "mesh": "m",
    "proxyTypes": ["Sidecar"],
    "namespace": "n",
    "sectionName": "s",
}


def refused(
    kind: str,
    *,
    top: bool = True,
    inbound: bool = True,
    gateway_tags: bool = True,
    **fields: Any,
) -> list[str]:
    ref = TargetRef.model_validate({"kind": kind, **fields})
    found = validate_target_ref(
        ref,
        kinds=TargetRefKind,
        selects_proxies=top,
        is_inbound_policy=inbound,
        gateway_tags_allowed=gateway_tags,
    )
    return [violation.field for violation in found]


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize("kind", MAY_HAVE)
def test_fields(kind: str, field: str) -> None:
    found = refused(kind, **{**BEST[kind], field: VALUES[field]})
    assert found == ([] if field in MAY_HAVE[kind] else [field])


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("Dataplane", {}, []),
        ("Dataplane", {"labels": {"a": "b"}}, []),
        ("Dataplane", {"labels": {"a": "b"}, "name": "a"}, ["labels"]),
        ("Dataplane", {"labels": {"a": "b"}, "namespace": "n"}, ["labels"]),
        ("Dataplane", {"name": "A b"}, []),
        ("MeshService", {}, [""]),
        ("MeshService", {"labels": {"a": "b"}}, []),
        ("MeshService", {"labels": {"a": "b"}, "name": "a"}, ["labels"]),
        ("MeshService", {"labels": {"a": "b"}, "namespace": "n"}, ["labels"]),
        ("MeshService", {"name": "A b"}, ["name"]),
        ("MeshExternalService", {}, [""]),
        ("MeshExternalService", {"labels": {"a": "b"}}, []),
        ("MeshExternalService", {"labels": {"a": "b"}, "name": "a"}, ["labels"]),
        ("MeshExternalService", {"name": "A b"}, ["name"]),
        ("MeshHTTPRoute", {}, [""]),
        ("MeshHTTPRoute", {"labels": {"a": "b"}}, []),
        ("MeshHTTPRoute", {"labels": {"a": "b"}, "name": "a"}, ["labels"]),
        ("MeshHTTPRoute", {"name": "A b"}, ["name"]),
        ("MeshMultiZoneService", {}, [""]),
        ("MeshMultiZoneService", {"labels": {"a": "b"}}, []),
        ("MeshMultiZoneService", {"labels": {"a": "b"}, "name": "a"}, ["labels"]),
        ("MeshMultiZoneService", {"name": "A b"}, []),
        ("MeshServiceSubset", {}, ["name"]),
        ("MeshServiceSubset", {"name": "a", "labels": {"a": "b"}}, ["labels"]),
        ("MeshServiceSubset", {"name": "A b"}, ["name"]),
        ("MeshGateway", {}, ["name"]),
        ("MeshGateway", {"name": "a", "labels": {"a": "b"}}, ["labels"]),
        ("MeshGateway", {"name": "A b"}, ["name"]),
        ("Mesh", {"labels": {"a": "b"}}, ["labels"]),
        ("MeshSubset", {"labels": {"a": "b"}}, ["labels"]),
    ],
)
def test_names_and_labels(kind: str, fields: dict[str, Any], expected: list[str]) -> None:
    assert refused(kind, **fields) == expected


@pytest.mark.parametrize("kind", ["Mesh", "MeshSubset"])
def test_a_list_of_proxy_types_is_not_empty(kind: str) -> None:
    assert refused(kind, **BEST[kind], proxyTypes=[]) == ["proxyTypes"]


@pytest.mark.parametrize("kind", ["Mesh", "MeshSubset"])
def test_types_of_proxies_are_told_at_the_top_only(kind: str) -> None:
    assert refused(kind, **BEST[kind], proxyTypes=["Gateway"], top=False) == ["proxyTypes"]
    assert refused(kind, **BEST[kind], top=False) == []


@pytest.mark.parametrize(
    ("tags", "of_proxies", "of_selectors"),
    [
        ({}, [], []),
        ({"a/b": "c:d_e"}, [], []),
        ({"": "b"}, ["tags"], ["tags"]),
        ({"a": ""}, ['tags["a"]'], ['tags["a"]']),
        ({"a b": "c"}, ['tags["a b"]'], ['tags["a b"]']),
        ({"a": "b/c"}, ['tags["a"]'], []),
        ({"a": "*"}, ['tags["a"]'], []),
        ({"a": "*b"}, ['tags["a"]'], ['tags["a"]']),
    ],
)
def test_tags(tags: dict[str, str], of_proxies: list[str], of_selectors: list[str]) -> None:
    assert refused("MeshSubset", tags=tags) == of_proxies
    for kind in ("MeshServiceSubset", "MeshGateway"):
        assert refused(kind, name="a", tags=tags) == of_selectors


def test_sections_of_dataplanes_and_tags_of_gateways_have_their_places() -> None:
    assert refused("Dataplane", inbound=False, sectionName="http") == ["sectionName"]
    assert refused("MeshGateway", gateway_tags=False, name="a", tags={"a": "b"}) == ["tags"]


def test_a_tag_that_is_no_text_is_named() -> None:
    raw = {"kind": "MeshSubset", "tags": {"b": 1, "a": "x", "c": None}, "labels": ["x"]}
    found = [(each.field, each.message) for each in parse_spec(TargetRef, raw)[1]]
    assert found == [
        ('tags["b"]', "must be a string"),
        ('tags["c"]', "must be a string"),
        ("labels", "must be a map of strings to strings"),
    ]
