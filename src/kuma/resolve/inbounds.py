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
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh import MtlsMode


@value
class Receiving:
    """What an inbound does, wherever it listens. `tells_proxy`: who the proxy is belongs to it."""

    tls: InboundTls | None
    conf: Slots
    tells_proxy: bool = False


@derived
def receiving(view: MeshView, subject: Subject, position: int) -> Receiving:
    """`position` is that of the inbound in the Dataplane."""
    tls = inbound_tls(view)
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
        if placement.tls is not None and tls is not None:
            terms = placement.tls(rules)
            tls = replace(tls, mode=terms.mode or tls.mode, parameters=terms.parameters)
        for conf in () if placement.on_inbound is None else placement.on_inbound(rules):
            slots = slots.put(conf)
            tells_proxy |= placement.tells_proxy
    return Receiving(tls, with_collectors(view, slots), tells_proxy)


@derived
def inbound_tls(view: MeshView) -> InboundTls | None:
    backend = enabled_backend(view)
    if backend is None:
        return None
    mesh = view.mesh_name
    permissive = backend.mode is MtlsMode.PERMISSIVE
    return InboundTls(
        mode=TlsMode.PERMISSIVE if permissive else TlsMode.STRICT,
        identity_secret=names.identity_secret(mesh),
        ca_secret=names.ca_secret(mesh),
        san_prefixes=(f"spiffe://{mesh}/",),
    )
