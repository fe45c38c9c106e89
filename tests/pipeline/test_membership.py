"""Members of MeshServices, kept change by change, are those that a look at everything finds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kuma.pipeline.membership import Membership
from kuma.resolve.plain_view import PlainMeshView
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.builders import a_dataplane, a_resource, an_inbound

SERVICES = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["one", "two", "three"])
SELECTORS = st.one_of(
    st.just({}),
    st.builds(lambda name: {"dataplaneRef": {"name": name}}, NAMES),
    st.builds(lambda service: {"dataplaneTags": {"kuma.io/service": service}}, SERVICES),
    st.builds(lambda text: {"dataplaneTags": {"version": text}}, SERVICES),
    st.builds(lambda text: {"dataplaneLabels": {"matchLabels": {"team": text}}}, SERVICES),
    st.just({"dataplaneLabels": {}}),
)
DATAPLANES = st.builds(
    lambda name, served, version, team: a_dataplane(
        name,
        inbounds=[
            an_inbound(each, 80 + at, tags={"version": version}) for at, each in enumerate(served)
        ],
        labels={"team": team},
    ),
    NAMES,
    st.lists(SERVICES, max_size=2),
    SERVICES,
    SERVICES,
)
MESH_SERVICES = st.builds(
    lambda name, selector: a_resource(MESH_SERVICE, name, {"selector": selector}), NAMES, SELECTORS
)
KEYS = st.builds(
    lambda kind, name: ResourceKey(kind, "default", name),
    st.sampled_from([DATAPLANE.name, MESH_SERVICE.name]),
    NAMES,
)
CHANGES = st.one_of(
    st.builds(lambda each: Change(each.key, each), DATAPLANES),
    st.builds(lambda each: Change(each.key, each), MESH_SERVICES),
    st.builds(lambda key: Change(key, None), KEYS),
)


def members(view: Any) -> dict[str, Any]:
    return {each.name: view.members(each.name) for each in view.services(MESH_SERVICE.name)}


@given(st.lists(CHANGES, max_size=12))
def test_members_are_those_that_a_look_at_everything_finds(changes: list[Change]) -> None:
    membership, world = Membership(), dict[ResourceKey, AnyResource]()
    for change in changes:
        before = members(PlainMeshView(world.values(), placements=()))
        if change.resource is None:
            world.pop(change.key, None)
        else:
            world[change.key] = change.resource
        view = PlainMeshView(world.values(), placements=())
        touched = membership.changed(change)
        for name, expected in members(view).items():
            assert membership.members_of("default", name) == expected
            if expected != before.get(name, ()):
                assert ("default", name) in touched
            for member in expected:
                assert name in membership.services_of("default", member.dataplane)
