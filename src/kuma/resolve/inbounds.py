"""The receiving side of a proxy: what its inbounds require of connections, and their policies."""

from dataclasses import replace

from kuma.kit.derived import derived
from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan.tls import InboundTls, Secrets, TlsMode
from kuma.resolve.collectors import with_collectors
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.match import matched_policies
from kuma.resolve.rules import inbound_rules
from kuma.resolve.secrets import mesh_secrets, trusted_prefixes
from kuma.resolve.subject import Subject
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh import MtlsMode


@value
class Receiving:
    """What an inbound does, wherever it listens. `tells_proxy`: who the proxy is belongs to it."""

    tls: InboundTls | None
    conf: Slots
    tells_proxy: bool = False


@derived
def receiving(
    view: MeshView, subject: Subject, position: int, secrets: Secrets | None = None
) -> Receiving:
    """`position` is that of the inbound in the Dataplane; `secrets`: where the proxy's certificate is, if
    that is one of a MeshIdentity. Who has one is known by SPIFFE IDs alone: permissions by tags are not
    for it."""
    tls = inbound_tls(view, secrets)
    slots, tells_proxy = EMPTY, False
    for placement in view.placements:
        if placement.only_with_tls and tls is None:
            continue
        if placement.on_inbound is None and placement.tls is None:
            continue
        policies = matched_policies(view, placement.name, subject).names_for(position)
        if not policies:
            continue
        rules = inbound_rules(view, placement.name, policies)
        if secrets is not None and placement.only_with_tls:
            rules = replace(rules, by_client=())
        if placement.tls is not None and tls is not None:
            terms = placement.tls(rules)
            tls = replace(tls, mode=terms.mode or tls.mode, parameters=terms.parameters)
        for conf in () if placement.on_inbound is None else placement.on_inbound(rules):
            slots = slots.put(conf)
            tells_proxy |= placement.tells_proxy
    return Receiving(tls, with_collectors(view, slots), tells_proxy)


@derived
def inbound_tls(view: MeshView, secrets: Secrets | None = None) -> InboundTls | None:
    """With a MeshIdentity it is strict unless a MeshTLS says otherwise, whatever the mesh is."""
    backend = enabled_backend(view)
    if backend is None and secrets is None:
        return None
    is_permissive = secrets is None and backend is not None and backend.mode is MtlsMode.PERMISSIVE
    found = secrets or mesh_secrets(view)
    return InboundTls(
        mode=TlsMode.PERMISSIVE if is_permissive else TlsMode.STRICT,
        identity_secret=found.identity,
        ca_secret=found.ca,
        san_prefixes=trusted_prefixes(view, found),
        agent=found.agent,
    )
