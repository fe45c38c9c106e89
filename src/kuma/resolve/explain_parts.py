"""What policies say of one part of a Dataplane: the proxy, an inbound, an outbound, a route; and which
parts there are. The answers of `_layout`, `_policies`, `_inbounds`, `_outbounds` and `_routes`.

Parts are known by KRI, as the objects in Envoy are that have unified names; every conf comes with the
KRIs of the policies that it is made of. Of meshes whose `meshServices.mode` is Exclusive only.
Source: reference 2.2 and 14.6.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from kuma.kit.derived import derived
from kuma.plan import names
from kuma.plan.origin import Origin
from kuma.resolve.declared import outbounds_of
from kuma.resolve.match import matched_policies
from kuma.resolve.outbounds import DeclaredOutbound
from kuma.resolve.placement import Placement, Source
from kuma.resolve.ports import port_protocol
from kuma.resolve.proxy_identity import spiffe_id_of
from kuma.resolve.redirection import NOTHING_SAID, Said
from kuma.resolve.resource_rules import ResourceRule, Section, resource_rules
from kuma.resolve.rules import inbound_rules, proxy_rule
from kuma.resolve.subject import Subject, subject_of
from kuma.resolve.target import PortTarget, kri_of_port
from kuma.resolve.view import MeshView
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.mesh import MESH
from kuma.resources.kri import Kri, kri_of
from kuma.resources.resource import AnyResource, Resource

Json = dict[str, Any]


def layout(view: MeshView, name: str, said: Said = NOTHING_SAID) -> Json:
    """The parts of a Dataplane and the names of their objects in Envoy, with what its proxy says of
    itself. Empty: there is no such Dataplane."""
    dataplane: Resource[DataplaneSpec] | None = view.dataplane(name)
    if dataplane is None or (own := kri_of(dataplane)) is None:
        return {}
    inbounds = [
        {
            "kri": str(own.with_section(each.section_name)),
            "port": each.port,
            "protocol": each.declared_protocol,
            "proxyResourceName": names.self_inbound(each.section_name),
        }
        for each in dataplane.spec.networking.inbound
    ]
    return {
        "kri": str(own),
        "labels": dict(sorted(dataplane.labels.items())),
        "inbounds": inbounds,
        "listeners": [],
        "outbounds": _outbounds(view, outbounds_of(view, name, said).outbounds),
        **({} if (spiffe_id := spiffe_id_of(view, name)) is None else {"spiffeId": spiffe_id}),
    }


def _outbounds(view: MeshView, outbounds: tuple[DeclaredOutbound, ...]) -> list[Json]:
    """# Differs from Kuma: what the proxy has, not all that it might call."""
    ports = {
        kri: target
        for each in outbounds
        if isinstance(target := each.target, PortTarget)
        and (kri := kri_of_port(view, target.resource))
    }
    return [
        {
            "kri": kri,
            "port": target.resource.port,
            "protocol": port_protocol(view, target.resource).value,
            "proxyResourceName": kri,
        }
        for kri, target in sorted(ports.items())
    ]


def proxy_policies(view: MeshView, name: str) -> Json:
    """What holds for the proxy as a whole."""
    subject = subject_of(view, name)
    found = []
    for placement in view.placements:
        if subject is None or not placement.is_about_proxies:
            continue
        policies = matched_policies(view, placement.name, subject).names
        if (rule := proxy_rule(view, placement.name, policies)) is not None:
            conf = {"conf": rule.conf.to_json(), "kind": placement.name}
            found.append({**conf, "origins": _origins(view, rule.origins)})
    return {"policies": found}


def inbound_policies(view: MeshView, name: str, section: str) -> Json | None:
    """What holds for what comes in, rule by rule. None: there is no such inbound."""
    dataplane: Resource[DataplaneSpec] | None = view.dataplane(name)
    subject = subject_of(view, name)
    inbounds = dataplane.spec.networking.inbound if dataplane is not None else ()
    sections = [each.section_name for each in inbounds]
    if subject is None or section not in sections:
        return None
    found = []
    for placement in view.placements:
        matched = matched_policies(view, placement.name, subject)
        policies = matched.names_for(sections.index(section))
        if rules := inbound_rules(view, placement.name, policies).by_match:
            confs = [
                {"conf": each.conf.to_json(), "kri": _kri(view, each.origin)} for each in rules
            ]
            origins = _distinct(each.origin for each in rules)
            found.append(
                {"kind": placement.name, "origins": _origins(view, origins), "rules": confs}
            )
    return {"policies": found}


