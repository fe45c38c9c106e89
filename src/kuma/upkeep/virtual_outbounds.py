"""Keeps a virtual address for every service by tags and every ExternalService. A job of the leader.

    changes of the replica -> meshes whose services changed -> Config kuma-<mesh>-dns-vips

A Dataplane that comes and goes costs nothing while others serve the same services.
Source: Kuma, `dnsServer` of kuma-cp; reference 7.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import structlog

from kuma.kit.address_pool import AddressPool
from kuma.kit.clock import Clock
from kuma.pipeline.virtual_outbounds import Wanted, wanted_entries, with_addresses
from kuma.resolve.view import index_inbounds
from kuma.resources.errors import ResourceError
from kuma.resources.kinds.config import CONFIG, ConfigSpec
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE, ExternalServiceSpec
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Change, Create, Store, Update
from kuma.resources.virtual_outbounds import (
    Entry,
    config_name,
    dump_entries,
    entries_of,
    mesh_of_config,
)
from kuma.upkeep.agenda import Agenda, Touched
from kuma.upkeep.vips import EXHAUSTION

log = structlog.get_logger("virtual-outbounds")


class VirtualOutbounds:
    """`of_services`: whether services have addresses, and not only the hosts of ExternalServices."""

    def __init__(
        self, store: Store, replica: Replica, clock: Clock, *, cidr: str, of_services: bool
    ) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._cidr = cidr
        self._of_services = of_services
        self._services: dict[str, Counter[str]] = defaultdict(Counter)
        self._services_of: dict[ResourceKey, frozenset[str]] = {}
        self._pools: dict[str, AddressPool] = {}
        self._told: dict[str, tuple[tuple[str, ...], int]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        touched: Touched[str] = {
            MESH.name: lambda change: [change.key.name],
            DATAPLANE.name: self._dataplane_changed,
            EXTERNAL_SERVICE.name: lambda change: [change.key.mesh],
            CONFIG.name: _meshes_of_config,
        }
        await Agenda[str]("virtual-outbounds").run(self._replica, touched, self._keep)

    def _dataplane_changed(self, change: Change) -> list[str]:
        return [change.key.mesh] if self._index(change.key, change.resource) else []

    def _index(self, key: ResourceKey, dataplane: Resource[Any] | None) -> bool:
        """Whether a service came or went."""
        found = () if dataplane is None else index_inbounds(dataplane)
        now = frozenset(service for service, _ in found)
        before = self._services_of.pop(key, frozenset())
        if now:
            self._services_of[key] = now
        counts = self._services[key.mesh]
        for service in now - before:
            counts[service] += 1
        came = any(counts[service] == 1 for service in now - before)
        for service in before - now:
            counts[service] -= 1
        gone = [service for service in before - now if not counts[service]]
        for service in gone:
            del counts[service]
        return came or bool(gone)

    async def _keep(self, mesh: str) -> None:
        if self._replica.find(ResourceKey(MESH.name, "", mesh)) is None:
            self._forget(mesh)
            return
        try:
            await self._keep_entries(mesh)
        except ResourceError:
            del self._pools[mesh]  # what was handed out is not written
            raise

    def _forget(self, mesh: str) -> None:
        self._pools.pop(mesh, None)
        self._told.pop(mesh, None)
        self._services.pop(mesh, None)

    async def _keep_entries(self, mesh: str) -> None:
        held = self._replica.find(ResourceKey(CONFIG.name, "", config_name(mesh)))
        before = entries_of(held)
        pool = self._pools.get(mesh) or self._seeded(mesh, before)
        wanted = self._wanted(mesh)
        entries, left_out = with_addresses(wanted.entries, before, pool)
        self._tell(mesh, wanted.conflicts, left_out)
        if entries != before:
            await self._write(mesh, held, dump_entries(entries))
            for gone in {e.address for e in before} - {e.address for e in entries}:
                pool.release(gone)

    def _seeded(self, mesh: str, before: Sequence[Entry]) -> AddressPool:
        pool = self._pools[mesh] = AddressPool(self._cidr)
        for each in before:
            pool.reserve(each.address)
        return pool

    def _wanted(self, mesh: str) -> Wanted:
        external = cast(
            "list[Resource[ExternalServiceSpec]]", self._replica.list(EXTERNAL_SERVICE, mesh)
        )
        services = self._services[mesh] if self._of_services else ()
        return wanted_entries(services, external, of_services=self._of_services)

    async def _write(self, mesh: str, held: AnyResource | None, text: str) -> None:
        spec = ConfigSpec(config=text)
        if held is None:
            now = self._clock.now()
            made = Resource(CONFIG, ResourceMeta("", config_name(mesh), 0, now, now), spec)
            await self._store.commit([Create(made, owner=ResourceKey(MESH.name, "", mesh))])
        else:
            await self._store.commit([Update(replace(held, spec=spec))])

    def _tell(self, mesh: str, conflicts: tuple[str, ...], left_out: int) -> None:
        """What is new of it."""
        told, left_out_before = self._told.get(mesh, ((), 0))
        for each in conflicts:
            if each not in told:
                log.warning("a virtual address is taken", mesh=mesh, conflict=each)
        if left_out > left_out_before:
            EXHAUSTION.labels(mesh).inc(left_out - left_out_before)
            log.error("no virtual address left", mesh=mesh, range=self._cidr, services=left_out)
        self._told[mesh] = (conflicts, left_out)


def _meshes_of_config(change: Change) -> list[str]:
    mesh = mesh_of_config(change.key.name)
    return [] if mesh is None else [mesh]
