"""The outbounds of a proxy, apart from what they do: those that its Dataplane declares or, where the
application calls services by virtual addresses, those that it reaches.
"""

from collections.abc import Mapping

from kuma.kit.derived import derived, shared
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.plan.proxy import (
    Diagnostic,
)
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.implied import Reach, implied_outbounds, reach_of
from kuma.resolve.outbounds import (
    DeclaredOutbound,
)
from kuma.resolve.redirection import BIND_OUTBOUNDS, NOTHING_SAID, Said, redirection_of
from kuma.resolve.target import Reference, Scope, ServiceTarget, Target, find_port, scope_of
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DATAPLANE, Outbound
from kuma.resources.kinds.dataplane.model import BackendRef


@value
class Declared:
    outbounds: tuple[DeclaredOutbound, ...]
    diagnostics: tuple[Diagnostic, ...]


def outbounds_of(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Declared:
    """Where the application calls services by virtual addresses, those that it reaches stand in the
    place of what its Dataplane declares."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return Declared((), ())
    if redirection_of(dataplane.spec, said) is None and BIND_OUTBOUNDS not in said.features:
        return declared_outbounds(view, name)
    reach = reach_of(view, dataplane)
    implied = implied_outbounds(view, reach)
    networking = dataplane.spec.networking
    interfaces = (networking.interface_of(each) for each in networking.inbound)
    own = frozenset((each.address, each.port) for each in interfaces)
    return Declared(implied.beside(own), _missing(view, name, reach, implied.missing))


def _missing(
    view: MeshView, name: str, reach: Reach, positions: tuple[int, ...]
) -> tuple[Diagnostic, ...]:
    made: list[Diagnostic] = []
    for index in positions:
        backend = (reach.backends or ())[index]
        where = f"networking.transparentProxying.reachableBackends.refs[{index}]"
        port = f" with port {backend.port}" if backend.port else ""
        message = f'{backend.kind} "{backend.name or dict(backend.labels)}"{port} is not found'
        made.append(Diagnostic(Origin(DATAPLANE.name, view.mesh_name, name), where, message))
    return tuple(made)


@derived
def declared_outbounds(view: MeshView, name: str) -> Declared:
    """What a Dataplane asks for, apart from it, so that equal ones share what follows."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return Declared((), ())
    made: list[DeclaredOutbound] = []
    diagnostics: list[Diagnostic] = []
    for index, each in enumerate(dataplane.spec.networking.outbound):
        target = _target(view, each, scope_of(dataplane))
        if target is None:
            where = f"networking.outbound[{index}].backendRef"
            origin = Origin(DATAPLANE.name, view.mesh_name, name)
            diagnostics.append(Diagnostic(origin, where, _not_found(each.backend_ref)))
            continue
        made.append(
            DeclaredOutbound(
                address=each.listening_address,
                port=each.port,
                service=target.service,
                tags=as_tags(each.tags),
                target=target,
            )
        )
    return Declared(shared(view, tuple(made)), tuple(diagnostics))


def _target(view: MeshView, outbound: Outbound, scope: Scope) -> Target | None:
    ref = outbound.backend_ref
    if ref is None:
        return ServiceTarget(outbound.service, _subset(outbound.tags))
    reference = Reference(ref.kind, ref.name, str(ref.port or ""), as_tags(ref.labels))
    return find_port(view, reference, scope)


def _not_found(ref: BackendRef | None) -> str:
    if ref is None:
        return ""
    port = f" with port {ref.port}" if ref.port else ""
    return f'{ref.kind} "{ref.name or dict(ref.labels)}"{port} is not found'


def _subset(tags: Mapping[str, str]) -> Tags:
    """What narrows the service down; the mesh is where it is looked for, not a part of it."""
    apart = {well_known.SERVICE_TAG, well_known.MESH}
    return as_tags({key: text for key, text in tags.items() if key not in apart})
