"""What becomes of redirected traffic that is for no inbound and no outbound of the proxy.

Source: reference 6.2 to 6.4 and 11; https://kuma.io/docs/2.14.x/networking/non-mesh-traffic
"""

from kuma.kit.derived import derived, shared
from kuma.kit.slots import EMPTY, Slots
from kuma.plan.proxy import DirectAccess, InboundPassthrough, OutboundPassthrough
from kuma.plan.tls import MutualTls, Secrets, TlsMode
from kuma.resolve.client import Client
from kuma.resolve.collectors import with_collectors
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.inbounds import receiving
from kuma.resolve.match import matched_policies
from kuma.resolve.redirection import BIND_OUTBOUNDS, STRICT_INBOUND_PORTS, Redirection
from kuma.resolve.rules import placement_of, proxy_rule, rule_for
from kuma.resolve.secrets import mesh_secrets, trusted_prefixes
from kuma.resolve.subject import Subject
from kuma.resolve.view import SERVICE_LESS_PORT, MeshView
from kuma.resources.kinds.dataplane import DataplaneSpec

ALL_SERVICES = "*"
OUTSIDE = "pass_through"
"""What policies may call it. Source: Kuma."""


@derived
def passed_out(
    view: MeshView, subject: Subject, client: Client, redirection: Redirection
) -> tuple[OutboundPassthrough, ...]:
    """Shared by the proxies of a class, as all of the sending side is."""
    said, port = _said(view, subject), redirection.outbound_port
    if said is None:
        said, is_open = EMPTY, False
    else:
        is_open = passthrough(view)
    conf = with_collectors(view, _as_to_a_service(view, client, said))
    versions = redirection.versions if port else ()
    return tuple(OutboundPassthrough(each, port, is_open, conf) for each in versions)


@derived
def passthrough(view: MeshView) -> bool:
    """Whether it is open unless a policy says otherwise."""
    mesh = view.mesh()
    return mesh is None or mesh.spec.passthrough


def _said(view: MeshView, subject: Subject) -> Slots | None:
    """None: policies speak of it, and it is not known what they say."""
    slots = EMPTY
    for placement in view.placements:
        if placement.on_passthrough is None:
            continue
        policies = matched_policies(view, placement.name, subject).names
        if not policies:
            continue
        rule = proxy_rule(view, placement.name, policies)
        confs = () if rule is None else placement.on_passthrough(rule)
        if not confs:
            return None
        for conf in confs:
            slots = slots.put(conf)
    return slots


def _as_to_a_service(view: MeshView, client: Client, slots: Slots) -> Slots:
    """With what is said of calls to all services, of some kinds."""
    for kind, policies in client.policies:
        if not placement_of(view, kind).on_outside:
            continue
        if (rule := rule_for(view, kind, policies, OUTSIDE)) is not None:
            slots = slots.put(rule.conf)
            slots = slots if client.logged is None else slots.put(client.logged)
    return slots


def passed_in(
    view: MeshView,
    spec: DataplaneSpec,
    subject: Subject,
    redirection: Redirection,
    features: tuple[str, ...],
    *,
    secrets: Secrets | None,
) -> tuple[InboundPassthrough, ...]:
    """With strict mutual TLS only the ports of inbounds, where the proxy can keep to it: plaintext must
    not come in beside it."""
    port = redirection.inbound_port
    if not port or BIND_OUTBOUNDS in features:
        return ()
    inbounds = spec.networking.inbound
    behaviours = (receiving(view, subject, position, secrets) for position in range(len(inbounds)))
    is_strict = STRICT_INBOUND_PORTS in features and any(
        each.tls is not None and each.tls.mode is TlsMode.STRICT for each in behaviours
    )
    if not is_strict:
        return tuple(InboundPassthrough(each, port) for each in redirection.versions)
    ports = sorted({each.port for each in inbounds})
    listened = tuple(each for each in ports if each != SERVICE_LESS_PORT)
    closed = tuple(each for each in ports if each == SERVICE_LESS_PORT)
    return tuple(InboundPassthrough(v, port, listened, closed) for v in redirection.versions)


def direct_access(
    view: MeshView,
    name: str,
    services: tuple[str, ...],
    taken: frozenset[tuple[str, int]],
    client: Client,
) -> DirectAccess:
    """The instances of `services`, but for the proxy itself and what is at `taken`."""
    found = _instances(view, services)
    chosen = {(address, port) for dataplane, address, port in found if dataplane != name}
    return DirectAccess(
        tuple(sorted(chosen - taken)),
        _tls_to_anybody(view, client.secrets),
        with_collectors(view, _as_to_a_service(view, client, EMPTY)),
    )


@derived
def _instances(view: MeshView, services: tuple[str, ...]) -> tuple[tuple[str, str, int], ...]:
    """All of them, if that is asked for, are also those that are no service.

    # Differs from Kuma: they are where others call them, at the address that they advertise.
    """
    is_all = ALL_SERVICES in services
    wanted = view.service_names() if is_all else services
    inbounds = [each for service in wanted for each in view.service_inbounds(service)]
    if is_all:
        inbounds += [each for bare in view.bare_inbounds().values() for each in bare]
    found = {(each.dataplane, each.address, each.port) for each in inbounds}
    instances: tuple[tuple[str, str, int], ...] = shared(view, tuple(sorted(found)))
    return instances


@derived
def _tls_to_anybody(view: MeshView, secrets: Secrets | None) -> MutualTls | None:
    """Whose instance is called is not known, so it may be any of the mesh."""
    if enabled_backend(view) is None and secrets is None:
        return None
    found = secrets or mesh_secrets(view)
    return MutualTls(
        sni="",
        sans=(),
        identity_secret=found.identity,
        ca_secret=found.ca,
        san_prefixes=trusted_prefixes(view, found),
        agent=found.agent,
    )
