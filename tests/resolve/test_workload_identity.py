"""Which MeshIdentity a proxy has, and what its SPIFFE ID is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from kuma.resolve.workload_identity import (
    Known,
    NoSpiffeId,
    announced_ids,
    best_match,
    is_from_workload,
    known_identities,
    spiffe_id,
    trust_domain_of,
)
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentityStatus
from kuma.resources.resource import AnyResource
from tests.support.builders import a_resource

PROVIDER = {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}}}


def an_identity(
    name: str,
    labels: Mapping[str, str] | None = None,
    *,
    ready: str = "Ready",
    provider: Mapping[str, Any] | None = PROVIDER,
    **fields: Any,
) -> AnyResource:
    selector = {"dataplane": {"matchLabels": labels or {}}}
    made = a_resource(MESH_IDENTITY, name, {"selector": selector, "provider": provider, **fields})
    condition = {"type": "Ready", "status": str(ready == "Ready"), "reason": ready}
    return replace(made, status=MeshIdentityStatus.model_validate({"conditions": [condition]}))


def known(**fields: Any) -> Known:
    [found] = known_identities([an_identity("one", **fields)], "east")
    return found


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"app": "web", "version": "v1", "x": "y"}, "two-labels"),
        ({"app": "web"}, "a-label"),
        ({"app": "other"}, "all"),
        ({}, "all"),
    ],
)
def test_most_labels_win_and_then_the_first_name(labels: Mapping[str, str], expected: str) -> None:
    identities = known_identities(
        [
            an_identity("b-label", {"app": "web"}),
            an_identity("all"),
            an_identity("two-labels", {"app": "web", "version": "v1"}),
            an_identity("a-label", {"app": "web"}),
            an_identity("soon", {"app": "web", "version": "v1", "x": "y"}, ready="Preparing"),
        ],
        "east",
    )
    found = best_match(identities, labels)
    assert found is not None
    assert found.name == expected


@pytest.mark.parametrize("spec", [{}, {"selector": {}}])
def test_one_without_a_selector_selects_nobody(spec: Mapping[str, Any]) -> None:
    assert known_identities([a_resource(MESH_IDENTITY, "one", spec)], "east") == ()


@pytest.mark.parametrize(
    ("spiffe", "labels", "expected"),
    [
        (None, {"kuma.io/workload": "web"}, "default.east.mesh.local/workload/web"),
        (
            None,
            {
                "kuma.io/env": "kubernetes",
                "k8s.kuma.io/namespace": "shop",
                "k8s.kuma.io/service-account": "web",
            },
            "default.east.mesh.local/ns/shop/sa/web",
        ),
        (
            {"trustDomain": "{{ .Zone }}.{{ .Mesh }}", "path": '/{{ label "team" }}'},
            {"team": "a"},
            "east.default/a",
        ),
        (
            {"path": "/{{ if .Workload }}{{ .Workload }}{{ else }}{{ label `team` }}{{ end }}"},
            {"team": "a"},
            "default.east.mesh.local/a",
        ),
        (
            {"path": '/{{ or .Workload .ServiceAccount "none" | printf "%.3s" }}'},
            {"kuma.io/workload": "frontend"},
            "default.east.mesh.local/fro",
        ),
        (
            {"path": "/{{ .TrustDomain }}/x"},
            {},
            "default.east.mesh.local/default.east.mesh.local/x",
        ),
    ],
)
def test_the_id_comes_from_templates(
    spiffe: Mapping[str, str] | None, labels: Mapping[str, str], expected: str
) -> None:
    assert spiffe_id(known(spiffeID=spiffe), labels) == f"spiffe://{expected}"


@pytest.mark.parametrize(
    ("spiffe", "labels", "message"),
    [
        (None, {}, 'MeshIdentity "one": label kuma.io/workload not found'),
        ({"path": '/{{ label "team" }}'}, {}, 'MeshIdentity "one": label team not found'),
        ({"path": '/{{ label "team" }}'}, {"team": ""}, "path cannot have a trailing slash"),
        ({"path": "/a//b"}, {}, "path cannot contain empty segments"),
    ],
)
def test_without_an_id_the_reason_is_told(
    spiffe: Mapping[str, str] | None, labels: Mapping[str, str], message: str
) -> None:
    with pytest.raises(NoSpiffeId, match=message):
        spiffe_id(known(spiffeID=spiffe), labels)


def test_a_trust_domain_that_is_none_makes_no_identity() -> None:
    wrong = an_identity("one", spiffeID={"trustDomain": "a/b"})
    with pytest.raises(NoSpiffeId, match='"a/b" is no trust domain'):
        trust_domain_of(wrong, "east")
    assert known_identities([wrong], "east") == ()


@pytest.mark.parametrize(
    ("ready", "provider", "is_ready", "is_announced"),
    [
        ("Ready", PROVIDER, True, True),
        ("Preparing", PROVIDER, False, True),
        ("PartiallyReady", None, False, True),
        ("Failure", PROVIDER, False, False),
    ],
)
def test_others_hear_of_an_identity_before_anybody_has_it(
    ready: str, provider: Mapping[str, Any] | None, is_ready: bool, is_announced: bool
) -> None:
    found = known(ready=ready, provider=provider)
    assert (found.is_ready, found.is_announced) == (is_ready, is_announced)
    ids = announced_ids([found], {"kuma.io/workload": "web"})
    assert bool(ids) == is_announced


@pytest.mark.parametrize(
    ("spiffe", "expected"),
    [
        (None, True),
        ({"path": "/{{ .Workload }}"}, True),
        ({"path": '/{{ label "kuma.io/workload" }}'}, True),
        ({"path": '/{{ label "app" }}'}, False),
    ],
)
def test_whether_the_workload_decides(spiffe: Mapping[str, str] | None, expected: bool) -> None:
    assert is_from_workload(known(spiffeID=spiffe), {}) is expected
