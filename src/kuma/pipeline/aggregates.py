"""MeshInsight, ServiceInsight and the global insight: counted from the replica when asked for.

# Differs from Kuma: there they are stored and recomputed by a job; here they cannot be out of date,
# cost nothing while nobody asks, and are the same on every instance.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from kuma.kit.clock import Clock
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec, InboundState
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh_insight import MESH_INSIGHT, MeshInsightSpec
from kuma.resources.kinds.service_insight import SERVICE_INSIGHT, ServiceInsightSpec
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource


class ProxyState(StrEnum):
    """The values are MeshInsight's field names."""

    ONLINE = "online"
    OFFLINE = "offline"
    PARTIALLY_DEGRADED = "partiallyDegraded"


def proxy_state(dataplane: DataplaneSpec, insight: DataplaneInsightSpec | None) -> ProxyState:
    """Connected and every inbound ready: online; some inbounds: partially degraded; else offline."""
    if insight is None or not insight.is_online:
        return ProxyState.OFFLINE
    inbounds = [i for i in dataplane.networking.inbound if i.state is not InboundState.IGNORED]
    ready = sum(inbound.is_ready for inbound in inbounds)
    if ready == len(inbounds):
        return ProxyState.ONLINE
    return ProxyState.PARTIALLY_DEGRADED if ready else ProxyState.OFFLINE


class Aggregates:
    def __init__(self, replica: Replica, registry: Registry, clock: Clock) -> None:
        self._replica = replica
        self._registry = registry
        self._clock = clock

    def mesh_insight(self, mesh: str) -> Resource[MeshInsightSpec] | None:
        """None if there is no such mesh."""
        found = self._replica.find(ResourceKey(MESH.name, "", mesh))
        return None if found is None else self._mesh_insight(found)

    def mesh_insights(self) -> list[Resource[MeshInsightSpec]]:
        return [self._mesh_insight(mesh) for mesh in self._replica.list(MESH)]

    def service_insights(self, mesh: str | None = None) -> list[Resource[ServiceInsightSpec]]:
        """One for each service, sorted by mesh and name."""
        meshes = [found for found in self._replica.list(MESH) if mesh in {None, found.name}]
        return [insight for found in meshes for insight in self._services(found)]

    def global_insight(self) -> dict[str, Any]:
        """The answer of `/global-insight`."""
        meshes = [insight.spec for insight in self.mesh_insights()]
        services = [insight.spec for insight in self.service_insights()]
        by_type = {
            name: _sum_states(
                getattr(spec.dataplanes_by_type, field)
                for spec in meshes
                if spec.dataplanes_by_type
            )
            for name, field in (
                ("standard", "standard"),
                ("gatewayBuiltin", "gateway_builtin"),
                ("gatewayDelegated", "gateway_delegated"),
            )
        }
        counts = {kind.name: self._replica.count(kind.name) for kind in self._registry if kind.path}
        policies = sum(counts.get(kind.name, 0) for kind in self._registry.policies())
        zones = counts.get("Zone", 0)
        return {
            "createdAt": self._clock.now().isoformat().replace("+00:00", "Z"),
            "dataplanes": by_type,
            "meshes": {"total": len(meshes)},
            "policies": {"total": policies},
            "resources": {
                name: {"total": count}
                for name, count in sorted(counts.items())
                if count and not name.endswith("Insight")
            },
            "services": _service_counts(services),
            "zones": {
                # The one zone of a zone control plane is this process itself.
                "controlPlanes": {"online": zones, "total": zones},
                "zoneEgresses": {"online": 0, "total": 0},
                "zoneIngresses": {"online": 0, "total": 0},
            },
        }

    def _mesh_insight(self, mesh: AnyResource) -> Resource[MeshInsightSpec]:
        document = _MeshCount()
        for dataplane, insight in self._proxies(mesh.name):
            document.add(dataplane, insight)
        counts = {
            kind.name: len(self._replica.list(kind, mesh.name))
            for kind in self._registry
            if kind.is_mesh_scoped and kind.path and not kind.read_only
        }
        external = counts.get(EXTERNAL_SERVICE.name, 0)
        made = document.to_json(external, counts, self._registry)
        if _has_only_resources(mesh):
            del made["services"]
        spec = MeshInsightSpec.model_validate(made)
        return Resource(MESH_INSIGHT, _meta_like(mesh, name=mesh.name, mesh=""), spec)

    def _services(self, mesh: AnyResource) -> Iterator[Resource[ServiceInsightSpec]]:
        """Where services are resources, those of delegated gateways alone, which never are."""
        services: dict[str, _ServiceCount] = {}
        only = _has_only_resources(mesh)
        for dataplane, insight in self._proxies(mesh.name):
            state = proxy_state(dataplane, insight)
            backend = insight.mtls.issued_backend if insight and insight.mtls else ""
            for name, kind, zone in _services_of(dataplane):
                if not only or kind == "gateway_delegated":
                    services.setdefault(name, _ServiceCount(kind)).add(state, backend, zone)
        for found in () if only else self._replica.list(EXTERNAL_SERVICE, mesh.name):
            name = found.spec.tags.get(well_known.SERVICE_TAG, "")  # type: ignore[attr-defined]
            address = found.spec.networking.address  # type: ignore[attr-defined]
            zone = found.spec.tags.get(well_known.ZONE_TAG, "")  # type: ignore[attr-defined]
            services.setdefault(name, _ServiceCount("external", address)).add(None, "", zone)
        for name in sorted(services):
            spec = ServiceInsightSpec.model_validate(services[name].to_json(name))
            yield Resource(SERVICE_INSIGHT, _meta_like(mesh, name=name, mesh=mesh.name), spec)

    def _proxies(self, mesh: str) -> Iterator[tuple[DataplaneSpec, DataplaneInsightSpec | None]]:
        for found in self._replica.list(DATAPLANE, mesh):
            insight = self._replica.find(ResourceKey(DATAPLANE_INSIGHT.name, mesh, found.name))
            assert isinstance(found.spec, DataplaneSpec)
            spec = insight.spec if insight else None
            yield found.spec, spec if isinstance(spec, DataplaneInsightSpec) else None


