"""What a patch may not break."""

from datetime import timedelta
from typing import Any

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.message import as_resource, pack
from kuma.envoy.patch import PatchError, merge_message, parse_yaml, patched, unpack
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.slots import Slots
from kuma.plan.origin import Origin
from kuma.policies.meshproxypatch import KIND
from kuma.policies.meshproxypatch.model import MeshProxyPatchSpec
from kuma.policies.meshproxypatch.placement import place_patches
from kuma.policies.meshproxypatch.shape import SHAPER
from kuma.resolve.placement import Rule, Source

ORIGIN = Origin(KIND.name, "default", "a-patch")
CLUSTER = Cluster(name="api")
MADE = Made(Purpose.OUTBOUND, as_resource(TypeUrl.CLUSTER, "api", CLUSTER))


def a_conf(*modifications: dict[str, Any]) -> Slots:
    spec = MeshProxyPatchSpec.model_validate(
        {"default": {"appendModifications": list(modifications)}}
    )
    (patches,) = place_patches(Rule((), spec.default, (Source(ORIGIN, spec.default),)))
    return Slots((patches,))


def finish(*modifications: dict[str, Any]) -> Finished:
    return Renderer([SHAPER]).finish(MADE, a_conf(*modifications))


def cluster_patch(value: str, **match: str) -> dict[str, Any]:
    return {"cluster": {"operation": "Patch", "match": match, "value": value}}


def test_what_no_patch_speaks_of_stays_as_it_was() -> None:
    finished = finish(
        cluster_patch("altStatName: a", name="other"),
        cluster_patch("altStatName: a", origin="inbound"),
        {"listener": {"operation": "Remove"}},
    )

    assert finished.made[0] is MADE


@pytest.mark.parametrize(
    ("modification", "says"),
    [
        (cluster_patch("connectTimeout: 0s"), "connectTimeout: must be greater than 0 ns"),
        (
            {
                "cluster": {
                    "operation": "Patch",
                    "jsonPatches": [{"op": "replace", "path": "/name/more", "value": 1}],
                }
            },
            'replace "/name/more"',
        ),
        (
            {
                "cluster": {
                    "operation": "Patch",
                    "jsonPatches": [{"op": "add", "path": "/nonsense", "value": 1}],
                }
            },
            'no field named "nonsense"',
        ),
    ],
)
def test_an_impossible_patch_is_told_and_changes_nothing(
    modification: dict[str, Any], says: str
) -> None:
    finished = finish(modification, cluster_patch("altStatName: still-patched"))

    (problem,) = finished.problems
    assert (problem.origin, problem.path) == (ORIGIN, "spec.default.appendModifications[0]")
    assert says in problem.message
    (made,) = finished.made
    assert Cluster.FromString(made.resource.body) == Cluster(
        name="api", alt_stat_name="still-patched"
    )


PROXY = Filter(
    name="envoy.filters.network.tcp_proxy",
    typed_config=pack(TcpProxy(stat_prefix="a", cluster="b")),
)


def http_filters(operation: str, match: str = "") -> list[str]:
    """Of a chain with the filters `a` and `b`, after `new` was added; PROXY beside it is as it was."""
    manager = HttpConnectionManager(
        stat_prefix="c",
        route_config=RouteConfiguration(name="d"),
        http_filters=[HttpFilter(name=name) for name in "ab"],
    )
    name = "envoy.filters.network.http_connection_manager"
    filters = [PROXY, Filter(name=name, typed_config=pack(manager))]
    listener = Listener(name="in", filter_chains=[FilterChain(filters=filters)])
    made = Made(Purpose.INBOUND, as_resource(TypeUrl.LISTENER, "in", listener))
    wanted = {"match": {"name": match}} if match else {}
    patch = {"httpFilter": {"operation": operation, "value": "name: new", **wanted}}

    finished = Renderer([SHAPER]).finish(made, a_conf(patch))

    assert finished.problems == ()
    [chain] = Listener.FromString(finished.made[0].resource.body).filter_chains
    assert chain.filters[0] == PROXY
    made_of = HttpConnectionManager.FromString(chain.filters[1].typed_config.value)
    return [each.name for each in made_of.http_filters]


