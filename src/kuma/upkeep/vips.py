"""Gives every MeshService, MeshExternalService and MeshMultiZoneService its virtual address. A job of
the leader.

    changes of the replica -> services without an address -> writer (status.vips, status.vip)

An address stays with its service for as long as that exists, over restarts and changes of the leader.
Differs from Kuma: of two services with one address the second gets another one; and addresses are given
out again as late as possible after a restart, too.
Source: Kuma, `ipam` of kuma-cp; reference 7.
"""

from collections.abc import Mapping

import structlog
from prometheus_client import Counter

from kuma.kit.address_pool import AddressPool, Exhausted
from kuma.resources.errors import ResourceError
from kuma.resources.kinds.service_status import vips_of, with_vip
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda

log = structlog.get_logger("vips")

EXHAUSTION = Counter(
    "vip_allocation_exhaustion", "Services that got no virtual address: all are taken.", ["mesh"]
)


class VipAllocation:
    """`ranges` are CIDRs by kind."""

    def __init__(self, replica: Replica, writer: Writer, ranges: Mapping[str, str]) -> None:
        self._replica = replica
        self._writer = writer
        self._pools = {kind: AddressPool(cidr) for kind, cidr in ranges.items()}
        self._held: dict[ResourceKey, tuple[str, ...]] = {}
        self._holders: dict[str, ResourceKey] = {}
        self._left_out: set[ResourceKey] = set()

    async def run(self) -> None:
        """Until cancelled."""
        touched = dict.fromkeys(self._pools, self._changed)
        await Agenda[ResourceKey]("vips").run(self._replica, touched, self._keep)

    def _changed(self, change: Change) -> set[ResourceKey]:
        """The services that may need an address now."""
        key, addresses = change.key, () if change.resource is None else vips_of(change.resource)
        is_released = self._release(key, addresses)
        if addresses:
            self._held[key] = addresses
        mine = [each for each in addresses if self._holders.setdefault(each, key) == key]
        for address in mine:
            self._pools[key.kind].reserve(address)
        wanting = {key} if change.resource is not None and not mine else set()
        if not wanting:
            self._left_out.discard(key)
        return wanting | self._left_out if is_released else wanting

    def _release(self, key: ResourceKey, kept: tuple[str, ...]) -> bool:
        """Whether an address is free now."""
        left = [each for each in self._held.pop(key, ()) if each not in kept]
        released = [each for each in left if self._holders.get(each) == key]
        for address in released:
            del self._holders[address]
            self._pools[key.kind].release(address)
        return bool(released)

    async def _keep(self, key: ResourceKey) -> None:
        resource = self._replica.find(key)
        if resource is not None and not self._has_address(resource):
            await self._give(resource)

    def _has_address(self, resource: AnyResource) -> bool:
        return any(self._holders.get(each) == resource.key for each in vips_of(resource))

    async def _give(self, resource: AnyResource) -> None:
        key, pool = resource.key, self._pools[resource.kind.name]
        try:
            address = pool.allocate()
        except Exhausted as error:
            self._tell_exhaustion(key, str(error))
            return
        try:
            await self._writer.update(with_vip(resource, address))
        except ResourceError:
            pool.give_back(address)
            raise
        log.info("allocated a virtual address", resource=str(key), address=address)

    def _tell_exhaustion(self, key: ResourceKey, reason: str) -> None:
        """Once for each service, not at each attempt."""
        if key in self._left_out:
            return
        self._left_out.add(key)
        EXHAUSTION.labels(key.mesh).inc()
        log.error("no virtual address left", resource=str(key), reason=reason)
