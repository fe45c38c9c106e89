"""The parts of a plan as Envoy's resources: functions of a renderer and of the part's value.

Each is a query that `compile` remembers by these two, so proxies whose plans share a part share its bytes.
"""

from dataclasses import replace

from kuma.envoy.finished import Finished, Made
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource
from kuma.kit.slots import Slots
from kuma.pipeline.credentials import Trusted
from kuma.plan import names
from kuma.plan.endpoint import EndpointSet
from kuma.plan.proxy import (
    Admin,
    Agent,
    Destination,
    DirectAccess,
    Inbound,
    InboundPassthrough,
    Outbound,
    OutboundPassthrough,
)

Rendered = tuple[EnvoyResource, ...]


def finish(renderer: Renderer, made: Made, conf: Slots) -> Finished:
    return renderer.finish(made, conf)


def add(renderer: Renderer, conf: Slots, ca_path: str) -> Finished:
    return renderer.added(conf, system_ca_path=ca_path)


def render_inbound(renderer: Renderer, inbound: Inbound) -> Rendered:
    return (*renderer.inbound(inbound), *renderer.beside(inbound))


def render_outbound(renderer: Renderer, outbound: Outbound) -> Rendered:
    listener, routes = renderer.outbound(outbound)
    made = (listener,) if routes is None else (listener, routes)
    return (*made, *renderer.beside(outbound))


def render_destination(renderer: Renderer, destination: Destination, ca_path: str) -> Rendered:
    return (renderer.destination(destination, system_ca_path=ca_path),)


def render_passed_in(renderer: Renderer, passed: InboundPassthrough) -> Rendered:
    return renderer.passed_in(passed)


def render_passed_out(renderer: Renderer, passed: OutboundPassthrough) -> tuple[Rendered, Rendered]:
    return renderer.passed_out(passed)


def render_direct(renderer: Renderer, direct: DirectAccess) -> Rendered:
    return renderer.direct_access(direct)


def render_endpoints(renderer: Renderer, name: str, endpoints: EndpointSet) -> Rendered:
    if endpoints.name != name:
        endpoints = replace(endpoints, name=name)
    return (renderer.endpoints(endpoints),)


def render_admin(renderer: Renderer, admin: Admin) -> Rendered:
    return renderer.admin(admin)


def render_agent(renderer: Renderer, agent: Agent) -> Rendered:
    return (renderer.agent(agent),)


def render_trust(renderer: Renderer, name: str, trusted: Trusted) -> Rendered:
    if name == names.TRUST_BUNDLE:
        return (renderer.trust(name, domains=trusted),)
    return (renderer.ca(name, ca=b"".join(bundle for _, bundle in trusted)),)
