"""Whom a proxy may call, so far as that follows from tags: what nobody lets it call, it need not reach.

    policies that select a service by its tags -> Permitting     one for each service
    tags of a proxy that such policies ask for -> Callers        one for each class of proxies

Only with `experimental.autoReachableServices`; otherwise nothing here is ever computed.
Source: https://kuma.io/docs/2.14.x/networking/transparent-proxying; reference 7.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.tags import Tags, as_tags
from kuma.resolve.match import is_shadow, select
from kuma.resolve.order import top_target, weakest_first
from kuma.resolve.placement import Placement, Subset
from kuma.resolve.subject import InboundSubject, Subject
from kuma.resolve.subsets import as_subset, contains
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.mesh_service import MESH_SERVICE, MeshServiceSpec
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.target_ref import ProxyType, TargetRefKind

Callers = tuple[Tags, ...]
"""The tags of each inbound and of the gateway of a proxy, as far as policies ask for them."""

_OF_SERVICES = frozenset(
    {
        well_known.SERVICE_TAG,
        well_known.K8S_NAMESPACE,
        well_known.K8S_SERVICE_NAME_TAG,
        well_known.K8S_SERVICE_PORT_TAG,
    }
)
"""Tags that all instances of a service have in common. Others are not asked about a service, so that
what a policy says of some of its instances counts for it as a whole."""


@value
class Permitting:
    """Who may call a service: the entries of policies, strongest first, each with whether it lets in.
    `is_open`: others are let in by what no tag shows."""

    entries: tuple[tuple[Subset, bool], ...] = ()
    is_open: bool = False

    def lets_in(self, callers: Callers) -> bool:
        """Whether one of the names that the proxy goes by may call."""
        return self.is_open or any(self._lets_in(dict(tags)) for tags in callers)

    def _lets_in(self, tags: Mapping[str, str]) -> bool:
        return next((lets_in for subset, lets_in in self.entries if contains(subset, tags)), False)


def callers_of(view: MeshView, dataplane: Resource[DataplaneSpec]) -> Callers | None:
    """None: it reaches everything, whoever lets it in."""
    if not view.reaches_permitted_only:
        return None
    asked = _asked(view)
    found = {
        as_tags({key: text for key, text in tags.items() if key in asked})
        for tags in dataplane.spec.tag_sets()
    }
    return tuple(sorted(found))


@derived
def _asked(view: MeshView) -> frozenset[str]:
    found: set[str] = set()
    items = (
        i for _, policies in _policies(view) for each in policies for i in _items(each, "from_")
    )
    for item in items:
        found.update(tag.key for tag in as_subset(item.target_ref) or ())
    return frozenset(found)


@derived
def permitting_service(view: MeshView, service: str) -> Permitting:
    """Of a service by its tags. One that is not there lets nobody in."""
    tags = _tags_of_service(view, service)
    return Permitting() if tags is None else _permitting(view, tags, _OF_SERVICES)


@derived
def permitting_mesh_service(view: MeshView, name: str) -> Permitting:
    """Of a MeshService, by the tags that it selects, its zone and its origin."""
    tags = _tags_of_mesh_service(view, name)
    return _permitting(view, tags, frozenset(key for key, _ in tags))


@derived
def _tags_of_service(view: MeshView, service: str) -> Tags | None:
    inbounds, outside = view.service_inbounds(service), view.external_services(service)
    found = [dict(each.tags) for each in inbounds[:1]]
    found += [dict(each.spec.tags) for each in outside[:1]]
    for tags in found:
        return as_tags({key: text for key, text in tags.items() if key in _OF_SERVICES and text})
    return None


@derived
def _tags_of_mesh_service(view: MeshView, name: str) -> Tags:
    found = view.service(MESH_SERVICE.name, name)
    if found is None or not isinstance(found.spec, MeshServiceSpec):
        return ()
    tags = dict(found.spec.selector.dataplane_tags or ())
    labels = (well_known.ORIGIN, well_known.ZONE)
    return as_tags(tags | {key: found.labels[key] for key in labels if found.labels.get(key)})


def _permitting(view: MeshView, tags: Tags, known: frozenset[str]) -> Permitting:
    """`known`: the tags of targets that count; others are passed over."""
    service = Subject("", (), ProxyType.SIDECAR, (InboundSubject("", tags),), None)
    entries: list[tuple[Subset, bool]] = []
    is_open = _is_open_by_dataplane(view)
    for placement, policies in _policies(view):
        trimmed = (_trimmed(each, known) for each in policies if not _is_of_dataplanes(each))
        selecting = [each for each in trimmed if select(each, service)[0]]
        entries += (e for policy in weakest_first(selecting) for e in _entries(placement, policy))
        is_open |= any(_lets_in(placement, policy, "rules") for policy in selecting)
    return Permitting(tuple(reversed(entries)), is_open)


@derived
def _is_open_by_dataplane(view: MeshView) -> bool:
    """Whether a policy lets somebody call some Dataplanes.

    # Differs from Kuma: which services these are, and who has which SPIFFE ID, no tag shows; so
    # services are reachable then, and where `rules` let somebody in. Kuma hides what may be called.
    """
    return any(
        _is_of_dataplanes(policy) and _lets_in(placement, policy, "from_", "rules")
        for placement, policies in _policies(view)
        for policy in policies
    )


def _policies(view: MeshView) -> Iterator[tuple[Placement, list[AnyResource]]]:
    """Those that say who may call whom, and are in force."""
    for placement in view.placements:
        if placement.lets_in is not None:
            yield placement, [each for each in view.policies(placement.name) if not is_shadow(each)]


def _is_of_dataplanes(policy: AnyResource) -> bool:
    return top_target(policy).kind is TargetRefKind.DATAPLANE


def _trimmed(policy: AnyResource, known: frozenset[str]) -> AnyResource:
    target = top_target(policy)
    if all(key in known for key, _ in target.tags or ()):
        return policy
    tags = tuple((key, text) for key, text in target.tags or () if key in known)
    changed = {"target_ref": target.model_copy(update={"tags": tags})}
    return replace(policy, spec=policy.spec.model_copy(update=changed))


def _entries(placement: Placement, policy: AnyResource) -> Iterator[tuple[Subset, bool]]:
    for item in _items(policy, "from_"):
        subset = as_subset(item.target_ref)
        if subset is not None and placement.lets_in is not None:
            yield subset, placement.lets_in(item.default)


def _lets_in(placement: Placement, policy: AnyResource, *fields: str) -> bool:
    lets_in = placement.lets_in
    found = (item.default for field in fields for item in _items(policy, field))
    return lets_in is not None and any(map(lets_in, found))


def _items(policy: AnyResource, field: str) -> tuple[Any, ...]:
    return getattr(policy.spec, field, None) or ()