def _has_only_resources(mesh: AnyResource) -> bool:
    assert isinstance(mesh.spec, MeshSpec)
    return mesh.spec.has_only_mesh_services


class _States(Counter[str]):
    def add(self, state: ProxyState) -> None:
        self["total"] += 1
        self[state.value] += 1


class _MeshCount:
    def __init__(self) -> None:
        self.dataplanes = _States()
        self.by_type = {
            name: _States()
            for name in ("standard", "gateway", "gatewayBuiltin", "gatewayDelegated")
        }
        self.versions: dict[str, dict[str, _States]] = {"kumaDp": {}, "envoy": {}}
        self.backends: dict[str, dict[str, _States]] = {
            "issuedBackends": {},
            "supportedBackends": {},
        }
        self.services: set[str] = set()

    def add(self, dataplane: DataplaneSpec, insight: DataplaneInsightSpec | None) -> None:
        state = proxy_state(dataplane, insight)
        self.dataplanes.add(state)
        for name in _types_of(dataplane):
            self.by_type[name].add(state)
        for program, version in _versions(insight).items():
            self.versions[program].setdefault(version, _States()).add(state)
        if insight is not None and insight.mtls is not None:
            issued = insight.mtls.issued_backend or "unknown"
            self.backends["issuedBackends"].setdefault(issued, _States()).add(state)
            for backend in insight.mtls.supported_backends:
                self.backends["supportedBackends"].setdefault(backend, _States()).add(state)
        self.services.update(name for name, _, _ in _services_of(dataplane))

    def to_json(
        self, external: int, counts: Mapping[str, int], registry: Registry
    ) -> dict[str, Any]:
        policies = {kind.name for kind in registry.policies()}
        stats = {name: {"total": count} for name, count in sorted(counts.items()) if count}
        return {
            "dataplanes": dict(self.dataplanes),
            "dataplanesByType": {name: dict(states) for name, states in self.by_type.items()},
            "dpVersions": _nested(self.versions),
            "mTLS": _nested(self.backends),
            "services": {
                "total": len(self.services) + external,
                "internal": len(self.services),
                "external": external,
            },
            "policies": {name: stat for name, stat in stats.items() if name in policies},
            "resources": stats,
        }


