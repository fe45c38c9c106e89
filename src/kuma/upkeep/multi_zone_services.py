"""Keeps in each MeshMultiZoneService which MeshServices are behind it. A job of the leader.

    changes of the replica -> MeshMultiZoneServices to look at -> writer

# Differs from Kuma: there all are looked through every five seconds.
"""

from collections.abc import Sequence
from dataclasses import replace

from kuma.pipeline.matching import Matching, Place
from kuma.resources import labels as well_known
from kuma.resources.kinds.conditions import Condition, ConditionStatus
from kuma.resources.kinds.mesh_multi_zone_service import (
    MESH_MULTI_ZONE_SERVICE,
    MatchedMeshService,
    MeshMultiZoneServiceStatus,
)
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda, Touched

_NOBODY = Condition(
    type="MeshServicesMatched",
    status=ConditionStatus.FALSE,
    reason="NoMatchesFound",
    message="Selector does not match any MeshService in this zone",
)


class MultiZoneServiceUpkeep:
    def __init__(self, replica: Replica, writer: Writer) -> None:
        self._replica = replica
        self._writer = writer
        self._matching = Matching()

    async def run(self) -> None:
        """Until cancelled."""
        touched: Touched[Place] = {
            MESH_SERVICE.name: self._matching.changed,
            MESH_MULTI_ZONE_SERVICE.name: self._changed,
        }
        await Agenda[Place]("multi-zone-services").run(self._replica, touched, self._keep)

    def _changed(self, change: Change) -> set[Place]:
        return self._matching.changed(change) | {(change.key.mesh, change.key.name)}

    async def _keep(self, place: Place) -> None:
        mesh, name = place
        found = self._replica.find(ResourceKey(MESH_MULTI_ZONE_SERVICE.name, mesh, name))
        if found is None:
            return
        names = self._matching.services_of(mesh, name)
        keys = (ResourceKey(MESH_SERVICE.name, mesh, each) for each in names)
        services = (self._replica.find(key) for key in keys)
        wanted = with_matched(found, [each for each in services if each is not None])
        if wanted != found:
            await self._writer.update(wanted)


def with_matched(resource: AnyResource, services: Sequence[AnyResource]) -> AnyResource:
    """The MeshMultiZoneService with these MeshServices behind it."""
    status = resource.status
    if not isinstance(status, MeshMultiZoneServiceStatus):
        status = MeshMultiZoneServiceStatus()
    matched = sorted((_matched(each) for each in services), key=_place)
    others = [each for each in status.conditions or () if each.type != _NOBODY.type]
    kept = {
        "mesh_services": tuple(matched) or None,
        "conditions": (*others, _condition(len(matched))),
    }
    return replace(resource, status=status.model_copy(update=kept))


def _matched(service: AnyResource) -> MatchedMeshService:
    return MatchedMeshService(
        name=service.display_name,
        namespace=service.labels.get(well_known.K8S_NAMESPACE, ""),
        zone=service.labels.get(well_known.ZONE, ""),
        mesh=service.mesh,
    )


def _place(matched: MatchedMeshService) -> tuple[str, str, str]:
    return matched.name, matched.namespace, matched.zone


def _condition(count: int) -> Condition:
    if not count:
        return _NOBODY
    return Condition(
        type=_NOBODY.type,
        status=ConditionStatus.TRUE,
        reason="MatchesFound",
        message=f"Matched {count} MeshService(s)",
    )
