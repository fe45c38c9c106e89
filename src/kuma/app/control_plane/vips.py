"""Gives every MeshService, MeshExternalService and MeshMultiZoneService its virtual address. A job of
the leader.

    changes of the replica -> services without an address -> writer (status.vips, status.vip)

An address stays with its service for as long as that exists, over restarts and changes of the leader.
Differs from Kuma: of two services with one address the second gets another one; and addresses are given
out again as late as possible after a restart, too.
Source: Kuma, `ipam` of kuma-cp; reference 7.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from prometheus_client import Counter

from kuma.kit.address_pool import AddressPool, Exhausted
from kuma.resources.errors import Conflict, NotFound, ResourceError
from kuma.resources.kinds.service_status import vips_of, with_vip
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer

log = structlog.get_logger("vips")

EXHAUSTION = Counter(
    "vip_allocation_exhaustion", "Services that got no virtual address: all are taken.", ["mesh"]
)
RETRY = timedelta(seconds=5)


class VipAllocation:
    """`ranges` are CIDRs by kind."""

    def __init__(self, replica: Replica, writer: Writer, ranges: Mapping[str, str]) -> None:
        self._replica = replica
        self._writer = writer
        self._pools = {kind: AddressPool(cidr) for kind, cidr in ranges.items()}
        self._held: dict[ResourceKey, tuple[str, ...]] = {}
        self._holders: dict[str, ResourceKey] = {}
        self._wanting: dict[ResourceKey, None] = {}
        self._left_out: set[ResourceKey] = set()
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled."""
        stop = self._replica.subscribe(self._changed)
        try:
            for kind in self._pools:
                self._changed([Change(each.key, each) for each in self._replica.list(kind)])
            while True:
                self._woken.clear()
                if not await self._give_all():
                    asyncio.get_running_loop().call_later(RETRY.total_seconds(), self._woken.set)
                await self._woken.wait()
        finally:
            stop()

    def _changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.key.kind in self._pools:
                self._note(change.key, change.resource)

    def _note(self, key: ResourceKey, resource: AnyResource | None) -> None:
        addresses = () if resource is None else vips_of(resource)
        before = self._held.pop(key, ())
        for address in before:
            if address not in addresses:
                self._release(key, address)
        if addresses:
            self._held[key] = addresses
        mine = [each for each in addresses if self._holders.setdefault(each, key) == key]
        for address in mine:
            self._pools[key.kind].reserve(address)
        if resource is None or mine:
            self._wanting.pop(key, None)
            self._left_out.discard(key)
        else:
            self._wanting[key] = None
            self._woken.set()

    def _release(self, key: ResourceKey, address: str) -> None:
        if self._holders.get(address) != key:
            return
        del self._holders[address]
        self._pools[key.kind].release(address)
        if self._left_out:
            self._woken.set()

    async def _give_all(self) -> bool:
        """Whether nobody has to be tried again."""
        failed = False
        for key in tuple(self._wanting):
            resource = self._replica.find(key)
            if resource is not None and key in self._wanting:
                failed |= not await self._give(resource)
        return not failed

    async def _give(self, resource: AnyResource) -> bool:
        """False: the store did not take it. Somebody else's write in between comes with a change,
        which wakes this job again."""
        key, pool = resource.key, self._pools[resource.kind.name]
        try:
            address = pool.allocate()
        except Exhausted as error:
            self._tell_exhaustion(key, str(error))
            return True
        try:
            await self._writer.update(with_vip(resource, address))
        except (Conflict, NotFound):
            pool.give_back(address)
        except ResourceError as error:
            pool.give_back(address)
            log.warning("no virtual address written", resource=str(key), reason=str(error))
            return False
        else:
            log.info("allocated a virtual address", resource=str(key), address=address)
        return True

    def _tell_exhaustion(self, key: ResourceKey, reason: str) -> None:
        """Once for each service, not at each attempt."""
        if key in self._left_out:
            return
        self._left_out.add(key)
        EXHAUSTION.labels(key.mesh).inc()
        log.error("no virtual address left", resource=str(key), reason=reason)
