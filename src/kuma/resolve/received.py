"""The receiving side of a proxy: its inbounds at their addresses, and what else is listened for as its own.

What an inbound does is in `inbounds.py`, shared by a class; here it gets its place.
"""

from collections.abc import Iterator

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.machine import source_towards
from kuma.plan.protocol import parse_protocol
from kuma.plan.proxy import (
    DirectAccess,
    Inbound,
    InboundPassthrough,
)
from kuma.plan.tags import as_tags
from kuma.resolve.client import client_of, with_asked_tags
from kuma.resolve.declared import outbounds_of
from kuma.resolve.inbounds import Receiving, receiving
from kuma.resolve.logged import logged_as
from kuma.resolve.naming import (
    is_unified,
    named_direct,
    named_inbounds,
    named_passthroughs,
)
from kuma.resolve.passthrough import direct_access, passed_in
from kuma.resolve.redirection import NOTHING_SAID, Redirection, Said, redirection_of
from kuma.resolve.secrets import secrets_of
from kuma.resolve.subject import Subject, subject_of
from kuma.resolve.view import SERVICE_LESS_PORT, MeshView
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import Resource


@value
class Received:
    """The receiving side of a proxy; and the instances that its workload calls directly, which are
    listened for as the proxy's own as well."""

    inbounds: tuple[Inbound, ...] = ()
    passed_in: tuple[InboundPassthrough, ...] = ()
    direct: DirectAccess | None = None


@derived
def received_by(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Received:
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is None or subject is None:
        return Received()
    redirection, unified = redirection_of(dataplane.spec, said), is_unified(view, said.features)
    inbounds = named_inbounds(view, _inbounds(view, dataplane, subject, redirection), unified)
    if redirection is None:
        return Received(inbounds)
    secrets = secrets_of(view, dataplane.labels)
    passed = passed_in(view, dataplane.spec, subject, redirection, said.features, secrets=secrets)
    direct = _direct(view, dataplane, subject, said)
    return Received(
        inbounds, named_passthroughs(passed, unified), named_direct(view, direct, unified)
    )


def _direct(
    view: MeshView,
    dataplane: Resource[DataplaneSpec],
    subject: Subject,
    said: Said,
) -> DirectAccess | None:
    declared = dataplane.spec.networking.transparent_proxying
    services = () if declared is None else declared.direct_access_services
    if not services:
        return None
    outbounds = outbounds_of(view, dataplane.name, said).outbounds
    taken = frozenset((each.address, each.port) for each in outbounds)
    client = with_asked_tags(view, client_of(view, subject), dataplane)
    chosen = tuple(sorted(set(services)))
    return direct_access(view, dataplane.name, chosen, taken, client)


def receivings(view: MeshView, name: str) -> Iterator[Receiving]:
    """What each inbound does, one after the other."""
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is not None and subject is not None:
        secrets = secrets_of(view, dataplane.labels)
        for position, _ in enumerate(subject.inbounds):
            yield receiving(view, subject, position, secrets)


def _inbounds(
    view: MeshView,
    dataplane: Resource[DataplaneSpec],
    subject: Subject,
    redirection: Redirection | None,
) -> tuple[Inbound, ...]:
    """Sorted by address."""
    networking = dataplane.spec.networking
    made: list[Inbound] = []
    secrets = secrets_of(view, dataplane.labels)
    for position, inbound in enumerate(networking.inbound):
        if inbound.port == SERVICE_LESS_PORT:
            continue
        interface = networking.interface_of(inbound)
        behaviour = receiving(view, subject, position, secrets)
        conf = behaviour.conf
        if behaviour.tells_proxy and (logged := logged_as(view, dataplane.name)) is not None:
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
                bind=redirection is None,
                conf=conf,
                source="" if redirection is None else source_towards(interface.service_address),
            )
        )
    return tuple(sorted(made, key=lambda each: (each.address, each.port)))
