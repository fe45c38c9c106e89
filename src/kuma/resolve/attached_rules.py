"""The rules in force for one Dataplane in the older form, of `dataplanes/{name}/rules`: one entry for
each rule and what it is attached to. It knows destinations by their tags only.

Source: reference 2.2.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from kuma.plan import names
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.match import Matched, matched_policies
from kuma.resolve.placement import Placement, Rule
from kuma.resolve.rules import combined_from_rules, combined_to_rules, proxy_rule
from kuma.resolve.subject import subject_of
from kuma.resolve.subsets import contains
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec

Json = dict[str, Any]


def attached_rules(view: MeshView, name: str) -> Json:
    """Sorted by what they are attached to."""
    dataplane, subject = view.dataplane(name), subject_of(view, name)
    if dataplane is None or subject is None:
        return {"total": 0, "items": []}
    items: list[Json] = []
    for placement in view.placements:
        matched = matched_policies(view, placement.name, subject)
        items += _of_proxy(view, placement, matched)
        items += _of_inbounds(view, placement.name, matched, dataplane.spec)
        items += _of_outbounds(view, placement.name, matched, dataplane.spec)
    items.sort(key=lambda each: (each.get("name", ""), each["type"], each["policyType"]))
    return {"total": len(items), "items": items}


def _of_proxy(view: MeshView, placement: Placement, matched: Matched) -> Iterator[Json]:
    if placement.is_about_proxies:
        rule = proxy_rule(view, placement.name, matched.names)
        if rule is not None:
            yield {"type": "SingleItem", **_rule(placement.name, rule)}


def _of_inbounds(
    view: MeshView, kind: str, matched: Matched, spec: DataplaneSpec
) -> Iterator[Json]:
    for position, inbound in enumerate(spec.networking.inbound):
        interface = spec.networking.interface_of(inbound)
        address = f"{interface.address}:{interface.port}"
        for rule in combined_from_rules(view, kind, matched.names_for(position)).rules:
            about = _about(inbound.tags, [address])
            yield {"type": "ClientSubset", **about, **_rule(kind, rule)}


def _of_outbounds(
    view: MeshView, kind: str, matched: Matched, spec: DataplaneSpec
) -> Iterator[Json]:
    rules = combined_to_rules(view, kind, matched.names).rules
    found: dict[Tags, list[str]] = {}
    for outbound in spec.networking.outbound:
        if well_known.SERVICE_TAG in outbound.tags:
            address = f"{outbound.listening_address}:{outbound.port}"
            found.setdefault(as_tags(outbound.tags), []).append(address)
    for tags, addresses in found.items():
        rule = next((each for each in rules if contains(each.subset, dict(tags))), None)
        if rule is not None:
            about = _about(dict(tags), addresses)
            yield {"type": "DestinationSubset", **about, **_rule(kind, rule)}


def _about(tags: Mapping[str, str], addresses: list[str]) -> Json:
    """Named as the cluster of exactly these tags."""
    service = tags.get(well_known.SERVICE_TAG, "")
    others = as_tags({key: text for key, text in tags.items() if key != well_known.SERVICE_TAG})
    about = {"name": names.destination(service, others), "addresses": addresses}
    return {
        **about,
        **({"service": service} if service else {}),
        "tags": dict(sorted(tags.items())),
    }


def _rule(kind: str, rule: Rule) -> Json:
    origins = dict.fromkeys((each.mesh, each.name) for each in rule.origins)
    return {
        "policyType": kind,
        "subset": {each.key: f"{'!' * each.negated}{each.value}" for each in rule.subset},
        "conf": rule.conf.to_json(),
        "origins": [{"mesh": mesh, "name": name} for mesh, name in origins],
    }
