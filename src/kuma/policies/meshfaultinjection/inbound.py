"""What MeshFaultInjections say of an inbound: which faults the requests of a client meet.

`rules` add up: a client meets the faults of every rule that holds for it. Of `from` entries the
strongest one decides. Where an inbound has any `rules`, its `from` entries are not looked at.
Source: reference 14.7, and seen in Kuma's configuration.
"""

from collections.abc import Iterable, Iterator

from kuma.policies.meshfaultinjection.model import (
    ClientFaults,
    Fault,
    FaultInjectionConf,
    InboundFaults,
)
from kuma.resolve.inbound_rules import distinct, rules_by_client
from kuma.resolve.placement import InboundRule, InboundRules, Rule
from kuma.resources.spec import SpecModel


def place_faults(rules: InboundRules) -> tuple[object, ...]:
    clients = tuple(_by_match(rules.by_match) if rules.by_match else _by_tags(rules.by_client))
    return (InboundFaults(clients),) if any(each.faults for each in clients) else ()


def _by_match(rules: tuple[InboundRule, ...]) -> Iterator[ClientFaults]:
    outcomes = [(each.match, _all_faults(each.rules)) for each in rules_by_client(rules)]
    return (ClientFaults(faults, match=match) for match, faults in distinct(outcomes))


def _all_faults(rules: Iterable[InboundRule]) -> tuple[Fault, ...]:
    return tuple(fault for rule in rules for fault in _faults(rule.conf) or ())


def _by_tags(rules: Iterable[Rule]) -> Iterator[ClientFaults]:
    """The list of faults is all that an entry says, so the first that has one decides."""
    for rule in rules:
        faults = _faults(rule.conf)
        if faults is None:
            continue
        tags = tuple((tag.key, tag.value) for tag in rule.subset)
        yield ClientFaults(faults, tags=tags)
        if not tags:  # everybody: nothing after it is ever asked
            return


def _faults(conf: SpecModel) -> tuple[Fault, ...] | None:
    return conf.http if isinstance(conf, FaultInjectionConf) else None
