"""What documents of policies may hold, whatever the kind: nulls, targets by role."""

from typing import Any

import pytest

from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"targetRef": None, "to": [{"default": {"http": None}}]}, ["spec.targetRef"]),
        ("", ["spec"]),
        ([], ["spec"]),
    ],
)
def test_a_field_of_a_policy_is_not_null_and_a_spec_is_an_object(
    spec: object, fields: list[str]
) -> None:
    document = {"type": "MeshTimeout", "mesh": "default", "name": "t", "spec": spec}
    with pytest.raises(InvalidResource) as caught:
        parse_document(REGISTRY, document)
    found = [each.field for each in caught.value.violations]
    assert set(fields) <= set(found)


def test_what_may_be_any_json_may_be_null() -> None:
    patch = {"op": "remove", "path": "/metadata", "value": None}
    modification = {"cluster": {"operation": "Patch", "jsonPatches": [patch]}}
    spec = {"default": {"appendModifications": [modification]}}
    document = {"type": "MeshProxyPatch", "mesh": "default", "name": "p", "spec": spec}
    assert parse_document(REGISTRY, document).name == "p"


def test_only_policies_of_the_role_system_may_be_about_a_route() -> None:
    target = {"kind": "MeshHTTPRoute", "name": "r"}
    spec = {
        "targetRef": target,
        "to": [{"targetRef": {"kind": "Mesh"}, "default": {"tcp": {"maxConnectAttempt": 1}}}],
    }
    document = {"type": "MeshRetry", "mesh": "default", "name": "p", "spec": spec}
    assert parse_document(REGISTRY, document).name == "p"
    with pytest.raises(InvalidResource, match="value 'MeshHTTPRoute' is not supported"):
        parse_document(REGISTRY, {**document, "labels": {"kuma.io/policy-role": "workload-owner"}})


@pytest.mark.parametrize(
    ("status", "ports"), [(201.0, 8080.0), (2.01e2, 8080)], ids=["with a point", "with an exponent"]
)
def test_whole_numbers_may_be_written_as_others(status: float, ports: float) -> None:
    to = {
        "targetRef": {"kind": "Mesh"},
        "default": {
            "healthyPanicThreshold": 50.0,
            "http": {"expectedStatuses": [status]},
            "healthyThreshold": 2.0,
        },
    }
    document = {"type": "MeshHealthCheck", "mesh": "default", "name": "p", "spec": {"to": [to]}}
    spec: Any = parse_document(REGISTRY, document).spec
    assert spec.to_json()["to"][0]["default"] == {
        "healthyPanicThreshold": 50,
        "http": {"expectedStatuses": [201]},
        "healthyThreshold": 2,
    }
    port = {"port": ports, "targetPort": ports}
    service = {"type": "MeshService", "mesh": "default", "name": "s", "spec": {"ports": [port]}}
    made: Any = parse_document(REGISTRY, service).spec
    assert (made.ports[0].port, made.ports[0].target_port) == (8080, 8080)


@pytest.mark.parametrize("number", [1.5, 1e400, "5", True])
def test_other_numbers_are_no_integers(number: object) -> None:
    to = {"targetRef": {"kind": "Mesh"}, "default": {"healthyThreshold": number, "tcp": {}}}
    document = {"type": "MeshHealthCheck", "mesh": "default", "name": "p", "spec": {"to": [to]}}
    with pytest.raises(InvalidResource, match="must be an integer"):
        parse_document(REGISTRY, document)


def test_a_boolean_is_no_number() -> None:
    match = {"type": "Domain", "value": "example.com", "port": True}
    spec = {"default": {"appendMatch": [match]}}
    document = {"type": "MeshPassthrough", "mesh": "default", "name": "p", "spec": spec}
    with pytest.raises(InvalidResource, match="must be an integer"):
        parse_document(REGISTRY, document)
