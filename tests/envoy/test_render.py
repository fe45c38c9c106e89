"""Rules that hold for everything rendered, and the forms that others rely on."""

from dataclasses import replace

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)

from kuma.envoy.address import FIRST_FETCH
from kuma.envoy.http_filters import ORDER, ROUTER, in_order
from kuma.envoy.print import as_json, parse_message
from kuma.envoy.render import Renderer
from kuma.envoy.shaper import Shaper, Upstream
from kuma.envoy.snapshot import TypeUrl
from kuma.plan import names
from kuma.plan.endpoint import Endpoint, EndpointSet
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Admin, Destination
from kuma.plan.secret import SecretBytes
from kuma.plan.tls import ExternalTls
from kuma.policies.shapers import SHAPERS
from tests.envoy.plans import (
    a_destination,
    an_external,
    an_http_outbound,
    an_inbound,
    endpoint_set,
    inbound_tls,
    mutual_tls,
)

RENDERER = Renderer(SHAPERS)


def test_equal_plans_give_equal_bytes_and_versions() -> None:
    tags = (("a", "1"), ("b", "2"), ("c", "3"))
    for _ in range(3):
        endpoint = Endpoint("192.168.0.1", 80, tags)
        assert RENDERER.endpoints(endpoint_set(endpoint)) == RENDERER.endpoints(
            endpoint_set(replace(endpoint, tags=tuple(tags)))
        )
        assert RENDERER.inbound(an_inbound()) == RENDERER.inbound(an_inbound())


def test_a_version_tells_contents_apart() -> None:
    plain = RENDERER.destination(a_destination())
    secured = RENDERER.destination(a_destination(tls=mutual_tls()))
    assert plain.name == secured.name
    assert plain.version != secured.version
    assert len(plain.version) == 16


def test_shapers_edit_in_their_order() -> None:
    class Naming(Shaper):
        def __init__(self, text: str) -> None:
            self.text = text

        def destination_cluster(self, upstream: Upstream, destination: Destination) -> None:
            upstream.cluster.alt_stat_name += self.text

    made = Renderer([Naming("a"), Naming("b")]).destination(a_destination())
    assert Cluster.FromString(made.body).alt_stat_name == "ab"


def test_http_filters_stand_in_the_order_of_the_table() -> None:
    listener, *_ = RENDERER.inbound(an_inbound(Protocol.GRPC, tls=inbound_tls()))
    chain = Listener.FromString(listener.body).filter_chains[0]
    manager = HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
    assert [each.name for each in manager.http_filters] == [name for name, _ in ORDER]


def test_a_filter_that_the_table_does_not_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        in_order([HttpFilter(name="envoy.filters.http.lua")])


def test_the_router_is_last_and_every_filter_has_a_reason() -> None:
    assert ORDER[-1][0] == ROUTER
    assert all(reason for _, reason in ORDER)


def test_what_comes_over_xds_is_named_by_what_fetches_it() -> None:
    listener, routes = RENDERER.outbound(an_http_outbound())
    inbound_listener, _, inbound_routes = RENDERER.inbound(an_inbound())
    assert routes is not None
    fetched = [_route_name(listener.body), _route_name(inbound_listener.body)]
    assert fetched == [routes.name, inbound_routes.name]
    assert {routes.type_url, inbound_routes.type_url} == {TypeUrl.ROUTE}


def _route_name(listener: bytes) -> str:
    packed = Listener.FromString(listener).filter_chains[0].filters[0].typed_config
    rds = HttpConnectionManager.FromString(packed.value).rds
    assert rds.config_source.initial_fetch_timeout.ToTimedelta() == FIRST_FETCH
    return rds.route_config_name