@pytest.mark.parametrize(
    ("operation", "match", "expected"),
    [
        ("AddFirst", "", ["new", "a", "b"]),
        ("AddLast", "", ["a", "b", "new"]),
        ("AddBefore", "b", ["a", "new", "b"]),
        ("AddAfter", "a", ["a", "new", "b"]),
        ("AddAfter", "none", ["a", "b"]),
        ("Remove", "a", ["b"]),
    ],
)
def test_filters_are_added_where_it_says(operation: str, match: str, expected: list[str]) -> None:
    assert http_filters(operation, match) == expected


def test_a_removed_cluster_can_be_added_anew() -> None:
    add = {"cluster": {"operation": "Add", "value": "name: api\naltStatName: mine"}}
    conf = a_conf({"cluster": {"operation": "Remove", "match": {"name": "api"}}}, add)
    renderer = Renderer([SHAPER])

    assert renderer.finish(MADE, conf).made == ()
    (added,) = renderer.added(conf).made
    assert Cluster.FromString(added.resource.body).alt_stat_name == "mine"
    assert added.purpose == "proxy-template-modifications"


def test_merging_sets_fields_lengthens_lists_and_replaces_values() -> None:
    listener = Listener(name="a", enable_reuse_port=BoolValue(value=True))
    listener.listener_filters.add(name="one")
    patch = parse_yaml(
        "enableReusePort: false\nlistenerFilters: [{name: two}]\n"
        "metadata: {filterMetadata: {x: {a: b}}}",
        Listener,
    )

    merge_message(listener, patch)

    assert listener.HasField("enable_reuse_port")
    assert not listener.enable_reuse_port.value
    assert [each.name for each in listener.listener_filters] == ["one", "two"]
    assert listener.metadata.filter_metadata["x"].fields["a"].string_value == "b"


def test_durations_may_be_written_as_in_policies() -> None:
    """Kuma's own example of an idle timeout, `3h`, is written so."""
    proxy = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    filters = parse_yaml(
        "filters: [{name: tcp, typedConfig: {"
        f"'@type': type.googleapis.com/{proxy}, idleTimeout: 3h, stat_prefix: a}}}}]",
        FilterChain,
    ).filters
    cluster = patched(CLUSTER, [{"op": "add", "path": "/connectTimeout", "value": "1m30.5s"}])

    assert unpack(filters[0].typed_config).idle_timeout.seconds == 3 * 3600  # type: ignore[attr-defined]
    assert cluster.connect_timeout.ToTimedelta() == timedelta(seconds=90.5)
    assert parse_yaml("connectTimeout: 0.25s", Cluster).connect_timeout.nanos == 250_000_000
    assert parse_yaml("connectTimeout: 1.000000001s", Cluster).connect_timeout.nanos == 1
    with pytest.raises(PatchError, match='invalid duration "3 hours"'):
        parse_yaml("connectTimeout: 3 hours", Cluster)


def test_json_patch_makes_what_is_missing_and_counts_from_the_end() -> None:
    listener = Listener(name="a")
    listener.listener_filters.add(name="one")
    listener.listener_filters.add(name="two")

    changed = patched(
        listener,
        [
            {"op": "add", "path": "/address/socketAddress/portValue", "value": 80},
            {"op": "remove", "path": "/listenerFilters/-1"},
            {"op": "remove", "path": "/statPrefix"},
            {"op": "copy", "path": "/statPrefix", "from": "/name"},
        ],
    )

    assert changed.address.socket_address.port_value == 80
    assert [each.name for each in changed.listener_filters] == ["one"]
    assert changed.stat_prefix == "a"


def test_a_json_patch_to_nowhere_is_an_error() -> None:
    with pytest.raises(PatchError, match="move"):
        patched(Listener(name="a"), [{"op": "move", "path": "/statPrefix", "from": "/gone"}])


def test_copies_cannot_double_a_message_without_end() -> None:
    copies = [
        {"op": "copy", "from": "/metadata", "path": f"/metadata/filterMetadata/x{number}"}
        for number in range(40)
    ]
    with pytest.raises(PatchError, match="more than 100000 values are copied"):
        patched(parse_yaml("name: a\nmetadata: {filterMetadata: {a: {b: c}}}", Listener), copies)
