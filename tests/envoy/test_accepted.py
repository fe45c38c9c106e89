"""The real Envoy accepts every form of what is rendered, without any policy."""

from collections.abc import Iterator

from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource
from kuma.plan.endpoint import Endpoint
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Admin
from kuma.plan.tls import ExternalTls, TlsMode
from tests.envoy.plans import (
    a_destination,
    a_tcp_outbound,
    an_external,
    an_http_outbound,
    an_inbound,
    endpoint_set,
    inbound_tls,
    mutual_tls,
)
from tests.support.envoy_validate import rejections

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def every_form() -> Iterator[tuple[str, tuple[EnvoyResource | None, ...]]]:
    renderer = Renderer()
    for protocol in Protocol:
        for tls in (None, inbound_tls(), inbound_tls(TlsMode.PERMISSIVE)):
            mode = tls.mode if tls else "plain"
            yield f"inbound {protocol} {mode}", renderer.inbound(an_inbound(protocol, tls=tls))
        if protocol.is_http:
            yield f"outbound {protocol}", renderer.outbound(an_http_outbound(protocol=protocol))
        for upstream in (None, mutual_tls()):
            destination = a_destination(protocol=protocol, tls=upstream)
            yield f"to {protocol} {upstream}", (renderer.destination(destination),)
        external = an_external(("example.com", 443), protocol=protocol, tls=ExternalTls(""))
        yield f"external {protocol}", (renderer.destination(external),)
    yield "outbound tcp", renderer.outbound(a_tcp_outbound(("a", 1)))
    yield "outbound tcp, split", renderer.outbound(a_tcp_outbound(("a", 1), ("b", 2), ("c", 0)))
    yield "outbound tcp, nowhere", renderer.outbound(a_tcp_outbound(("c", 0)))
    yield "endpoints", (renderer.endpoints(endpoint_set(Endpoint("1.2.3.4", 80, healthy=False))),)
    yield "no endpoints", (renderer.endpoints(endpoint_set()),)
    yield "admin", renderer.admin(Admin("192.168.0.1", 9901, 9902, socket="/tmp/admin.sock"))
    yield "admin over TCP", renderer.admin(Admin("192.168.0.1", 9901, 9902, tcp_port=9901))


def test_envoy_accepts_every_form() -> None:
    cases = {name: [part for part in parts if part] for name, parts in every_form()}
    assert rejections(cases) == {}