def outbound_policies(view: MeshView, name: str, outbound: Kri, route: Kri | None = None) -> Json:
    """What holds for what goes to a destination; by a route, if one is given, where what makes
    routes has no part."""
    found = [
        {
            "conf": [conf.to_json() for conf in rule.confs],
            "kind": placement.name,
            "origins": _origins(view, rule.origins),
        }
        for placement, subject in _sending(view, name)
        if route is None or not _makes_routes(placement)
        if (rule := _rule(view, placement, subject, outbound, route)) is not None
    ]
    return {"policies": found}


def outbound_routes(view: MeshView, name: str, outbound: Kri) -> Json:
    """The routes to a destination, of HTTP and of TCP."""
    found = [
        {
            "kind": placement.name,
            "origins": _origins(view, rule.origins),
            "rules": [each for conf in rule.confs for each in _routes(view, rule, conf)],
        }
        for placement, subject in _sending(view, name)
        if _makes_routes(placement)
        if (rule := _rule(view, placement, subject, outbound)) is not None
    ]
    return {"routes": found}


def _routes(view: MeshView, rule: ResourceRule, conf: Any) -> Iterator[Json]:
    """# Differs from Kuma: a route of TCP has its KRI too, and a list of matches that is empty."""
    whole = conf.to_json()
    if "rules" not in whole:
        kri = _kri(view, rule.origins[-1])
        yield {"conf": whole.get("default", {}), "kri": kri, "matches": []}
        return
    for each in whole["rules"]:
        kri = _kri(view, _origin_of(each["matches"], rule.sources))
        yield {"conf": each["default"], "kri": kri, "matches": each["matches"]}


def _origin_of(matches: object, sources: tuple[Source, ...]) -> Origin:
    """The strongest of the policies that have a rule with these matches."""
    having = (
        source.origin
        for source in reversed(sources)
        for each in source.conf.to_json().get("rules", ())
        if each["matches"] == matches
    )
    return next(having, sources[-1].origin)


def _sending(view: MeshView, name: str) -> Iterator[tuple[Placement, Subject]]:
    subject = subject_of(view, name)
    for placement in view.placements:
        traits = placement.kind.policy
        if subject is not None and traits is not None and traits.has_to:
            yield placement, subject


def _makes_routes(placement: Placement) -> bool:
    return placement.http_routes is not None or placement.tcp_backends is not None


def _rule(
    view: MeshView, placement: Placement, subject: Subject, outbound: Kri, route: Kri | None = None
) -> ResourceRule | None:
    """The rule on the route, else on the port, else on its service, else on the mesh."""
    policies = matched_policies(view, placement.name, subject).names
    rules = _by_kri(view, placement.name, policies)
    asked = [] if route is None else [str(route), str(route.with_section(""))]
    for kri in (*asked, str(outbound), str(outbound.with_section("")), ""):
        if kri in rules:
            return rules[kri]
    return None


def _by_kri(view: MeshView, kind: str, policies: tuple[str, ...]) -> dict[str, ResourceRule]:
    """The rule on the mesh has none, and stands under an empty one."""
    rules = resource_rules(view, kind, policies)
    return {_section_kri(view, section): rule for section, rule in rules.items()}


def _section_kri(view: MeshView, section: Section) -> str:
    if section.resource.kind == MESH.name:
        return ""
    found = find_named(view, section.resource.kind, section.resource.name)
    kri = None if found is None else kri_of(found)
    return "" if kri is None else str(kri.with_section(section.name))


def find_named(view: MeshView, kind: str, name: str) -> AnyResource | None:
    """A service or a policy."""
    policies = (each for each in view.policies(kind) if each.name == name)
    return view.service(kind, name) or next(policies, None)


def _origins(view: MeshView, origins: Iterable[Origin]) -> list[Json]:
    return [{"kri": _kri(view, each)} for each in origins]


def _distinct(origins: Iterable[Origin]) -> Iterable[Origin]:
    """One for each policy."""
    return {(each.kind, each.mesh, each.name): each for each in origins}.values()


@derived
def _kri(view: MeshView, origin: Origin) -> str:
    found = find_named(view, origin.kind, origin.name)
    kri = None if found is None else kri_of(found)
    return "" if kri is None else str(kri)
