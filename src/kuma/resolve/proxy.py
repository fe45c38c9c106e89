"""The plan of one proxy: the thin layer of its own addresses over what its class shares."""

from collections.abc import Iterable, Iterator

from kuma.kit.derived import derived, shared
from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan.piped import Piped
from kuma.plan.proxy import (
    Diagnostic,
    OutboundPassthrough,
    ProxyPlan,
)
from kuma.resolve.client import Client, client_of, with_asked_tags
from kuma.resolve.collectors import unresolved_backends, with_collectors
from kuma.resolve.declared import outbounds_of
from kuma.resolve.match import matched_policies
from kuma.resolve.measured import measured_of
from kuma.resolve.naming import (
    is_unified,
    named_conf,
    named_identity,
    named_passthroughs,
    named_side,
)
from kuma.resolve.otel_pipe import names_collectors, parts_of, resolve_piped, wishes_of
from kuma.resolve.outbounds import DeclaredOutbound, SendingSide
from kuma.resolve.passthrough import passed_out, passthrough
from kuma.resolve.placement import Rule
from kuma.resolve.proxy_identity import identity, identity_diagnostics
from kuma.resolve.received import received_by
from kuma.resolve.redirection import BIND_OUTBOUNDS, NOTHING_SAID, Said, redirection_of
from kuma.resolve.reporter import reporter_of
from kuma.resolve.rules import named_policies, placement_of, proxy_rule
from kuma.resolve.subject import Subject, subject_of
from kuma.resolve.view import MeshView


@value
class Sender:
    """What the sending side of a proxy follows from. Proxies with equal ones send alike, so they
    share all that is made of it."""

    client: Client
    outbounds: tuple[DeclaredOutbound, ...]
    binds: bool
    conf: Slots
    passed_out: tuple[OutboundPassthrough, ...] = ()
    unified: bool = False

    def side(self, view: MeshView) -> SendingSide:
        return named_side(view, self.client, self.outbounds, self.binds, self.unified)


@derived
def resolve_proxy(view: MeshView, name: str, said: Said = NOTHING_SAID) -> ProxyPlan:
    """The plan of the Dataplane `name`; an empty one if there is none. Never raises for what users
    wrote: that gives diagnostics. Its admin interface is not for resolution to know."""
    sender, subject = sender_of(view, name, said), subject_of(view, name)
    if sender is None or subject is None:
        return ProxyPlan(view.mesh_name, name, (), (), (), None, None)
    side = sender.side(view)
    received = received_by(view, name, said)
    declared = outbounds_of(view, name, said)
    return ProxyPlan(
        mesh=view.mesh_name,
        name=name,
        inbounds=received.inbounds,
        outbounds=side.outbounds,
        destinations=side.destinations,
        admin=None,
        identity=named_identity(view, identity(view, name), sender.unified),
        passthrough=passthrough(view),
        conf=own_conf(view, name, said),
        diagnostics=_distinct(
            (
                *declared.diagnostics,
                *side.diagnostics,
                *policy_diagnostics(view, subject),
                *identity_diagnostics(view, name),
            )
        ),
        passed_in=received.passed_in,
        passed_out=sender.passed_out,
        direct=received.direct,
    )


@derived
def sender_of(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Sender | None:
    """None: there is no such Dataplane."""
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is None or subject is None:
        return None
    redirection = redirection_of(dataplane.spec, said)
    binds = redirection is None or BIND_OUTBOUNDS in said.features
    unified = is_unified(view, said.features)
    client = with_asked_tags(view, client_of(view, subject), dataplane)
    sender: Sender = shared(
        view,
        Sender(
            client=client,
            outbounds=outbounds_of(view, name, said).outbounds,
            binds=binds,
            conf=named_conf(conf_of(view, name), unified),
            passed_out=()
            if binds or not redirection
            else named_passthroughs(passed_out(view, subject, client, redirection), unified),
            unified=unified,
        ),
    )
    return sender


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
    """What policies say of how the proxy reports its traffic, and is measured, by kind."""
    found = (
        (each.name, proxy_rule(view, each.name, matched_policies(view, each.name, subject).names))
        for each in view.placements
        if each.on_reporter is not None or each.on_measured is not None
    )
    return tuple((kind, rule) for kind, rule in found if rule is not None)


def own_conf(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Slots:
    """Everything that policies say of the Dataplane `name` as a whole, also what it shares with none."""
    conf, piped = _own_conf(view, name, said), piped_of(view, name, said)
    return conf if piped is None else conf.put(piped)


def piped_of(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Piped | None:
    """What the kuma-dp of the Dataplane `name` sends on; None: nothing, or it does not do that."""
    subject = subject_of(view, name)
    if subject is None or not names_collectors(view, subject):
        return None
    return _piped(view, name, said)


@derived
def _piped(view: MeshView, name: str, said: Said) -> Piped | None:
    machine, sender = view.machine(name), sender_of(view, name, said)
    if machine.otel is None or sender is None:
        return None
    received = received_by(view, name, said)
    direct = () if received.direct is None else (received.direct,)
    outside = (*sender.passed_out, *direct)
    parts = parts_of(received.inbounds, sender.side(view).outbounds, outside)
    wishes = {wish for conf in (_own_conf(view, name, said), *parts) for wish in wishes_of(conf)}
    return resolve_piped(wishes, machine.work_dir, machine.otel)


def _own_conf(view: MeshView, name: str, said: Said) -> Slots:
    subject, slots = subject_of(view, name), conf_of(view, name)
    for kind, rule in () if subject is None else reporting_rules(view, subject):
        place = placement_of(view, kind).on_measured
        measured = None if place is None else measured_of(view, name, said.features)
        for conf in () if place is None or measured is None else place(rule, measured):
            slots = slots.put(conf)
    return named_conf(with_collectors(view, slots), is_unified(view, said.features))


def conf_of(view: MeshView, name: str) -> Slots:
    """What policies say of the Dataplane `name` as a whole and, maybe, of others alike."""
    subject = subject_of(view, name)
    if subject is None:
        return EMPTY
    slots = proxy_conf(view, subject)
    for kind, rule in reporting_rules(view, subject):
        place = placement_of(view, kind).on_reporter
        for conf in () if place is None else place(rule, reporter_of(view, name)):
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


def _distinct(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted, so that the order of resources does not show."""
    return tuple(sorted(set(found), key=lambda each: (str(each.origin), each.path, each.message)))