class _ServiceCount:
    def __init__(self, kind: str, address: str = "") -> None:
        self.kind = kind
        self.address = address
        self.online = 0
        self.offline = 0
        self.backends: Counter[str] = Counter()
        self.zones: set[str] = set()

    def add(self, state: ProxyState | None, backend: str, zone: str) -> None:
        if state is not None:
            self.online += state is ProxyState.ONLINE
            self.offline += state is not ProxyState.ONLINE
        if backend:
            self.backends[backend] += 1
        if zone:
            self.zones.add(zone)

    def to_json(self, service: str) -> dict[str, Any]:
        total = self.online + self.offline
        address = "" if self.kind.startswith("gateway") else self.address or f"{service}.mesh:80"
        return {
            "status": self._status(),
            "dataplanes": {"total": total, "online": self.online, "offline": self.offline},
            "issuedBackends": dict(self.backends),
            "serviceType": self.kind,
            "addressPort": address,
            "zones": sorted(self.zones),
        }

    def _status(self) -> str:
        if self.kind == "external":
            return "not_available"
        if not self.online:
            return "offline"
        return "partially_degraded" if self.offline else "online"


def _services_of(dataplane: DataplaneSpec) -> Iterator[tuple[str, str, str]]:
    """(service, service type, zone) of each inbound, or of the gateway."""
    gateway = dataplane.networking.gateway
    if gateway is not None:
        kind = f"gateway_{gateway.type.value.lower()}"
        tag_sets = [(gateway.tags, kind)]
    else:
        tag_sets = [
            (inbound.tags, "internal")
            for inbound in dataplane.networking.inbound
            if inbound.state is not InboundState.IGNORED
        ]
    for tags, kind in tag_sets:
        if service := tags.get(well_known.SERVICE_TAG, ""):
            yield service, kind, tags.get(well_known.ZONE_TAG, "")


def _types_of(dataplane: DataplaneSpec) -> tuple[str, ...]:
    if dataplane.is_builtin_gateway:
        return ("gateway", "gatewayBuiltin")
    if dataplane.is_delegated_gateway:
        return ("gateway", "gatewayDelegated")
    return ("standard",)


def _versions(insight: DataplaneInsightSpec | None) -> dict[str, str]:
    last = insight.subscriptions[-1].version if insight and insight.subscriptions else None
    kuma_dp = last.kuma_dp.version if last and last.kuma_dp else ""
    envoy = last.envoy.version if last and last.envoy else ""
    return {"kumaDp": kuma_dp or "unknown", "envoy": envoy or "unknown"}


def _nested(tree: Mapping[str, Mapping[str, _States]]) -> dict[str, dict[str, dict[str, int]]]:
    return {
        name: {key: dict(states) for key, states in branch.items()} for name, branch in tree.items()
    }


def _sum_states(stats: Iterator[Any]) -> dict[str, int]:
    total = {"online": 0, "offline": 0, "partiallyDegraded": 0, "total": 0}
    for stat in stats:
        if stat is not None:
            total["online"] += stat.online
            total["offline"] += stat.offline
            total["partiallyDegraded"] += stat.partially_degraded
            total["total"] += stat.total
    return total


def _service_counts(services: list[ServiceInsightSpec]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {
        name: Counter(total=0, online=0, offline=0, partiallyDegraded=0)
        for name in ("internal", "gatewayBuiltin", "gatewayDelegated")
    }
    counts["external"] = Counter(total=0)
    names = {"gateway_builtin": "gatewayBuiltin", "gateway_delegated": "gatewayDelegated"}
    states = {"partially_degraded": "partiallyDegraded"}
    for spec in services:
        counted = counts[names.get(spec.service_type.value, spec.service_type.value)]
        counted["total"] += 1
        state = states.get(spec.status.value, spec.status.value)
        if state in counted:
            counted[state] += 1
    return {name: dict(counted) for name, counted in counts.items()}


def _meta_like(mesh_resource: AnyResource, *, name: str, mesh: str) -> ResourceMeta:
    of_mesh = mesh_resource.meta
    return ResourceMeta(mesh, name, 1, of_mesh.creation_time, of_mesh.modification_time)
