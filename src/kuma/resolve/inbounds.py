"""The receiving side of a proxy: what its inbounds require of connections, and their policies."""

from dataclasses import replace

from kuma.kit.derived import derived
from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.tls import InboundTls, TlsMode
from kuma.resolve.collectors import with_collectors
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.match import matched_policies
from kuma.resolve.rules import inbound_rules
from kuma.resolve.subject import Subject
from kuma.resolve.trust import ca_secret, client_prefixes
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh import MtlsMode


@value
class Receiving:
    """What an inbound does, wherever it listens. `tells_proxy`: who the proxy is belongs to it."""

    tls: InboundTls | None
    conf: Slots
    tells_proxy: bool = False


@derived
def receiving(view: MeshView, subject: Subject, position: int, identity: str = "") -> Receiving:
    """`position` is that of the inbound in the Dataplane, `identity` the secret of the proxy's
    MeshIdentity. Who has one is known by SPIFFE IDs alone: permissions by tags are not for it."""
    tls = inbound_tls(view, identity)
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
        if identity and placement.only_with_tls:
            rules = replace(rules, by_client=())
        if placement.tls is not None and tls is not None:
            terms = placement.tls(rules)
            tls = replace(tls, mode=terms.mode or tls.mode, parameters=terms.parameters)
        for conf in () if placement.on_inbound is None else placement.on_inbound(rules):
            slots = slots.put(conf)
            tells_proxy |= placement.tells_proxy
    return Receiving(tls, with_collectors(view, slots), tells_proxy)


@derived
def inbound_tls(view: MeshView, identity: str = "") -> InboundTls | None:
    """With a MeshIdentity it is strict unless a MeshTLS says otherwise, whatever the mesh is."""
    backend = enabled_backend(view)
    if backend is None and not identity:
        return None
    is_permissive = not identity and backend is not None and backend.mode is MtlsMode.PERMISSIVE
    return InboundTls(
        mode=TlsMode.PERMISSIVE if is_permissive else TlsMode.STRICT,
        identity_secret=identity or names.identity_secret(view.mesh_name),
        ca_secret=ca_secret(view),
        san_prefixes=client_prefixes(view),
    )
