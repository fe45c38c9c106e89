"""Answers for people: what the control plane makes of a proxy, and what its Envoy says.

The same functions that make the configuration explain it. Implements the API's `Inspector`.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from kuma.envoy.print import snapshot_as_json
from kuma.kit.json_diff import json_diff
from kuma.pipeline.compile import Compiler
from kuma.pipeline.config_dump import without_tokens
from kuma.pipeline.failures import Failures
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.traits import Traits, traits_of
from kuma.pipeline.view import TrackedView
from kuma.plan.failure import Failure
from kuma.plan.machine import Machine
from kuma.resolve import explain_parts
from kuma.resolve.attached_rules import attached_rules
from kuma.resolve.explain import (
    attached_policies,
    explain_rules,
    is_selected,
    warnings_of,
)
from kuma.resolve.match import matches_tags
from kuma.resolve.placement import Placement
from kuma.resolve.plain_view import PlainMeshView
from kuma.resources import labels as well_known
from kuma.resources.errors import NotFound, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.mesh_service import MeshServiceSpec, Selector
from kuma.resources.kri import Kri
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource


class AdminClient(Protocol):
    async def get(self, address: str, port: int, path: str) -> bytes:
        """What Envoy's admin interface answers. Raises Unavailable with the reason."""


class Inspection:
    """See `Inspector` of the API for what each method answers."""

    def __init__(
        self,
        replica: Replica,
        registry: Registry,
        compiler: Compiler,
        view_of: Callable[[str], TrackedView],
        *,
        admin: AdminClient,
        failures: Failures,
    ) -> None:
        self._failures = failures
        self._replica = replica
        self._registry = registry
        self._compiler = compiler
        self._view_of = view_of
        self._admin = admin

    def rules(self, mesh: str, name: str) -> dict[str, Any]:
        view = self._view(mesh, name)
        explained = explain_rules(view, name)
        # Differs from Kuma: settings without effect are told as well.
        for each in self._compiler.problems(view, name, self._known_traits(mesh, name)):
            text = f'"{each.origin.name}" {each.path}: {each.message}'
            warnings_of(explained, each.origin.kind).append(text)
        for failure in self._failed(mesh, name):
            if failure.policy:
                warnings_of(explained, failure.policy).append(str(failure))
        return explained

    def config(self, mesh: str, name: str, *, shadow: bool, include_diff: bool) -> dict[str, Any]:
        traits = self._traits(mesh, name)
        machine = traits.machine(ProxyKey(mesh, name))
        view = self._plain_view(mesh, machine, shadow=False)
        real = shown = self._config_over(view, name, traits)
        if shadow:
            view = self._plain_view(mesh, machine, shadow=True)
            shown = self._config_over(view, name, traits)
        answer: dict[str, Any] = {"xds": shown}
        if include_diff:
            answer["diff"] = list(json_diff(real, shown))
        return answer

    def policies(self, mesh: str, name: str) -> dict[str, Any]:
        return attached_policies(self._view(mesh, name), name)

    def attached_rules(self, mesh: str, name: str) -> dict[str, Any]:
        return attached_rules(self._view(mesh, name), name)

    def layout(self, mesh: str, name: str) -> dict[str, Any]:
        traits, view = self._known_traits(mesh, name), self._view(mesh, name)
        return explain_parts.layout(view, name, traits.said)

    def proxy_policies(self, mesh: str, name: str) -> dict[str, Any]:
        return explain_parts.proxy_policies(self._view(mesh, name), name)

    def inbound_policies(self, mesh: str, name: str, inbound: Kri) -> dict[str, Any] | None:
        return explain_parts.inbound_policies(self._view(mesh, name), name, inbound.section)

    def outbound_policies(
        self, mesh: str, name: str, outbound: Kri, route: Kri | None = None
    ) -> dict[str, Any]:
        return explain_parts.outbound_policies(self._view(mesh, name), name, outbound, route)

    def outbound_routes(self, mesh: str, name: str, outbound: Kri) -> dict[str, Any]:
        return explain_parts.outbound_routes(self._view(mesh, name), name, outbound)

    def selected_dataplanes(
        self, by: AnyResource, *, include_shadow: bool = True
    ) -> Sequence[AnyResource]:
        dataplanes = self._replica.list(DATAPLANE, by.mesh)
        if isinstance(by.spec, MeshServiceSpec):
            selector = by.spec.selector
            return [each for each in dataplanes if _is_behind(selector, each)]
        return [
            each
            for each in dataplanes
            if is_selected(
                self._view(by.mesh, each.name), by, each.name, include_shadow=include_shadow
            )
        ]

    async def envoy_admin(
        self,
        mesh: str,
        name: str,
        what: str,
        format: str,  # noqa: A002
        include_eds: bool,
    ) -> bytes:
        networking = self._dataplane(mesh, name).networking
        if (located := self._view_of(mesh).dataplane(name)) is not None:
            networking = located.spec.networking
        port = networking.admin.port if networking.admin else 0
        port = port or self._traits(mesh, name).admin_port
        if not port:
            raise Unavailable(f'dataplane "{name}" has no admin port')
        path = _admin_path(what, format, include_eds)
        answer = await self._admin.get(networking.address, port, path)
        return _shown(answer) if what == "xds" else answer

    def _failed(self, mesh: str, name: str) -> tuple[Failure, ...]:
        """What fails on this proxy: found by doing its work again, which is only done where something
        failed at all."""
        if not self._failures:
            return ()
        found: list[Failure] = []
        traits = self._known_traits(mesh, name)
        renderer, placements = self._failures.collecting(found)
        machine = traits.machine(ProxyKey(mesh, name))
        view = self._plain_view(mesh, machine, shadow=False, placements=placements)
        self._compiler.rendering(renderer).snapshot_over(view, name, traits)
        return tuple(dict.fromkeys(found))

    def _config_over(self, view: PlainMeshView, name: str, traits: Traits) -> dict[str, Any]:
        shown: dict[str, Any] = snapshot_as_json(self._compiler.snapshot_over(view, name, traits))
        return shown

    def _plain_view(
        self,
        mesh: str,
        machine: Machine,
        *,
        shadow: bool,
        placements: tuple[Placement, ...] | None = None,
    ) -> PlainMeshView:
        """For a proxy on that machine. The mesh as it is, or as it would be if policies with the
        effect shadow had effect."""
        tracked = self._view_of(mesh)
        located = (
            _located(tracked, found)
            for kind in self._registry
            for found in self._replica.list(kind, mesh if kind.is_mesh_scoped else None)
        )
        resources = [
            _without_effect(each) if shadow and each.kind.is_target_ref_policy else each
            for each in located
            if each is not None
        ]
        return _View(tracked, resources, machine, placements or tracked.placements)

    def _view(self, mesh: str, name: str) -> TrackedView:
        """In which the Dataplane is, also while its address is not known. Raises NotFound."""
        own, view = self._resource(mesh, name), self._view_of(mesh)
        return view if view.dataplane(name) is not None else _WithUnlocated(view, own)

    def _dataplane(self, mesh: str, name: str) -> DataplaneSpec:
        return self._resource(mesh, name).spec

    def _resource(self, mesh: str, name: str) -> Resource[DataplaneSpec]:
        key = ResourceKey(DATAPLANE.name, mesh, name)
        found = self._replica.find(key)
        if found is None:
            raise NotFound(key)
        return cast("Resource[DataplaneSpec]", found)

    def _traits(self, mesh: str, name: str) -> Traits:
        """What the proxy said of itself when it connected last, to any instance."""
        self._dataplane(mesh, name)
        key = ResourceKey(DATAPLANE_INSIGHT.name, mesh, name)
        found = self._replica.find(key)
        if found is None or not isinstance(found.spec, DataplaneInsightSpec):
            raise NotFound(key)
        return traits_of(found.spec.metadata or {})

    def _known_traits(self, mesh: str, name: str) -> Traits:
        """Those of a proxy that never connected are the default ones."""
        try:
            return self._traits(mesh, name)
        except NotFound:
            return Traits()


