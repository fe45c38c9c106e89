"""Where merged strategies ride in a plan, and which endpoints they make a client prefer.

Source: reference 6.7; https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
"""

from decimal import Decimal

from kuma.plan.endpoint import Affinity, Failover, Preference
from kuma.plan.tags import Tags
from kuma.policies.meshloadbalancingstrategy import KIND
from kuma.policies.meshloadbalancingstrategy.model import (
    AffinityTag,
    CrossZone,
    LocalityAwareness,
    StrategyConf,
    ToZonesType,
)
from kuma.resolve.placement import Placement
from kuma.resources.spec import SpecModel, parse_decimal

OVERPROVISIONING = 200
"""So that the next zones take over when fewer than half of the endpoints are healthy."""

_MOST_OVERPROVISIONING = 1_000_000


def preference(conf: SpecModel, client: Tags, zone: str) -> Preference:
    """`client` are the tags of the client, `zone` is its zone. What is said of the own zone and of others
    goes before `disabled`. Source: https://kuma.io/docs/2.14.x/policies/meshloadbalancingstrategy
    """
    locality = conf.locality_awareness if isinstance(conf, StrategyConf) else None
    if locality is None:
        return Preference()
    if locality.local_zone is None and locality.cross_zone is None:
        return Preference(is_by_zone=not locality.disabled)
    return Preference(
        affinities=_affinities(_tags_of(locality), dict(client)),
        failovers=_failovers(locality.cross_zone, zone),
        overprovisioning=_overprovisioning(locality.cross_zone),
    )


def asked_tags(conf: SpecModel) -> tuple[str, ...]:
    locality = conf.locality_awareness if isinstance(conf, StrategyConf) else None
    return () if locality is None else tuple(tag.key for tag in _tags_of(locality))


def _tags_of(locality: LocalityAwareness) -> tuple[AffinityTag, ...]:
    local = locality.local_zone
    return (local.affinity_tags or ()) if local is not None else ()


def _affinities(tags: tuple[AffinityTag, ...], client: dict[str, str]) -> tuple[Affinity, ...]:
    """Without weights each tag gets nine times what all that follow get, and what has none 1.
    A tag that the client has not is left out and still counts for the weights of the others."""
    return tuple(
        Affinity(
            tag.key,
            client[tag.key],
            _default_weight(len(tags) - position - 1) if tag.weight is None else tag.weight,
        )
        for position, tag in enumerate(tags)
        if tag.key in client
    )


def _default_weight(followers: int) -> int:
    """Weights have 32 bits: beyond that the first of very many tags are worth the same."""
    return int(9 * 10 ** min(followers, 7))


def _failovers(cross_zone: CrossZone | None, zone: str) -> tuple[Failover, ...]:
    """A rule for other clients keeps its place in the order of priorities."""
    rules = (cross_zone.failover or ()) if cross_zone is not None else ()
    return tuple(
        Failover(
            priority,
            () if rule.to.type is ToZonesType.ANY else tuple(sorted(set(rule.to.zones or ()))),
            is_inverted=rule.to.type in {ToZonesType.ANY, ToZonesType.ANY_EXCEPT},
        )
        for priority, rule in enumerate(rules, start=1)
        if rule.from_ is None or zone in rule.from_.zones
    )


def _overprovisioning(cross_zone: CrossZone | None) -> int:
    """# Differs from Kuma: there whole multiples of 100, so that a threshold of 70 acts like 100."""
    threshold = cross_zone.failover_threshold if cross_zone is not None else None
    percentage = parse_decimal(threshold.percentage) if threshold is not None else None
    if not percentage:
        return OVERPROVISIONING
    return min(round(Decimal(10_000) / percentage), _MOST_OVERPROVISIONING)


PLACEMENT = Placement(
    kind=KIND,
    conf=StrategyConf,
    on_destination=True,
    on_route=True,
    preference=preference,
    asked_tags=asked_tags,
)
