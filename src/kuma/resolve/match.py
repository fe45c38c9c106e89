"""Does a policy select a proxy, and which of its inbounds?

Source: Kuma, docs/madr 005, 066 and 069; reference 14.2 and 14.3.
"""

from collections.abc import Mapping

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.plan.proxy import Diagnostic
from kuma.plan.tags import Tags
from kuma.resolve.order import role_of, top_target, weakest_first
from kuma.resolve.subject import Subject
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.resource import AnyResource
from kuma.resources.target_ref import TargetRef, TargetRefKind

_SHADOW = "shadow"


@value
class Selected:
    """A policy that applies. `inbounds` are positions in the Dataplane's list."""

    policy: str
    inbounds: tuple[int, ...]


@value
class Matched:
    """The policies of one kind that apply to a proxy, weakest first."""

    policies: tuple[Selected, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.policy for each in self.policies)

    def names_for(self, inbound: int) -> tuple[str, ...]:
        return tuple(each.policy for each in self.policies if inbound in each.inbounds)


@derived
def matched_policies(
    view: MeshView, kind: str, subject: Subject, include_shadow: bool = False
) -> Matched:
    selected: dict[str, Selected] = {}
    policies: list[AnyResource] = []
    diagnostics: list[Diagnostic] = []
    for policy in view.policies(kind):
        if not include_shadow and is_shadow(policy):
            continue
        scope, missing = _scope(view, policy)
        if missing is not None:
            diagnostics.append(missing)
        if scope is None or not in_scope(policy, subject):
            continue
        inbounds, whole = select(scope, subject)
        if inbounds or whole:
            policies.append(policy)
            selected[policy.name] = Selected(policy.name, inbounds)
    ordered = (selected[each.name] for each in weakest_first(policies))
    return Matched(tuple(ordered), tuple(diagnostics))


def is_shadow(policy: AnyResource) -> bool:
    """Whether it is only to be seen what it would do."""
    return policy.labels.get(well_known.EFFECT) == _SHADOW


def _scope(view: MeshView, policy: AnyResource) -> tuple[AnyResource | None, Diagnostic | None]:
    """The policy whose top-level target decides: that of the route, for a policy on a route."""
    target = top_target(policy)
    if target.kind is not TargetRefKind.MESH_HTTP_ROUTE:
        return policy, None
    route = find_route(view, target.name or "")
    if route is not None:
        return route, None
    origin = Origin(policy.kind.name, policy.mesh, policy.name)
    text = f"couldn't resolve MeshHTTPRoute targetRef with name '{target.name}'"
    return None, Diagnostic(origin, "spec.targetRef.name", text)


def find_route(view: MeshView, name: str) -> AnyResource | None:
    for route in view.policies(TargetRefKind.MESH_HTTP_ROUTE):
        if route.display_name == name:
            return route
    return None


def select(policy: AnyResource, subject: Subject) -> tuple[tuple[int, ...], bool]:
    """The inbounds that `policy` selects, and whether it selects a delegated gateway."""
    nothing: tuple[tuple[int, ...], bool] = ((), False)
    if not in_scope(policy, subject):
        return nothing
    target = top_target(policy)
    match target.kind:
        case TargetRefKind.MESH:
            return _select_tags((), subject) if _takes_type(target, subject) else nothing
        case TargetRefKind.MESH_SUBSET:
            takes = _takes_type(target, subject)
            return _select_tags(target.tags or (), subject) if takes else nothing
        case TargetRefKind.MESH_SERVICE | TargetRefKind.MESH_SERVICE_SUBSET:
            service = (well_known.SERVICE_TAG, target.name or "")
            return _select_tags((service, *(target.tags or ())), subject)
        case TargetRefKind.DATAPLANE:
            return _select_dataplane(policy, target, subject)
        case _:
            return nothing


def in_scope(policy: AnyResource, subject: Subject) -> bool:
    """Whether the zone and namespace of a policy let it apply to the proxy at all."""
    return _in_zone(policy, subject) and _in_namespace(policy, subject)


def _in_zone(policy: AnyResource, subject: Subject) -> bool:
    if role_of(policy) == "producer" or subject.label(well_known.ORIGIN) in {None, "global"}:
        return True
    if policy.labels.get(well_known.ORIGIN) != "zone":
        return True
    zone = policy.labels.get(well_known.ZONE)
    return zone is None or subject.label(well_known.ZONE) == zone


def _in_namespace(policy: AnyResource, subject: Subject) -> bool:
    if role_of(policy) not in {"consumer", "workload-owner"}:
        return True
    namespace = policy.labels.get(well_known.K8S_NAMESPACE)
    return namespace is not None and namespace == subject.label(well_known.K8S_NAMESPACE)


def _takes_type(target: TargetRef, subject: Subject) -> bool:
    return not target.proxy_types or subject.proxy_type in target.proxy_types


def _select_tags(selector: Tags, subject: Subject) -> tuple[tuple[int, ...], bool]:
    inbounds = tuple(
        position
        for position, inbound in enumerate(subject.inbounds)
        if matches_tags(selector, dict(inbound.tags))
    )
    gateway = subject.gateway_tags
    return inbounds, gateway is not None and matches_tags(selector, dict(gateway))


def matches_tags(selector: Tags, tags: Mapping[str, str]) -> bool:
    """Every selected tag is there, with that value or, for `*`, with any."""
    return all(key in tags and wanted in {"*", tags[key]} for key, wanted in selector)


def _select_dataplane(
    policy: AnyResource, target: TargetRef, subject: Subject
) -> tuple[tuple[int, ...], bool]:
    if not _names(policy, target, subject):
        return (), False
    inbounds = tuple(
        position
        for position, inbound in enumerate(subject.inbounds)
        if not target.section_name or inbound.section == target.section_name
    )
    return inbounds, subject.gateway_tags is not None


def _names(policy: AnyResource, target: TargetRef, subject: Subject) -> bool:
    if target.name:
        namespace = target.namespace or policy.labels.get(well_known.K8S_NAMESPACE, "")
        return (
            subject.name == target.name
            and (subject.label(well_known.K8S_NAMESPACE) or "") == namespace
            and (subject.label(well_known.ZONE) or "") == policy.labels.get(well_known.ZONE, "")
        )
    if target.labels is not None:
        return all(subject.label(key) == wanted for key, wanted in target.labels)
    return not target.namespace
