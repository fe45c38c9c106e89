"""Decisions that depend on more than the document: on its mesh, its past, its neighbours."""

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from kuma.resources.admission import View, admit, check_delete, owner_of
from kuma.resources.computed_labels import Place
from kuma.resources.errors import InvalidResource, MeshNotFound, Refused
from kuma.resources.kinds.mesh import MeshSpec
from kuma.resources.kinds.zone_insight import ZONE_INSIGHT
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.violation import Violation
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_resource,
    a_secret,
    a_zone,
    an_external_service,
)
from tests.support.replicas import replica_of

EAST = Place(zone="east")
DEFAULT = a_mesh()


def admitted(
    new: AnyResource,
    existing: AnyResource | None = None,
    *,
    mesh: Resource[MeshSpec] | None = DEFAULT,
    place: Place = EAST,
) -> AnyResource:
    return admit(new, existing, mesh=mesh, view=replica_of(), place=place)


def violations(
    new: AnyResource,
    existing: AnyResource | None = None,
    *,
    mesh: Resource[MeshSpec] | None = DEFAULT,
) -> list[tuple[str, str]]:
    with pytest.raises(InvalidResource) as caught:
        admitted(new, existing, mesh=mesh)
    return [(each.field, each.message) for each in caught.value.violations]


def tags_of(dataplane: AnyResource) -> list[dict[str, str]]:
    return [dict(tags) for tags in dataplane.spec.tag_sets()]  # type: ignore[attr-defined]


def test_inbounds_and_gateway_are_tagged_with_the_zone() -> None:
    tagged = {"kuma.io/service": "a", "kuma.io/zone": "east"}
    inbounds = [
        {"port": 1, "tags": {"kuma.io/service": "a"}},
        {"port": 2, "tags": {"kuma.io/service": "a", "kuma.io/zone": "west"}},
    ]
    assert tags_of(admitted(a_dataplane(inbounds=inbounds))) == [tagged, tagged]
    assert tags_of(admitted(a_dataplane(gateway="a"))) == [tagged]


def test_what_has_no_tags_gets_none_so_that_it_can_be_written_back() -> None:
    once = admitted(a_dataplane(inbounds=[{"port": 1}]))
    assert tags_of(once) == [{}]
    assert admitted(once, once).same_content(once)


def test_global_tags_nothing() -> None:
    dataplane = a_dataplane(inbounds=[{"port": 1, "tags": {"kuma.io/service": "a"}}])
    place = Place(zone="", mode="global")
    assert tags_of(admitted(dataplane, place=place)) == [{"kuma.io/service": "a"}]


def test_admitting_what_was_admitted_changes_nothing() -> None:
    for each in (a_dataplane(outbounds={9000: "db"}), a_secret(), an_external_service()):
        once = admitted(each)
        assert admitted(once, once).same_content(once)


def test_a_mesh_scoped_resource_needs_its_mesh() -> None:
    with pytest.raises(MeshNotFound, match='mesh "other" is not found'):
        admitted(a_secret(mesh="other"), mesh=None)


def test_every_violation_is_reported_at_once() -> None:
    new = a_dataplane(address="", labels={"kuma.io/zone": "west"})
    old = a_dataplane(labels={"kuma.io/display-name": "b"})
    assert violations(new, old) == [
        ('labels["kuma.io/zone"]', "kuma.io/zone label should have east value"),
        ("networking.address", "address can't be empty"),
        (
            'labels["kuma.io/zone"]',
            'is immutable, cannot be changed from "east" to "west"',
        ),
        ('labels["kuma.io/display-name"]', 'is immutable, cannot be removed (was "b")'),
    ]


def test_the_name_of_a_new_mesh_is_short() -> None:
    long = a_mesh("m" * 64)
    assert violations(long) == [("name", "cannot be longer than 63 characters")]
    assert admitted(long, long).same_content(long), "an old one may stay"


FORBIDDEN = (
    "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA"
)


def test_an_authority_in_force_is_not_switched() -> None:
    old = a_mesh(mtls=True, backend="ca-1")
    new = a_mesh(mtls=True, backend="ca-2")
    assert violations(new, old) == [("mtls.enabledBackend", FORBIDDEN)]


def test_nor_replaced_by_one_of_another_type_with_its_name() -> None:
    conf = {"cert": {"secret": "c"}, "key": {"secret": "k"}}
    one = {"name": "ca-1", "type": "provided", "conf": conf}
    new = a_mesh(spec={"mtls": {"enabledBackend": "ca-1", "backends": [one]}})
    assert violations(new, a_mesh(mtls=True)) == [("mtls.backends[0].type", FORBIDDEN)]


def test_it_is_switched_in_the_documented_order() -> None:
    """Disable mutual TLS, change the authority, enable mutual TLS."""
    steps = [
        a_mesh(mtls=True, backend="ca-1"),
        a_mesh(spec={"mtls": {"backends": [{"name": "ca-1", "type": "builtin"}]}}),
        a_mesh(spec={"mtls": {"backends": [{"name": "ca-2", "type": "builtin"}]}}),
        a_mesh(mtls=True, backend="ca-2"),
        a_mesh(permissive=True, backend="ca-2"),
        a_mesh(),
    ]
    for old, new in itertools.pairwise(steps):
        assert admitted(new, old).spec == new.spec


