"""A store listener that remembers what it was told, and lets a test wait for it."""

import asyncio
from collections.abc import Callable, Sequence

from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change

PATIENCE = 30.0


class Recorder:
    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []
        self.commits: list[list[Change]] = []
        self.state: dict[ResourceKey, AnyResource] = {}
        self._told = asyncio.Event()

    def resynced(self, resources: Sequence[AnyResource]) -> None:
        self.state = {resource.key: resource for resource in resources}
        self._note("resynced", len(resources))

    def changed(self, changes: Sequence[Change]) -> None:
        self.commits.append(list(changes))
        for change in changes:
            if change.resource is None:
                del self.state[change.key]
            else:
                self.state[change.key] = change.resource
        self._note("changed", [change.key for change in changes])

    def unavailable(self, reason: str) -> None:
        self._note("unavailable", reason)

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.log]

    async def until(self, condition: Callable[["Recorder"], bool]) -> None:
        """Wait until `condition` holds, looking again whenever something was told."""
        async with asyncio.timeout(PATIENCE):
            while not condition(self):
                self._told.clear()
                await self._told.wait()

    def _note(self, event: str, detail: object) -> None:
        self.log.append((event, detail))
        self._told.set()
