"""Makes MeshServices from Dataplanes, and keeps the state of all of them. A job of the leader.

Woken by what changes a MeshService, and by the end of a grace period; it looks only at those that a
change may touch.

    changes of the replica -> MeshServices to look at -> writer

# Differs from Kuma: there all meshes are looked through every two and every five seconds.
Source: Kuma, docs/madr 039 and 058; reference 10.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from kuma.kit.clock import Clock
from kuma.pipeline.membership import Membership, Place
from kuma.pipeline.mesh_services import Generated, as_proxy, generate_ports, with_state
from kuma.pipeline.propagated_labels import (
    NO_PROPAGATION,
    Propagation,
    propagate,
    with_propagated,
)
from kuma.resolve.workload_identity import known_identities
from kuma.resources import labels as well_known
from kuma.resources.admission import spec_as
from kuma.resources.dns_names import dns_1035_errors
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.mesh import MESH, MeshServicesMode, MeshSpec
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_service import MESH_SERVICE, MeshServiceSpec, Selector
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda

log = structlog.get_logger("mesh-services")

GENERATOR = "meshservice-generator"


class MeshServiceUpkeep:
    def __init__(
        self,
        replica: Replica,
        writer: Writer,
        clock: Clock,
        *,
        zone: str,
        grace: timedelta,
        propagation: Propagation = NO_PROPAGATION,
    ) -> None:
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._zone = zone
        self._grace = grace
        self._propagation = propagation
        self._membership = Membership()
        self._services_of: dict[Place, set[str]] = {}
        self._dataplanes_of: dict[Place, set[str]] = defaultdict(set)
        self._seen: dict[Place, tuple[bool, bool]] = {}
        self._conflicts: dict[Place, tuple[str, ...]] = {}
        self._dropped: dict[Place, tuple[str, ...]] = {}
        self._agenda = Agenda[Place]("mesh-services")

    async def run(self) -> None:
        """Until cancelled."""
        touched = {
            MESH.name: lambda change: self._places_in(change.key.name),
            MESH_IDENTITY.name: lambda change: self._places_in(change.key.mesh),
            DATAPLANE.name: self._dataplane_changed,
            DATAPLANE_INSIGHT.name: self._insight_changed,
            MESH_SERVICE.name: self._service_changed,
        }
        await self._agenda.run(self._replica, touched, self._keep)

    def _service_changed(self, change: Change) -> set[Place]:
        return self._membership.changed(change) | {(change.key.mesh, change.key.name)}

    def _dataplane_changed(self, change: Change) -> set[Place]:
        """The services that it has now or had before, and those that select it or did."""
        mesh, place = change.key.mesh, (change.key.mesh, change.key.name)
        spec = spec_as(DataplaneSpec, change.resource)
        now = {each.service for each in spec.networking.inbound if each.service} if spec else set()
        before = self._services_of.pop(place, set())
        if now:
            self._services_of[place] = now
        for service in before - now:
            self._dataplanes_of[mesh, service].discard(change.key.name)
        for service in now:
            self._dataplanes_of[mesh, service].add(change.key.name)
        return self._membership.changed(change) | {(mesh, service) for service in before | now}

    def _insight_changed(self, change: Change) -> set[Place]:
        mesh, name = place = (change.key.mesh, change.key.name)
        insight = spec_as(DataplaneInsightSpec, change.resource)
        issued = insight is not None and insight.mtls is not None and insight.mtls.issued_backend
        seen = (insight is not None and insight.is_online, bool(issued))
        if self._seen.get(place, (False, False)) == seen:
            return set()
        if insight is None:
            self._seen.pop(place, None)
        else:
            self._seen[place] = seen
        return {(mesh, each) for each in self._membership.services_of(mesh, name)}

    def _places_in(self, mesh: str) -> set[Place]:
        generated = {place for place in self._dataplanes_of if place[0] == mesh}
        held = self._replica.list(MESH_SERVICE, mesh)
        return generated | {(mesh, each.name) for each in held}

    async def _keep(self, place: Place) -> None:
        mesh_name, name = place
        mesh = spec_as(MeshSpec, self._replica.find(ResourceKey(MESH.name, "", mesh_name)))
        if mesh is None:
            return
        found = self._replica.find(ResourceKey(MESH_SERVICE.name, mesh_name, name))
        service = _as_mesh_service(found)
        if service is not None and not _is_local(service):
            return
        is_managed = service is None or service.labels.get(well_known.MANAGED_BY) == GENERATOR
        if service is None and not _generates(mesh):
            return
        wanted = self._generated(mesh_name, name, service) if is_managed else None
        if service is None:
            if wanted is not None:
                await self._create(mesh_name, name, wanted)
            return
        if is_managed and not _generates(mesh):
            await self._writer.delete(service.key)
            log.info("deleted a MeshService: the mesh has none", mesh=mesh_name, name=name)
            return
        if is_managed:
            if wanted is None and await self._is_deleted(service):
                return
            service = self._with_generated(service, wanted)
        members = self._membership.members_of(mesh_name, name)
        identities = known_identities(self._replica.list(MESH_IDENTITY, mesh_name), self._zone)
        proxies = [
            as_proxy(each, self._insight(mesh_name, each.dataplane), identities) for each in members
        ]
        await self._writer.update(with_state(service, mesh, proxies))

    def _generated(
        self, mesh: str, name: str, service: Resource[MeshServiceSpec] | None
    ) -> Generated | None:
        if dns_1035_errors(name):
            return None
        found = (
            self._replica.find(ResourceKey(DATAPLANE.name, mesh, each))
            for each in self._dataplanes_of.get((mesh, name), ())
        )
        dataplanes = [
            Resource(DATAPLANE, each.meta, each.spec)
            for each in found
            if each is not None and isinstance(each.spec, DataplaneSpec)
        ]
        made = generate_ports(name, dataplanes, None if service is None else service.spec.ports)
        self._tell_conflicts(mesh, name, () if made is None else made.conflicting)
        if made is None or not self._propagation.enabled:
            return made
        propagated = propagate(self._propagation, name, dataplanes)
        self._tell_dropped(mesh, name, propagated.dropped)
        return replace(made, propagated=propagated)

    def _tell_conflicts(self, mesh: str, name: str, conflicting: tuple[str, ...]) -> None:
        """Once, not whenever the service is looked at."""
        if self._conflicts.get((mesh, name), ()) == conflicting:
            return
        self._conflicts[mesh, name] = conflicting
        if conflicting:
            log.warning(
                "the inbounds of one service must have the same ports on all dataplanes",
                mesh=mesh,
                name=name,
                conflicting=list(conflicting),
            )

    def _tell_dropped(self, mesh: str, name: str, dropped: tuple[str, ...]) -> None:
        if self._dropped.get((mesh, name), ()) != dropped:
            self._dropped[mesh, name] = dropped
            log.info(
                "tags on which inbounds disagree, or that are no labels, are not propagated",
                mesh=mesh,
                name=name,
                dropped=list(dropped),
            )

    async def _create(self, mesh: str, name: str, wanted: Generated) -> None:
        now = self._clock.now()
        meta = ResourceMeta(mesh, name, 0, now, now, _propagating(wanted, self._labels(mesh, name)))
        spec = MeshServiceSpec(selector=_selector(name), ports=wanted.ports)
        await self._writer.put(Resource(MESH_SERVICE, meta, spec))
        log.info("created a MeshService", mesh=mesh, name=name)

    async def _is_deleted(self, service: Resource[MeshServiceSpec]) -> bool:
        """Nobody serves it any more: delete it once the grace period is over."""
        started = _parse_time(service.labels.get(well_known.DELETION_GRACE_PERIOD_STARTED_AT))
        place, now = (service.mesh, service.name), self._clock.now()
        if started is not None and started + self._grace <= now:
            await self._writer.delete(service.key)
            log.info("deleted a MeshService without dataplanes", mesh=place[0], name=place[1])
            return True
        self._agenda.add_later(place, (started or now) + self._grace - now)
        return False

    def _with_generated(
        self, service: Resource[MeshServiceSpec], wanted: Generated | None
    ) -> Resource[MeshServiceSpec]:
        """Without Dataplanes it stays as it was, with the time since when that is so."""
        labels = {**service.labels, **self._labels(service.mesh, service.name)}
        since = labels.pop(well_known.DELETION_GRACE_PERIOD_STARTED_AT, None)
        if wanted is None:
            known = since if _parse_time(since) is not None else None
            text = known or self._clock.now().isoformat().replace("+00:00", "Z")
            labels[well_known.DELETION_GRACE_PERIOD_STARTED_AT] = text
            return service.with_labels(labels)
        labels = _propagating(wanted, labels)
        ports, selector = wanted.ports, _selector(service.name)
        changed = service.spec.model_copy(update={"ports": ports, "selector": selector})
        return replace(service.with_labels(labels), spec=changed)

    def _labels(self, mesh: str, name: str) -> dict[str, str]:
        return {
            well_known.MESH: mesh,
            well_known.DISPLAY_NAME: name,
            well_known.MANAGED_BY: GENERATOR,
            well_known.ENV: "universal",
            well_known.ZONE: self._zone,
            well_known.ORIGIN: "zone",
        }

    def _insight(self, mesh: str, dataplane: str) -> DataplaneInsightSpec | None:
        found = self._replica.find(ResourceKey(DATAPLANE_INSIGHT.name, mesh, dataplane))
        return spec_as(DataplaneInsightSpec, found)


def _generates(mesh: MeshSpec) -> bool:
    services = mesh.mesh_services
    return services is not None and services.mode is not MeshServicesMode.DISABLED


def _propagating(wanted: Generated, labels: dict[str, str]) -> dict[str, str]:
    return labels if wanted.propagated is None else with_propagated(labels, wanted.propagated)


def _selector(service: str) -> Selector:
    return Selector(dataplane_tags=((well_known.SERVICE_TAG, service),))


def _as_mesh_service(found: AnyResource | None) -> Resource[MeshServiceSpec] | None:
    spec = spec_as(MeshServiceSpec, found)
    if found is None or spec is None:
        return None
    return Resource(MESH_SERVICE, found.meta, spec, found.status)


def _is_local(service: AnyResource) -> bool:
    """Whether it is this zone's own, rather than a copy of another's."""
    return service.labels.get(well_known.ORIGIN, "zone") == "zone"


def _parse_time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
