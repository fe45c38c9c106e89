"""Labels as Kuma 2.14.3 computes and refuses them on universal."""

import pytest

from kuma.resources.computed_labels import (
    Place,
    check_immutable_labels,
    check_sent_labels,
    compute_labels,
)
from kuma.resources.resource import AnyResource
from tests.support.builders import (
    a_dataplane,
    a_global_secret,
    a_mesh,
    a_secret,
    a_zone,
    an_external_service,
)

ZONE = Place(zone="east")
GLOBAL = Place(zone="", mode="global")
WRITTEN_HERE = {"kuma.io/env": "universal", "kuma.io/origin": "zone", "kuma.io/zone": "east"}


def computed(resource: AnyResource, place: Place = ZONE) -> dict[str, str]:
    return compute_labels(resource.kind, resource.mesh, resource.spec, resource.labels, place)


@pytest.mark.parametrize(
    ("resource", "labels"),
    [
        (a_mesh(), {}),
        (an_external_service(), {"kuma.io/mesh": "default"}),
        (a_secret(), {**WRITTEN_HERE, "kuma.io/mesh": "default"}),
        (a_global_secret(), WRITTEN_HERE),
        (a_zone(), WRITTEN_HERE),
        (
            a_dataplane(),
            {**WRITTEN_HERE, "kuma.io/mesh": "default", "kuma.io/proxy-type": "sidecar"},
        ),
        (
            a_dataplane(gateway="edge"),
            {**WRITTEN_HERE, "kuma.io/mesh": "default", "kuma.io/proxy-type": "sidecar"},
        ),
        (
            a_dataplane(networking={"gateway": {"type": "BUILTIN"}}),
            {**WRITTEN_HERE, "kuma.io/mesh": "default", "kuma.io/proxy-type": "gateway"},
        ),
    ],
    ids=lambda each: each.kind.name if hasattr(each, "kind") else "",
)
def test_a_zone_labels_what_it_writes(resource: AnyResource, labels: dict[str, str]) -> None:
    assert computed(resource) == dict(sorted(labels.items()))


def test_global_adds_the_mesh_alone() -> None:
    assert computed(a_secret(), GLOBAL) == {"kuma.io/mesh": "default"}


def test_labels_of_the_user_stay() -> None:
    sent = {"app": "x", "kuma.io/env": "kubernetes", "kuma.io/proxy-type": "other"}
    assert computed(a_dataplane(labels=sent)) == {
        "app": "x",
        "kuma.io/env": "kubernetes",
        "kuma.io/mesh": "default",
        "kuma.io/origin": "zone",
        "kuma.io/proxy-type": "sidecar",
        "kuma.io/zone": "east",
    }


def test_a_resource_of_global_gets_no_zone() -> None:
    labels = computed(a_secret(labels={"kuma.io/origin": "global"}))
    assert labels == {"kuma.io/mesh": "default", "kuma.io/origin": "global"}


def test_an_empty_origin_is_none() -> None:
    sent = a_secret(labels={"kuma.io/origin": ""})
    assert list(check_sent_labels(sent, ZONE)) == []
    assert computed(sent) == computed(a_secret())
    assert computed(sent, GLOBAL) == computed(a_secret(), GLOBAL)


def test_labels_that_contradict_the_place_are_refused() -> None:
    sent = {"kuma.io/origin": "foo", "kuma.io/zone": "zz", "kuma.io/mesh": "mm"}
    found = [(v.field, v.message) for v in check_sent_labels(a_dataplane(labels=sent), ZONE)]
    assert found == [
        ('labels["kuma.io/origin"]', 'unknown resource origin "foo"'),
        ('labels["kuma.io/zone"]', "kuma.io/zone label should have east value"),
        (
            'labels["kuma.io/mesh"]',
            "kuma.io/mesh label must not differ from mesh set on resource",
        ),
    ]


def test_what_came_from_global_may_name_another_zone() -> None:
    sent = {"kuma.io/origin": "global", "kuma.io/zone": "zz", "kuma.io/mesh": "mm"}
    assert list(check_sent_labels(a_secret(labels=sent), ZONE)) == []


def test_global_takes_nothing_that_a_zone_wrote() -> None:
    [found] = check_sent_labels(a_secret(labels={"kuma.io/origin": "zone"}), GLOBAL)
    assert found.message == "the origin label must be set to 'global'"


def test_a_workload_is_a_dns_label() -> None:
    [found] = check_sent_labels(a_dataplane(labels={"kuma.io/workload": "A_b"}), ZONE)
    assert found.field == 'labels["kuma.io/workload"]'
    assert found.message.startswith("must be a valid DNS-1035 label: a DNS-1035 label must")
    assert list(check_sent_labels(a_secret(labels={"kuma.io/workload": "A_b"}), ZONE)) == []


def test_origin_zone_and_display_name_stay_what_they_were() -> None:
    old = {
        "kuma.io/origin": "zone",
        "kuma.io/zone": "east",
        "kuma.io/display-name": "a",
        "app": "x",
    }
    new = {"kuma.io/origin": "global", "kuma.io/zone": "east"}
    assert [(v.field, v.message) for v in check_immutable_labels(old, new)] == [
        (
            'labels["kuma.io/origin"]',
            'is immutable, cannot be changed from "zone" to "global"',
        ),
        ('labels["kuma.io/display-name"]', 'is immutable, cannot be removed (was "a")'),
    ]


def test_they_may_be_added() -> None:
    assert list(check_immutable_labels({}, {"kuma.io/display-name": "a"})) == []
