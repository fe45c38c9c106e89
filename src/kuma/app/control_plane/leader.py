"""What only the leader does, for as long as it leads: the defaults first, then its jobs."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import structlog

from kuma.app.control_plane.state import State
from kuma.pipeline.propagated_labels import Propagation
from kuma.policies.catalogue import REGISTRY
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.upkeep.backend_refs import BackendRefConditions
from kuma.upkeep.cleanup import Cleanup
from kuma.upkeep.defaults import Defaults, Wanted
from kuma.upkeep.hostnames import HostnameUpkeep
from kuma.upkeep.left_open import LeftOpen
from kuma.upkeep.mesh_identities import MeshIdentityUpkeep
from kuma.upkeep.mesh_services import MeshServiceUpkeep
from kuma.upkeep.multi_zone_services import MultiZoneServiceUpkeep
from kuma.upkeep.vips import VipAllocation
from kuma.upkeep.virtual_outbounds import VirtualOutbounds
from kuma.upkeep.workloads import WorkloadUpkeep

log = structlog.get_logger("kuma-cp")


async def lead(state: State, led: asyncio.Event) -> None:
    """Until cancelled. `led` is set once the defaults exist."""
    log.info("this instance leads", instance=state.instance)
    await _ensure_defaults(state)
    led.set()
    async with asyncio.TaskGroup() as jobs:
        for job in _jobs(state):
            jobs.create_task(job)


async def _ensure_defaults(state: State) -> None:
    defaults = state.settings.defaults
    if defaults.skip_tenant_resources:
        return
    wanted = Wanted(
        zone=state.zone,
        mesh=not defaults.skip_mesh_creation,
        hostname_generators=not defaults.skip_hostname_generators,
        admin_token=state.settings.api_server.authn.tokens.bootstrap_admin_token,
    )
    await Defaults(state.store, state.replica, state.writer, state.clock).ensure(wanted)


def _jobs(state: State) -> Iterator[Coroutine[Any, Any, None]]:
    settings, zone = state.settings, state.zone
    store, replica, writer, clock = state.store, state.replica, state.writer, state.clock
    age = settings.runtime.universal.dataplane_cleanup_age
    yield MeshIdentityUpkeep(store, replica, writer, clock, zone=zone).run()
    yield _mesh_services(state).run()
    yield _virtual_outbounds(state).run()
    yield MultiZoneServiceUpkeep(replica, writer).run()
    yield HostnameUpkeep(replica, writer, zone=zone).run()
    yield WorkloadUpkeep(replica, writer, clock, zone=zone).run()
    yield _vips(state).run()
    yield Cleanup(replica, writer, clock, age=age).run()
    yield _left_open(state).run()
    yield BackendRefConditions(replica, writer, REGISTRY).run()


def _mesh_services(state: State) -> MeshServiceUpkeep:
    settings = state.settings.mesh_service
    propagation = settings.label_propagation
    return MeshServiceUpkeep(
        state.replica,
        state.writer,
        state.clock,
        zone=state.zone,
        grace=settings.deletion_grace_period,
        propagation=Propagation(propagation.enabled, frozenset(propagation.allowed_label_keys)),
    )


def _virtual_outbounds(state: State) -> VirtualOutbounds:
    dns = state.settings.dns_server
    return VirtualOutbounds(
        state.store,
        state.replica,
        state.clock,
        cidr=dns.cidr,
        of_services=dns.service_vip_enabled,
    )


def _vips(state: State) -> VipAllocation:
    ipam = state.settings.ipam
    ranges = {
        MESH_SERVICE.name: ipam.mesh_service.cidr,
        MESH_EXTERNAL_SERVICE.name: ipam.mesh_external_service.cidr,
        MESH_MULTI_ZONE_SERVICE.name: ipam.mesh_multi_zone_service.cidr,
    }
    return VipAllocation(state.replica, state.writer, ranges)


def _left_open(state: State) -> LeftOpen:
    return LeftOpen(
        state.store,
        state.replica,
        state.clock,
        instance=state.instance,
        is_connected=state.database.is_connected,
        every=state.settings.metrics.dataplane.idle_timeout,
    )
