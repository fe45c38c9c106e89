"""Which collectors a proxy reports to by way of its kuma-dp: a look over all of its plan.

    slots of the whole, of inbounds, outbounds and routes -> (signal, collector) -> Piped

Source: Kuma, feature-otel-via-kuma-dp. Of several backends for one signal it cannot be told for which
the environment is meant, so it counts for none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta

from kuma.kit.derived import derived
from kuma.kit.slots import Slots
from kuma.kit.value import value
from kuma.plan.collector import Collector, Collectors, NamesCollectors
from kuma.plan.machine import collector_socket
from kuma.plan.otel_env import OtelEnv
from kuma.plan.piped import Piped, PipedBackend, piped_signal
from kuma.plan.proxy import DirectAccess, Inbound, Outbound, OutboundPassthrough
from kuma.plan.route import HttpRouting
from kuma.plan.signal import Signal
from kuma.resolve.match import matched_policies
from kuma.resolve.rules import named_policies
from kuma.resolve.subject import Subject
from kuma.resolve.view import MeshView


@value
class Wish:
    """Something of a proxy that is reported to a collector."""

    signal: Signal
    collector: Collector
    every: timedelta | None = None


@derived
def names_collectors(view: MeshView, subject: Subject) -> bool:
    """Whether any policy that matches does, so that all other proxies need not be looked over."""
    for kind in (placement.kind for placement in view.placements):
        if kind.backend_refs is not None:
            matched = matched_policies(view, kind.name, subject).names
            policies = named_policies(view, kind.name, matched)
            if any(kind.backend_refs(policy.spec) for policy in policies):
                return True
    return False


def wishes_of(conf: Slots) -> Iterator[Wish]:
    known = conf.get(Collectors) or Collectors()
    for item in conf:
        if isinstance(item, NamesCollectors):
            found = ((ref, known.find(ref)) for ref in item.backend_refs)
            yield from (Wish(item.signal, at, item.every(ref)) for ref, at in found if at)


def parts_of(
    inbounds: tuple[Inbound, ...],
    outbounds: tuple[Outbound, ...],
    outside: Iterable[OutboundPassthrough | DirectAccess],
) -> Iterator[Slots]:
    """Where an outbound has routes, these say what holds for its requests."""
    yield from (each.conf for each in inbounds)
    yield from (each.conf for each in outside)
    for outbound in outbounds:
        routing = outbound.routing
        routes = routing.routes if isinstance(routing, HttpRouting) else ()
        yield from (each.conf for each in routes) if routes else (outbound.conf,)


def resolve_piped(wishes: set[Wish], work_dir: str, env: OtelEnv) -> Piped | None:
    """None: there is nothing to send on."""
    by_collector: defaultdict[Collector, dict[Signal, timedelta | None]] = defaultdict(dict)
    for wish in sorted(wishes, key=lambda each: (each.signal, str(each.every))):
        by_collector[wish.collector].setdefault(wish.signal, wish.every)
    counts = {s: sum(s in found for found in by_collector.values()) for s in Signal}
    backends = (
        PipedBackend(
            collector,
            collector_socket(work_dir, collector.name),
            tuple(
                piped_signal(collector, signal, env, every=every, is_alone=counts[signal] == 1)
                for signal, every in signals.items()
            ),
        )
        for collector, signals in by_collector.items()
    )
    made = tuple(sorted(backends, key=lambda each: each.collector.name))
    return Piped(work_dir, made) if made else None
