"""The rules in force for one Dataplane, with the policies that they come from, in the JSON form of
`/_rules`. The same functions made the plan.

Source: reference 2.2.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from kuma.plan.origin import Origin
from kuma.resolve.explain_parts import find_named
from kuma.resolve.match import Matched, matched_policies
from kuma.resolve.placement import InboundRule, Placement, Rule
from kuma.resolve.resource_rules import ResourceRule, resource_rules
from kuma.resolve.rules import (
    Combined,
    combined_from_rules,
    combined_to_rules,
    inbound_rules,
    named_policies,
    proxy_rule,
)
from kuma.resolve.subject import Subject, subject_of
from kuma.resolve.view import MeshView
from kuma.resources.codec import to_document
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.dataplane.model import Inbound
from kuma.resources.kinds.mesh import MESH
from kuma.resources.resource import AnyResource, Resource

Json = dict[str, Any]


def explain_rules(view: MeshView, name: str) -> Json:
    """Empty: there is no such Dataplane."""
    dataplane = view.dataplane(name)
    subject = subject_of(view, name)
    if dataplane is None or subject is None:
        return {}
    rules = [_explain_kind(view, placement, dataplane, subject) for placement in view.placements]
    return {
        "resource": _meta(dataplane),
        "httpMatches": _http_matches(view, subject),
        "rules": [each for each in rules if each is not None],
    }


def warnings_of(explained: Json, kind: str) -> list[str]:
    """Those of a kind, to add to; an entry is made for a kind that has none since it says nothing."""
    for each in explained["rules"]:
        if each["type"] == kind:
            found: list[str] = each["warnings"]
            return found
    warnings: list[str] = []
    explained["rules"].append(_explained(kind, warnings=warnings))
    return warnings


def is_selected(
    view: MeshView, policy: AnyResource, dataplane: str, *, include_shadow: bool = True
) -> bool:
    """Whether the top-level target of `policy` selects the Dataplane."""
    subject = subject_of(view, dataplane)
    if subject is None:
        return False
    return policy.name in matched_policies(view, policy.kind.name, subject, include_shadow).names


def attached_policies(view: MeshView, name: str) -> Json:
    """The policies that select the Dataplane, by kind, in the form of `dataplanes/{name}/policies`."""
    subject = subject_of(view, name)
    kinds = (
        {}
        if subject is None
        else {p.name: _attached(view, p.name, subject) for p in view.placements}
    )
    found = {kind: policies for kind, policies in sorted(kinds.items()) if policies}
    items = [{"type": "dataplane", "matchedPolicies": found}] if found else []
    return {"kind": "SidecarDataplane", "total": len(items), "items": items}


def _attached(view: MeshView, kind: str, subject: Subject) -> list[Json]:
    names = matched_policies(view, kind, subject).names
    documents = (to_document(policy) for policy in named_policies(view, kind, names))
    return [
        {key: text for key, text in each.items() if key not in {"spec", "status"}}
        for each in documents
    ]


def _explain_kind(
    view: MeshView, placement: Placement, dataplane: Resource[DataplaneSpec], subject: Subject
) -> Json | None:
    kind, traits = placement.name, placement.kind.policy
    matched = matched_policies(view, kind, subject)
    meta = _metas(view, kind)
    sending = Combined()
    resources: Collection[ResourceRule] = ()
    if traits is not None and traits.has_to:
        sending = combined_to_rules(view, kind, matched.names)
        resources = resource_rules(view, kind, matched.names).values()
    if (mesh := view.mesh()) is not None and mesh.spec.has_only_mesh_services:
        sending = Combined()
    complete = sending.is_complete
    by_tags, by_match = [], []
    for position, inbound in _by_port(dataplane):
        names = matched.names_for(position)
        combined = combined_from_rules(view, kind, names)
        complete &= combined.is_complete
        if combined.rules:
            rules = [_rule(rule, meta) for rule in combined.rules]
            by_tags.append({"inbound": _inbound(inbound), "rules": rules})
        if found := inbound_rules(view, kind, names).by_match:
            matches = [_inbound_rule(rule, meta) for rule in found]
            by_match.append({"inbound": _inbound(inbound), "rules": matches})
    whole = proxy_rule(view, kind, matched.names) if placement.is_about_proxies else None
    if not (whole or sending.rules or resources or by_tags or by_match):
        return None
    return _explained(
        kind,
        toRules=[_rule(rule, meta) for rule in sending.rules],
        toResourceRules=[_resource_rule(view, rule, meta) for rule in resources],
        fromRules=by_tags,
        inboundRules=by_match,
        **({} if whole is None else {"proxyRule": _proxy_rule(whole, meta)}),
        warnings=_warnings(matched, complete=complete),
    )


def _explained(kind: str, **found: Any) -> Json:
    """Every list is there, if only an empty one."""
    lists = ("toRules", "toResourceRules", "fromRules", "inboundRules", "warnings")
    return {"type": kind, **{each: [] for each in lists}, **found}


def _by_port(dataplane: Resource[DataplaneSpec]) -> list[tuple[int, Inbound]]:
    inbounds = enumerate(dataplane.spec.networking.inbound)
    return sorted(inbounds, key=lambda each: each[1].port)


def _rule(rule: Rule, meta: Callable[[Origin], Json]) -> Json:
    resources = dict.fromkeys((origin.kind, origin.mesh, origin.name) for origin in rule.origins)
    return {
        "matchers": [
            {"key": tag.key, "value": tag.value, "not": tag.negated} for tag in rule.subset
        ],
        "conf": rule.conf.to_json(),
        "origin": [meta(Origin(*resource)) for resource in resources],
    }


def _proxy_rule(rule: Rule, meta: Callable[[Origin], Json]) -> Json:
    return {"conf": rule.conf.to_json(), "origin": [meta(origin) for origin in rule.origins]}


def _inbound_rule(rule: InboundRule, meta: Callable[[Origin], Json]) -> Json:
    match = {} if rule.match is None else {"match": rule.match.to_json()}
    return {**match, "conf": [rule.conf.to_json()], "origin": _origins((rule.origin,), meta)}


def _resource_rule(view: MeshView, rule: ResourceRule, meta: Callable[[Origin], Json]) -> Json:
    kind, mesh, name = rule.section.resource
    found = view.mesh() if kind == MESH.name else find_named(view, kind, name)
    labels = {} if found is None else dict(found.labels)
    return {
        "resourceMeta": {"type": kind, "mesh": mesh, "name": name, "labels": labels},
        "resourceSectionName": rule.section.name,
        "conf": [conf.to_json() for conf in rule.confs],
        "origin": _origins(rule.origins, meta),
    }


def _origins(origins: Sequence[Origin], meta: Callable[[Origin], Json]) -> list[Json]:
    return [{"resourceMeta": meta(origin), "ruleIndex": origin.rule or 0} for origin in origins]


def _metas(view: MeshView, kind: str) -> Callable[[Origin], Json]:
    policies: Mapping[str, AnyResource] = {each.name: each for each in view.policies(kind)}
    return lambda origin: _meta(policies[origin.name])


def _meta(resource: AnyResource | Resource[Any]) -> Json:
    return {
        "type": resource.kind.name,
        "mesh": resource.mesh,
        "name": resource.name,
        "labels": dict(resource.labels),
    }


def _inbound(inbound: Inbound) -> Json:
    name = {"name": inbound.name} if inbound.name else {}
    return {**name, "port": inbound.port, "tags": dict(inbound.tags)}


def _warnings(matched: Matched, *, complete: bool) -> list[str]:
    found = [
        f"unable to resolve TargetRef on policy: mesh:{each.origin.mesh} name:{each.origin.name} "
        f'error:"{each.message}"'
        for each in matched.diagnostics
    ]
    if not complete:
        found.append(
            "too many combinations of tags to show; the policies are in force all the same"
        )
    return found


def _http_matches(view: MeshView, subject: Subject) -> list[Json]:
    """What stands behind the hashes by which rules speak of routes."""
    found: dict[str, Any] = {}
    for placement in view.placements:
        if placement.rule_hashes is None:
            continue
        policies = matched_policies(view, placement.name, subject).names
        by_tags = combined_to_rules(view, placement.name, policies).rules
        by_resource = resource_rules(view, placement.name, policies).values()
        confs = [rule.conf for rule in by_tags]
        for conf in [*confs, *(conf for rule in by_resource for conf in rule.confs)]:
            matches = [each["matches"] for each in conf.to_json().get("rules", ())]
            found.update(zip(placement.rule_hashes(conf), matches, strict=True))
    return [{"hash": text, "match": found[text]} for text in sorted(found)]