def a_guarded_mesh(**constraints: Any) -> Resource[MeshSpec]:
    return a_mesh(spec={"constraints": {"dataplaneProxy": constraints}})


def a_member(**tags: str) -> AnyResource:
    return a_dataplane(inbounds=[{"port": 1, "tags": {"kuma.io/service": "a", **tags}}])


def test_a_dataplane_must_meet_a_requirement_of_its_mesh() -> None:
    mesh = a_guarded_mesh(
        requirements=[{"tags": {"team": "*", "kuma.io/zone": "east"}}, {"tags": {"old": "yes"}}]
    )
    for welcome in (a_member(team="x"), a_member(old="yes")):
        admitted(welcome, mesh=mesh)
    assert violations(a_member(old="no"), mesh=mesh) == [
        (
            "networking.inbound[0].tags",
            (
                'dataplane cannot be a member of mesh "default" because its tags '
                '"kuma.io/service=a kuma.io/zone=east old=no" does not fulfill any requirements defined '
                "on the Mesh"
            ),
        )
    ]


def test_a_dataplane_must_not_meet_a_restriction_of_its_mesh() -> None:
    mesh = a_guarded_mesh(restrictions=[{"tags": {"team": "bad"}}])
    admitted(a_member(team="good"), mesh=mesh)
    assert violations(a_dataplane(gateway="a", tags={"team": "bad"}), mesh=mesh) == [
        (
            "networking.gateway.tags",
            (
                'dataplane cannot be a member of mesh "default" because its tags '
                '"kuma.io/service=a kuma.io/zone=east team=bad" matches restricted tags "team=bad" '
                "defined on the Mesh"
            ),
        )
    ]


def test_checks_of_other_parts_are_asked() -> None:
    def no_secrets_named_x(resource: AnyResource, view: View) -> Iterable[Violation]:
        if view.find(resource.key) is None and resource.name == "x":
            yield Violation("name", "not x")

    with pytest.raises(InvalidResource, match="name: not x"):
        admit(
            a_secret("x"),
            None,
            mesh=DEFAULT,
            view=replica_of(),
            place=EAST,
            checks=[no_secrets_named_x],
        )


@pytest.mark.parametrize(
    ("resource", "owner"),
    [
        (a_mesh(), None),
        (a_zone(), None),
        (a_secret(mesh="m"), ResourceKey("Mesh", "", "m")),
        (a_dataplane(mesh="m"), ResourceKey("Mesh", "", "m")),
        (a_dataplane_insight("d", mesh="m"), ResourceKey("Dataplane", "m", "d")),
        (a_resource(ZONE_INSIGHT, "z", {}), ResourceKey("Zone", "", "z")),
    ],
    ids=lambda each: each.kind if isinstance(each, ResourceKey) else "",
)
def test_resources_are_owned_by_their_mesh_and_insights_by_what_they_are_about(
    resource: AnyResource, owner: ResourceKey | None
) -> None:
    assert owner_of(resource) == owner


def refused(resource: AnyResource, *others: AnyResource) -> list[tuple[str, str]]:
    with pytest.raises(Refused) as caught:
        check_delete(resource, replica_of(resource, *others))
    return [(each.field, each.message) for each in caught.value.violations]


def test_a_mesh_with_dataplanes_is_not_deleted() -> None:
    message = "unable to delete mesh, there are still some dataplanes attached"
    assert refused(DEFAULT, a_dataplane()) == [("mesh", message)]
    check_delete(DEFAULT, replica_of(DEFAULT, a_dataplane(mesh="other"), a_secret()))


def test_a_secret_of_an_authority_is_not_deleted() -> None:
    secret = a_secret("default.ca-builtin-cert-ca-1")
    [(field, message)] = refused(secret, a_mesh(mtls=True))
    assert field == "name"
    assert message == (
        'The secret "default.ca-builtin-cert-ca-1" that you are trying to remove is currently in use '
        'in Mesh "default" in mTLS backend "ca-1". Please remove the reference from the "ca-1" '
        "backend before removing the secret."
    )
    check_delete(secret, replica_of(secret, a_mesh()))
    check_delete(secret, replica_of(secret))


def test_a_zone_that_is_online_is_not_deleted() -> None:
    online = {"subscriptions": [{"id": "1", "connectTime": "2026-01-01T00:00:00Z"}]}
    offline = {
        "subscriptions": [
            {
                "id": "1",
                "connectTime": "2026-01-01T00:00:00Z",
                "disconnectTime": "2026-01-01T00:00:01Z",
            }
        ]
    }
    message = "unable to delete Zone, Zone CP is still connected, please shut it down first"
    zone = a_zone("east")
    assert refused(zone, a_resource(ZONE_INSIGHT, "east", online)) == [("zone", message)]
    check_delete(zone, replica_of(zone, a_resource(ZONE_INSIGHT, "east", offline)))
    check_delete(zone, replica_of(zone))
