"""MeshServices behind MeshMultiZoneServices, kept change by change, are those that a look at everything
finds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kuma.pipeline.matching import Matching
from kuma.resolve.plain_view import PlainMeshView
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.builders import a_resource

NAMES = st.sampled_from(["one", "two", "three"])
LABELS = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]))


def a_multi_zone_service(name: str, labels: dict[str, str]) -> AnyResource:
    spec = {"selector": {"meshService": {"matchLabels": labels}}, "ports": [{"port": 80}]}
    return a_resource(MESH_MULTI_ZONE_SERVICE, name, spec)


CHANGES = st.one_of(
    st.builds(
        lambda name, labels: a_resource(MESH_SERVICE, name, {}, labels=labels), NAMES, LABELS
    ).map(lambda each: Change(each.key, each)),
    st.builds(a_multi_zone_service, NAMES, LABELS).map(lambda each: Change(each.key, each)),
    st.builds(
        lambda kind, name: Change(ResourceKey(kind, "default", name), None),
        st.sampled_from([MESH_MULTI_ZONE_SERVICE.name, MESH_SERVICE.name]),
        NAMES,
    ),
)


def matches(view: Any) -> dict[str, Any]:
    return {each.name: view.matched(each.name) for each in view.services("MeshMultiZoneService")}


@given(st.lists(CHANGES, max_size=12))
def test_matches_are_those_that_a_look_at_everything_finds(changes: list[Change]) -> None:
    matching, held = Matching(), dict[ResourceKey, AnyResource]()
    for change in changes:
        before = matches(PlainMeshView(held.values(), placements=()))
        if change.resource is None:
            held.pop(change.key, None)
        else:
            held[change.key] = change.resource

        told = {name for _, name in matching.changed(change)}

        now = matches(PlainMeshView(held.values(), placements=()))
        differs = {name for name in before | now if before.get(name) != now.get(name)}
        assert differs <= told
        assert {name: matching.services_of("default", name) for name in now} == now
