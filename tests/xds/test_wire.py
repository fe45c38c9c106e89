"""What is assembled from shared bytes reads as what protobuf would have written."""

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from kuma.envoy.snapshot import NOTHING, EnvoyResource, TypeUrl
from kuma.xds import wire
from kuma.xds.changes import Changes, compare
from tests.xds.world import CLUSTER, a_resource, named

resources = st.lists(
    st.builds(
        EnvoyResource,
        st.sampled_from(TypeUrl),
        st.text(max_size=200),
        st.text(max_size=40),
        st.binary(max_size=70_000),
    ),
    max_size=6,
)


@given(resources, st.lists(st.text(max_size=200)), st.text(max_size=20))
def test_a_delta_answer_reads_as_written(
    found: list[EnvoyResource], removed: list[str], identifier: str
) -> None:
    tail = wire.control_plane_field(identifier, delta=True)
    entries = wire.delta_entries(found)
    body = wire.delta_response(TypeUrl.ROUTE, entries, removed, nonce="2a", tail=tail)
    expected = DeltaDiscoveryResponse(type_url=TypeUrl.ROUTE, removed_resources=removed, nonce="2a")
    for each in found:
        content = Any(type_url=each.type_url, value=each.body)
        expected.resources.add(name=each.name, version=each.version, resource=content)
    if identifier:
        expected.control_plane.identifier = identifier
    assert DeltaDiscoveryResponse.FromString(body) == expected


@given(resources, st.text(max_size=20))
def test_a_state_answer_reads_as_written(found: list[EnvoyResource], identifier: str) -> None:
    tail = wire.control_plane_field(identifier, delta=False)
    entries = wire.state_entries(found)
    body = wire.state_response(TypeUrl.LISTENER, entries, version="v", nonce="1f", tail=tail)
    expected = DiscoveryResponse(type_url=TypeUrl.LISTENER, version_info="v", nonce="1f")
    for each in found:
        expected.resources.add(type_url=each.type_url, value=each.body)
    if identifier:
        expected.control_plane.identifier = identifier
    assert DiscoveryResponse.FromString(body) == expected


def test_a_version_depends_on_content_and_not_on_order() -> None:
    one, two = a_resource(CLUSTER, "one"), a_resource(CLUSTER, "two")
    assert wire.version_of([one, two]) == wire.version_of([two, one])
    assert wire.version_of([one, two]) != wire.version_of([one])


def test_a_change_tells_what_came_what_changed_and_what_left() -> None:
    same, old, new = (a_resource(CLUSTER, "same"), *(a_resource(CLUSTER, "c", v) for v in "12"))
    left, came = a_resource(CLUSTER, "left"), a_resource(CLUSTER, "came")
    equal = a_resource(CLUSTER, "same")
    change = compare(named(same, old, left), named(equal, new, came))
    assert (change.upserted, change.gone, change.added) == ((new, came), (left,), True)
    change = compare(named(same, old), named(equal, new))
    assert (change.upserted, change.gone, change.added) == ((new,), (), False)


def test_streams_that_go_the_same_way_share_the_change_and_its_bytes() -> None:
    changes = Changes()
    state = named(a_resource(CLUSTER, "one"))
    first, second = changes.between(NOTHING, state), changes.between(NOTHING, state)
    assert first is second
    assert first.delta_entries() == wire.delta_entries(state.values())
    assert second.delta_entries() is first.delta_entries()


def test_only_so_many_changes_are_remembered() -> None:
    changes = Changes(remembered=2)
    states = [named(a_resource(CLUSTER, str(number))) for number in range(3)]
    first = changes.between(NOTHING, states[0])
    for state in states[1:]:
        changes.between(NOTHING, state)
    assert changes.between(NOTHING, states[0]) is not first
