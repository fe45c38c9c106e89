"""Names as addresses of dataplanes: looked up before the index sees them, and again from time to time.

    changes of the replica -> names replaced by addresses -> Index

A Dataplane whose name is not known yet is as if it were not there. Names are looked up in threads of
their own, so that slow answers hold up neither changes nor each other; a name that cannot be looked
up any more keeps the address that it had. Nothing is done for dataplanes with IP addresses.
# Differs from Kuma: it takes the first address of the last answer, and leaves out who has none.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import structlog

from kuma.resources.admission import spec_as
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.rules import is_ip, is_unspecified
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change

log = structlog.get_logger("pipeline.lookup")

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name, preferred ones first. Raises OSError."""

_THREADS = 8
_SHORTEST = timedelta(seconds=1)


class DnsNames:
    """As the machine's own resolver says: IPv4 addresses first."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="dns")

    async def resolve(self, name: str) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _addresses_of, name)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class AddressLookup:
    """`sink` gets every change, some later and again. Names are looked up anew after `every`."""

    def __init__(
        self, sink: Callable[[Sequence[Change]], None], resolve: Resolve, *, every: timedelta
    ) -> None:
        self._sink = sink
        self._resolve = resolve
        self._every = max(every, _SHORTEST)
        self._named: dict[ResourceKey, AnyResource] = {}
        self._users: dict[str, set[ResourceKey]] = {}
        self._addresses: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def changed(self, changes: Sequence[Change]) -> None:
        self._sink([self._known(change) for change in changes])

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _known(self, change: Change) -> Change:
        if change.key.kind != DATAPLANE.name:
            return change
        names = _names_in(change.resource)
        if not names and change.key not in self._named:
            return change
        self._track(change, names)
        return self._located(change.key) if names else change

    def _track(self, change: Change, names: set[str]) -> None:
        before = _names_in(self._named.pop(change.key, None))
        if names and change.resource is not None:
            self._named[change.key] = change.resource
        for name in names:
            self._users.setdefault(name, set()).add(change.key)
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._keep(name))
        for name in before - names:
            self._users[name].discard(change.key)
            if not self._users[name]:
                del self._users[name]
                self._addresses.pop(name, None)
                self._tasks.pop(name).cancel()

    def _located(self, key: ResourceKey) -> Change:
        resource = self._named[key]
        if any(name not in self._addresses for name in _names_in(resource)):
            return Change(key, None)
        spec = spec_as(DataplaneSpec, resource)
        if spec is None:
            return Change(key, None)
        networking = spec.networking
        located = networking.model_copy(
            update={
                "address": self._address(networking.address),
                "advertised_address": self._address(networking.advertised_address),
            }
        )
        return Change(key, replace(resource, spec=spec.model_copy(update={"networking": located})))

    def _address(self, text: str) -> str:
        return self._addresses.get(text, text)

    async def _keep(self, name: str) -> None:
        is_told = False
        while True:
            try:
                found = await self._resolve(name)
            except OSError as error:
                if not is_told:
                    log.warning(
                        "the address of dataplanes is not found", name=name, reason=str(error)
                    )
                is_told = True
            else:
                is_told = False
                self._found(name, found)
            await asyncio.sleep(self._every.total_seconds())

    def _found(self, name: str, addresses: Sequence[str]) -> None:
        """An address that still holds stays, in whatever order they come."""
        if not addresses or self._addresses.get(name) in addresses:
            return
        self._addresses[name] = addresses[0]
        self._sink([self._located(key) for key in sorted(self._users.get(name, ()))])


def _names_in(resource: AnyResource | None) -> set[str]:
    spec = spec_as(DataplaneSpec, resource)
    if spec is None:
        return set()
    addresses = (spec.networking.address, spec.networking.advertised_address)
    return {each for each in addresses if each and not is_ip(each)}


def _addresses_of(name: str) -> list[str]:
    """Those that others can connect to: neither of one link only nor the unspecified one."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(str(error)) from error
    ranked = sorted(found, key=lambda each: each[0] is not socket.AF_INET)
    addresses = dict.fromkeys(str(each[4][0]) for each in ranked)
    usable = [each for each in addresses if is_ip(each) and not is_unspecified(each)]
    if not usable:
        raise OSError(f"none of its addresses can be connected to: {', '.join(addresses)}")
    return usable
