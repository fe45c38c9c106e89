"""Makes a Workload for each value of the label `kuma.io/workload` on Dataplanes, and counts those that
have it. A job of the leader.

    changes of the replica -> Workloads to look at -> writer

# Differs from Kuma: Workloads that were made by hand stay when they have no Dataplanes; and nothing is
looked through every few seconds.
"""

from collections import defaultdict
from dataclasses import replace

import structlog

from kuma.kit.clock import Clock
from kuma.resources import labels as well_known
from kuma.resources.admission import spec_as
from kuma.resources.dns_names import dns_1035_errors
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.workload import WORKLOAD, WorkloadProxies, WorkloadSpec, WorkloadStatus
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda, Touched

log = structlog.get_logger("workloads")

GENERATOR = "workload-generator"

Place = tuple[str, str]
"""(mesh, name)"""


class WorkloadUpkeep:
    def __init__(self, replica: Replica, writer: Writer, clock: Clock, *, zone: str) -> None:
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._zone = zone
        self._workload_of: dict[Place, str] = {}
        self._healthy: dict[Place, dict[str, bool]] = defaultdict(dict)
        self._online: set[Place] = set()

    async def run(self) -> None:
        """Until cancelled."""
        touched: Touched[Place] = {
            DATAPLANE.name: self._dataplane_changed,
            DATAPLANE_INSIGHT.name: self._insight_changed,
            WORKLOAD.name: lambda change: [(change.key.mesh, change.key.name)],
        }
        await Agenda[Place]("workloads").run(self._replica, touched, self._keep)

    def _dataplane_changed(self, change: Change) -> set[Place]:
        """The Workloads for which it counts otherwise than before."""
        mesh, name = place = change.key.mesh, change.key.name
        spec = spec_as(DataplaneSpec, change.resource)
        workload, is_healthy = "", False
        if change.resource is not None and spec is not None:
            workload = change.resource.labels.get(well_known.WORKLOAD, "")
            is_healthy = any(each.is_ready for each in spec.networking.inbound)
        before = self._workload_of.pop(place, "")
        if before == workload and self._healthy_in(mesh, workload).get(name) == is_healthy:
            self._workload_of[place] = workload
            return set()
        if before:
            self._healthy[mesh, before].pop(name)
        if workload:
            self._workload_of[place] = workload
            self._healthy[mesh, workload][name] = is_healthy
        return {(mesh, each) for each in (before, workload) if each}

    def _insight_changed(self, change: Change) -> set[Place]:
        place = change.key.mesh, change.key.name
        insight = spec_as(DataplaneInsightSpec, change.resource)
        is_online = insight is not None and insight.is_online
        if is_online == (place in self._online):
            return set()
        (self._online.add if is_online else self._online.discard)(place)
        workload = self._workload_of.get(place)
        return {(place[0], workload)} if workload else set()

    def _healthy_in(self, mesh: str, workload: str) -> dict[str, bool]:
        return self._healthy.get((mesh, workload), {})

    async def _keep(self, place: Place) -> None:
        mesh, name = place
        found = self._replica.find(ResourceKey(WORKLOAD.name, mesh, name))
        healthy = self._healthy_in(mesh, name)
        if found is None:
            if healthy and not dns_1035_errors(name):
                await self._create(mesh, name)
            return
        if found.labels.get(well_known.ORIGIN, "zone") != "zone":
            return
        if not healthy and found.labels.get(well_known.MANAGED_BY) == GENERATOR:
            self._healthy.pop(place, None)
            await self._writer.delete(found.key)
            log.info("deleted a Workload: no dataplane has it", mesh=mesh, name=name)
            return
        counts = WorkloadProxies(
            connected=sum((mesh, each) in self._online for each in healthy),
            healthy=sum(healthy.values()),
            total=len(healthy),
        )
        await self._count(found, counts)

    async def _create(self, mesh: str, name: str) -> None:
        """# Differs from Kuma: it gets its origin as well, as what users write does."""
        now = self._clock.now()
        labels = {
            well_known.MESH: mesh,
            well_known.MANAGED_BY: GENERATOR,
            well_known.ENV: "universal",
            well_known.ZONE: self._zone,
        }
        meta = ResourceMeta(mesh, name, 0, now, now, labels)
        await self._writer.put(Resource(WORKLOAD, meta, WorkloadSpec()))
        log.info("created a Workload", mesh=mesh, name=name)

    async def _count(self, workload: AnyResource, counts: WorkloadProxies) -> None:
        status = WorkloadStatus(dataplane_proxies=counts)
        if workload.status != status:
            await self._writer.update(replace(workload, status=status))