def test_endpoints_are_grouped_by_priority_and_zone() -> None:
    made = RENDERER.endpoints(
        endpoint_set(
            Endpoint("192.168.0.1", 80, zone="east", priority=1),
            Endpoint("192.168.0.2", 80, zone="west", weight=3),
            Endpoint("192.168.0.3", 80, zone="east", priority=1),
        )
    )
    groups = ClusterLoadAssignment.FromString(made.body).endpoints
    shown = [(each.priority, each.locality.zone, len(each.lb_endpoints)) for each in groups]
    assert shown == [(0, "west", 1), (1, "east", 2)]
    assert groups[0].lb_endpoints[0].load_balancing_weight.value == 3


def test_tags_are_told_once_unless_they_choose_the_transport_socket() -> None:
    endpoint = Endpoint("192.168.0.1", 80, tags=(("kuma.io/service", "web"), ("version", "v1")))
    for matches, told in (
        (False, ["envoy.lb"]),
        (True, ["envoy.lb", "envoy.transport_socket_match"]),
    ):
        made = RENDERER.endpoints(EndpointSet("web", (endpoint,), matches_sockets=matches))
        [group] = ClusterLoadAssignment.FromString(made.body).endpoints
        metadata = group.lb_endpoints[0].metadata.filter_metadata
        assert sorted(metadata) == told
        assert all(dict(fields) == {"version": "v1"} for fields in metadata.values())


def test_a_service_without_endpoints_has_an_empty_assignment() -> None:
    made = RENDERER.endpoints(endpoint_set(name="missing"))
    assert made.name == "missing"
    assert as_json(made) == {"clusterName": "missing"}


def test_a_key_is_sent_and_never_shown() -> None:
    secret = RENDERER.certificate("mine", chain=b"chain", key=SecretBytes(b"private"))
    assert b"private" in secret.body
    assert "private" not in str(as_json(secret)).replace("privateKey", "")
    assert as_json(secret)["tlsCertificate"]["privateKey"] == "<redacted>"


def test_a_key_inside_of_a_cluster_is_not_shown_either() -> None:
    tls = ExternalTls("example.com", client_cert=b"cert", client_key=SecretBytes(b"private"))
    made = RENDERER.destination(an_external(("example.com", 443), tls=tls))
    assert b"private" in made.body
    context = as_json(made)["transportSocket"]["typedConfig"]["commonTlsContext"]
    assert context["tlsCertificates"][0]["privateKey"] == "<redacted>"


def test_a_packed_message_is_shown_with_its_type() -> None:
    socket = as_json(RENDERER.destination(a_destination(tls=mutual_tls())))["transportSocket"]
    assert socket["typedConfig"]["@type"].endswith("UpstreamTlsContext")


def test_admin_is_open_to_the_control_plane_and_ready_to_everybody() -> None:
    admin = Admin("192.168.0.1", 9901, 9902, socket="/run/admin.sock")
    interface, readiness, listener = map(parse_message, RENDERER.admin(admin))
    assert [interface.name, readiness.name] == [names.ADMIN, names.READINESS]
    assert isinstance(listener, Listener)
    plain, secured = listener.filter_chains
    assert [_paths(plain), _paths(secured)] == [["/ready"], ["/ready", "/"]]
    assert not plain.HasField("transport_socket")
    assert secured.filter_chain_match.transport_protocol == "tls"


def _paths(chain) -> list[str]:
    manager = HttpConnectionManager.FromString(chain.filters[0].typed_config.value)
    routes = manager.route_config.virtual_hosts[0].routes
    return [route.match.path or route.match.prefix for route in routes]


@pytest.mark.parametrize(
    "admin",
    [
        Admin("192.168.0.1", 0, 9902, socket="/run/admin.sock"),
        Admin("127.0.0.1", 9901, 9902, tcp_port=9901),
    ],
    ids=["none is wanted", "Envoy itself is there"],
)
def test_there_may_be_no_admin_listener(admin: Admin) -> None:
    types = [each.type_url for each in RENDERER.admin(admin)]
    assert types == [TypeUrl.CLUSTER, TypeUrl.CLUSTER]