class _View(PlainMeshView):
    """Readiness for mutual TLS is as the tracked view sees it."""

    def __init__(
        self,
        tracked: TrackedView,
        resources: Sequence[AnyResource],
        machine: Machine,
        placements: tuple[Placement, ...],
    ) -> None:
        super().__init__(
            resources,
            mesh=tracked.mesh_name,
            zone=tracked.zone,
            placements=placements,
            service_vip_port=tracked.service_vip_port,
            reaches_permitted_only=tracked.reaches_permitted_only,
            spire_socket=tracked.spire_socket,
            machine=machine,
        )
        self._tracked = tracked

    def is_tls_ready(self, service: str) -> bool:
        return self._tracked.is_tls_ready(service)


class _WithUnlocated(TrackedView):
    """With a Dataplane whose address is not known yet, as it is written: what it matches does not
    hang on that. Nothing is remembered of it, and others do not see it."""

    def __init__(self, tracked: TrackedView, own: AnyResource) -> None:
        super().__init__(
            tracked.engine,
            mesh=tracked.mesh_name,
            zone=tracked.zone,
            placements=tracked.placements,
            service_vip_port=tracked.service_vip_port,
        )
        self._own = own

    def dataplane(self, name: str) -> Resource[Any] | None:
        return self._own if name == self._own.name else super().dataplane(name)

    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any:
        return compute(self, *args)


def _located(view: TrackedView, resource: AnyResource) -> AnyResource | None:
    """With addresses where a Dataplane has names. None: they are not known."""
    return view.dataplane(resource.name) if resource.kind is DATAPLANE else resource


def _without_effect(policy: AnyResource) -> AnyResource:
    if well_known.EFFECT not in policy.labels:
        return policy
    return policy.with_labels({k: v for k, v in policy.labels.items() if k != well_known.EFFECT})


def _shown(dump: bytes) -> bytes:
    try:
        return without_tokens(dump)
    except ValueError as error:
        raise Unavailable(f"Envoy's configuration dump is not JSON: {error}") from error


def _is_behind(selector: Selector, dataplane: AnyResource) -> bool:
    """Gateways too, which have no inbound that would serve the MeshService."""
    if selector.dataplane_ref is not None:
        return selector.dataplane_ref.name == dataplane.name
    if selector.dataplane_tags is not None:
        wanted, spec = selector.dataplane_tags, dataplane.spec
        sets = spec.tag_sets() if isinstance(spec, DataplaneSpec) else ()
        return any(matches_tags(wanted, tags) for tags in sets)
    labels = selector.dataplane_labels
    return labels is not None and labels.matches(dataplane.labels)


def _admin_path(what: str, form: str, include_eds: bool) -> str:
    if what == "xds":
        return "/config_dump?include_eds" if include_eds else "/config_dump"
    return f"/{what}?format=json" if form == "json" else f"/{what}"
