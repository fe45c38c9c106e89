"""The plan of one proxy: the thin layer of its own addresses over what its class shares."""

from collections.abc import Iterable, Iterator, Mapping

from kuma.kit.derived import derived, shared
from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan import names
from kuma.plan.origin import Origin
from kuma.plan.protocol import parse_protocol
from kuma.plan.proxy import (
    Diagnostic,
    Identity,
    Inbound,
    ProxyPlan,
)
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.collectors import unresolved_backends, with_collectors
from kuma.resolve.endpoints import enabled_backend
from kuma.resolve.inbounds import receiving
from kuma.resolve.logged import logged_as
from kuma.resolve.match import matched_policies
from kuma.resolve.outbounds import (
    Client,
    DeclaredOutbound,
    SendingSide,
    client_of,
    sending_side,
    with_asked_tags,
)
from kuma.resolve.placement import Rule
from kuma.resolve.reporter import reporter_of
from kuma.resolve.rules import named_policies, placement_of, proxy_rule
from kuma.resolve.subject import Subject, subject_of
from kuma.resolve.target import Reference, Scope, ServiceTarget, Target, find_port, scope_of
from kuma.resolve.view import SERVICE_LESS_PORT, MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, Outbound
from kuma.resources.kinds.dataplane.model import BackendRef

BIND_OUTBOUNDS = "feature-bind-outbounds"


@value
class Declared:
    outbounds: tuple[DeclaredOutbound, ...]
    diagnostics: tuple[Diagnostic, ...]


@value
class Sender:
    """What the sending side of a proxy follows from. Proxies with equal ones send alike, so they
    share all that is made of it."""

    client: Client
    outbounds: tuple[DeclaredOutbound, ...]
    binds: bool
    conf: Slots

    def side(self, view: MeshView) -> SendingSide:
        return sending_side(view, self.client, self.outbounds, self.binds)


@derived
def resolve_proxy(view: MeshView, name: str, features: tuple[str, ...] = ()) -> ProxyPlan:
    """The plan of the Dataplane `name`; an empty one if there is none. Never raises for what users
    wrote: that gives diagnostics. `features` are those that the proxy advertised; its admin
    interface is not for resolution to know."""
    sender, subject = sender_of(view, name, features), subject_of(view, name)
    if sender is None or subject is None:
        return ProxyPlan(view.mesh_name, name, (), (), (), None, None)
    side = sender.side(view)
    declared = declared_outbounds(view, name)
    return ProxyPlan(
        mesh=view.mesh_name,
        name=name,
        inbounds=inbounds_of(view, name),
        outbounds=side.outbounds,
        destinations=side.destinations,
        admin=None,
        identity=identity(view),
        passthrough=passthrough(view),
        conf=sender.conf,
        diagnostics=_distinct(
            (*declared.diagnostics, *side.diagnostics, *policy_diagnostics(view, subject))
        ),
    )


@derived
def sender_of(view: MeshView, name: str, features: tuple[str, ...] = ()) -> Sender | None:
    """None: there is no such Dataplane."""
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is None or subject is None:
        return None
    sender: Sender = shared(
        view,
        Sender(
            client=with_asked_tags(view, client_of(view, subject), dataplane),
            outbounds=declared_outbounds(view, name).outbounds,
            binds=BIND_OUTBOUNDS in features or not _is_redirected(dataplane.spec),
            conf=conf_of(view, name),
        ),
    )
    return sender


@derived
def identity(view: MeshView) -> Identity | None:
    backend = enabled_backend(view)
    if backend is None:
        return None
    mesh = view.mesh_name
    return Identity(names.identity_secret(mesh), names.ca_secret(mesh), backend.name)


@derived
def passthrough(view: MeshView) -> bool:
    mesh = view.mesh()
    return mesh is None or mesh.spec.passthrough


@derived
def proxy_conf(view: MeshView, subject: Subject) -> Slots:
    """What policies say of the proxy as a whole."""
    slots = EMPTY
    for placement in view.placements:
        if placement.on_proxy is None:
            continue
        names = matched_policies(view, placement.name, subject).names
        rule = proxy_rule(view, placement.name, names)
        for conf in () if rule is None else placement.on_proxy(rule):
            slots = slots.put(conf)
    return slots


@derived
def reporting_rules(view: MeshView, subject: Subject) -> tuple[tuple[str, Rule], ...]:
    """What policies say of how the proxy reports its traffic, by kind."""
    found = (
        (each.name, proxy_rule(view, each.name, matched_policies(view, each.name, subject).names))
        for each in view.placements
        if each.on_reporter is not None
    )
    return tuple((kind, rule) for kind, rule in found if rule is not None)


def conf_of(view: MeshView, name: str) -> Slots:
    """Everything that policies say of the Dataplane `name` as a whole."""
    subject = subject_of(view, name)
    if subject is None:
        return EMPTY
    slots = proxy_conf(view, subject)
    for kind, rule in reporting_rules(view, subject):
        place, reporter = placement_of(view, kind).on_reporter, reporter_of(view, name)
        for conf in () if place is None else place(rule, reporter):
            slots = slots.put(conf)
    return with_collectors(view, slots)


@derived
def policy_diagnostics(view: MeshView, subject: Subject) -> tuple[Diagnostic, ...]:
    """What is wrong with policies apart from any inbound or outbound."""
    return tuple(
        problem
        for placement in view.placements
        for problem in _problems(view, placement.name, subject)
    )


def _problems(view: MeshView, kind: str, subject: Subject) -> Iterator[Diagnostic]:
    matched = matched_policies(view, kind, subject)
    yield from matched.diagnostics
    for policy in named_policies(view, kind, matched.names):
        yield from unresolved_backends(view, policy)


@derived
def inbounds_of(view: MeshView, name: str) -> tuple[Inbound, ...]:
    """Sorted by address."""
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is None or subject is None:
        return ()
    networking = dataplane.spec.networking
    made: list[Inbound] = []
    for position, inbound in enumerate(networking.inbound):
        if inbound.port == SERVICE_LESS_PORT:
            continue
        interface = networking.interface_of(inbound)
        behaviour = receiving(view, subject, position)
        conf = behaviour.conf
        if behaviour.tells_proxy and (logged := logged_as(view, name)) is not None:
            conf = conf.put(logged)
        made.append(
            Inbound(
                section=inbound.section_name,
                address=interface.address,
                port=interface.port,
                service_address=interface.service_address,
                service_port=interface.service_port,
                protocol=parse_protocol(inbound.declared_protocol),
                service=inbound.service,
                tags=as_tags(inbound.tags),
                tls=behaviour.tls,
                bind=not _is_redirected(dataplane.spec),
                conf=conf,
            )
        )
    return tuple(sorted(made, key=lambda each: (each.address, each.port)))


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


def _is_redirected(spec: DataplaneSpec) -> bool:
    """Whether traffic reaches the proxy by transparent redirection, not by connecting to it."""
    redirection = spec.networking.transparent_proxying
    return redirection is not None and redirection.redirect_port_inbound > 0


def _distinct(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted, so that the order of resources does not show."""
    return tuple(sorted(set(found), key=lambda each: (str(each.origin), each.path, each.message)))
