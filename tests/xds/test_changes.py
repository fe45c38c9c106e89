"""What differs between layered states is what differs between their contents, worked out once."""

from hypothesis import given
from hypothesis import strategies as st

from kuma.envoy.snapshot import EnvoyResource, Layered, Snapshot, TypeUrl, layered
from kuma.xds.changes import Changes, compare
from kuma.xds.wire import delta_entries


def a_resource(name: str, version: str) -> EnvoyResource:
    return EnvoyResource(TypeUrl.CLUSTER, name, version, f"{name}@{version}".encode())


resources = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123")).map(
    lambda versions: {name: a_resource(name, version) for name, version in versions.items()}
)
states = st.tuples(resources, resources).map(lambda layers: layered(*layers))


@given(states, states)
def test_a_difference_of_layers_is_that_of_their_content(old, new) -> None:
    found, expected = Changes().between(old, new), compare(dict(old), dict(new))
    assert set(found.upserted) == set(expected.upserted)
    assert set(found.gone) == set(expected.gone)
    assert len(found.upserted) == len(expected.upserted)
    assert found.added == expected.added
    assert sorted(found.delta_entries()) == sorted(delta_entries(expected.upserted))


@given(resources, resources)
def test_layers_are_read_as_one_mapping(own, shared) -> None:
    both = Layered(own, shared)
    assert dict(both) == {**shared, **own}
    assert len(both) == len(list(both))
    assert both == {**shared, **own}
    assert all(name in both and both[name] is own.get(name, shared.get(name)) for name in both)


def test_proxies_share_the_change_of_what_they_share() -> None:
    before, after = {"a": a_resource("a", "1")}, {"a": a_resource("a", "2")}
    own = [{name: a_resource(name, "1")} for name in ("x", "y")]
    changes = Changes()
    first, second = (changes.between(Layered(o, before), Layered(o, after)) for o in own)
    assert first is second
    first.delta_entries()
    assert second.delta_entries() is first.delta_entries()


def test_clusters_that_warm_together_share_their_endpoints() -> None:
    clusters = (a_resource("a", "2"), a_resource("b", "2"), a_resource("static", "1"))
    assigned = {name: a_resource(name, "1") for name in ("a", "b", "c")}
    changes = Changes()
    change = changes.again(clusters, assigned)
    assert change is changes.again(clusters, assigned)
    assert [each.name for each in change.upserted] == ["a", "b"]


def test_a_snapshot_keeps_the_objects_of_what_is_equal() -> None:
    clusters, endpoints = {"a": a_resource("a", "1")}, {"a": a_resource("a", "1")}
    before = Snapshot({TypeUrl.CLUSTER: clusters, TypeUrl.ENDPOINT: endpoints})
    changed = {"a": a_resource("a", "2")}
    after = Snapshot({TypeUrl.CLUSTER: changed, TypeUrl.ENDPOINT: dict(endpoints)}).after(before)
    assert after.of(TypeUrl.ENDPOINT) is endpoints
    assert after.of(TypeUrl.CLUSTER) is changed
