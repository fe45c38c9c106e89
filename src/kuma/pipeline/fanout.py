"""Keeps the snapshot of every connected proxy current, and hands it to the proxy's streams.

    engine: "stale" -> queue -> refresh in slices -> certificate, if it must be new -> sinks

A change costs as much as the proxies that it made stale. The first change of a burst is not
delayed; a proxy that waits its turn gets what has changed until then. Meshes take turns, slice by
slice, and within one a proxy that takes longer than a slice goes on after the others. A proxy whose resolution fails keeps its last good snapshot, and the failure is logged and
counted; others do not notice.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, cast

import structlog
from prometheus_client import Counter, Histogram

from kuma.envoy.snapshot import Snapshot
from kuma.kit.incremental import Engine, Observation

log = structlog.get_logger("pipeline.fanout")

GENERATIONS = Histogram(
    "xds_generation",
    "Seconds to bring one proxy's configuration up to date.",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1),
)
FAILURES = Counter("xds_generation_errors", "Proxies whose configuration could not be computed.")

SLICE = 0.005
"""Seconds of work after which other tasks get their turn."""
PORTION = 1_000
"""Results that are marked stale, or forgotten since nobody needs them, between two turns of others."""

Sink = Callable[[Snapshot], None]


class ProxyKey(NamedTuple):
    mesh: str
    name: str


class HasSnapshot(Protocol):
    """What a proxy's query gives: its snapshot, and whatever `prepare` needs to know."""

    @property
    def snapshot(self) -> Snapshot: ...


O = TypeVar("O", bound=HasSnapshot)  # noqa: E741 - for outcome


class _Proxy(Generic[O]):
    __slots__ = ("ahead", "computed", "fresh", "key", "observation", "queued", "sinks", "snapshot")

    def __init__(self, key: ProxyKey) -> None:
        self.key = key
        self.sinks: list[Sink] = []
        self.fresh: list[Sink] = []
        self.computed: Snapshot | None = None
        self.snapshot: Snapshot | None = None
        """`computed`, with the objects of the last one for what did not change."""
        self.queued = False
        self.ahead: Iterator[None] | None = None
        """What is left to do before its query, if that has begun."""
        self.observation: Observation[O]


class Fanout(Generic[O]):
    """`compute(key)` is the query of one proxy; `prepare(key, outcome)` gets what the outcome asks
    for (a certificate) and says whether that makes a second look worthwhile. `ahead(key)` does, part
    by part, what of the query would take long."""

    def __init__(
        self,
        engine: Engine,
        compute: Callable[[ProxyKey], O],
        prepare: Callable[[ProxyKey, O], bool],
        ahead: Callable[[ProxyKey], Iterator[None]] = lambda _: iter(()),
    ) -> None:
        self._engine = engine
        self._compute = compute
        self._prepare = prepare
        self._ahead = ahead
        self._proxies: dict[ProxyKey, _Proxy[O]] = {}
        self._queues: dict[str, deque[_Proxy[O]]] = {}
        """By mesh; the first is the next to have its turn."""
        self._woken = asyncio.Event()
        self._pause_at = 0.0
        engine.when_behind(self._woken.set)

    def __contains__(self, key: ProxyKey) -> bool:
        return key in self._proxies

    def keys(self) -> tuple[ProxyKey, ...]:
        return tuple(self._proxies)

    def attach(self, key: ProxyKey, sink: Sink) -> Callable[[], None]:
        """Call `sink` with the proxy's snapshot as soon as there is one and after each change;
        returns the way to stop."""
        proxy = self._proxies.get(key)
        if proxy is None:
            proxy = self._proxies[key] = _Proxy(key)
            proxy.observation = self._engine.observe(
                lambda: self._enqueue(proxy), self._compute, key
            )
        proxy.sinks.append(sink)
        proxy.fresh.append(sink)
        self._enqueue(proxy)
        return lambda: self._detach(proxy, sink)

    def refresh(self, key: ProxyKey) -> None:
        """Look at a proxy again, for a reason that the engine cannot know (a retry is due)."""
        if (proxy := self._proxies.get(key)) is not None:
            self._enqueue(proxy)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._let_others()
            while self._queues:
                await self._slice()
            await self._forget()

    async def _forget(self) -> None:
        """What nobody needs any more, until a proxy is in need; the rest after that."""
        is_left = True
        while is_left and not self._queues:
            is_left = self._engine.collect(PORTION)
            await asyncio.sleep(0)

    def _enqueue(self, proxy: _Proxy[O]) -> None:
        if not proxy.queued:
            proxy.queued = True
            self._queues.setdefault(proxy.key.mesh, deque()).append(proxy)
            self._woken.set()

    def _detach(self, proxy: _Proxy[O], sink: Sink) -> None:
        proxy.sinks.remove(sink)
        if sink in proxy.fresh:
            proxy.fresh.remove(sink)
        if not proxy.sinks:
            proxy.observation.close()
            del self._proxies[proxy.key]
            self._woken.set()

    async def _slice(self) -> None:
        """The turn of one mesh, which then goes to the end of the line."""
        mesh, queue = next(iter(self._queues.items()))
        self._pause_at = perf_counter() + SLICE
        while queue and perf_counter() < self._pause_at:
            proxy = queue.popleft()
            proxy.queued = False
            if proxy.sinks and not self._bring_up_to_date(proxy):
                self._enqueue(proxy)
        del self._queues[mesh]
        if queue:
            self._queues[mesh] = queue
        await self._let_others()

    async def _let_others(self) -> None:
        """Have their turn; then enqueue, in portions, whom it concerns what they changed."""
        is_left = True
        while is_left:
            await asyncio.sleep(0)
            is_left = self._engine.mark(PORTION)

    def _bring_up_to_date(self, proxy: _Proxy[O]) -> bool:
        """Whether that is done; not if it takes longer than this slice."""
        try:
            if not self._is_prepared(proxy):
                return False
            started = perf_counter()
            outcome = proxy.observation.value()
            if self._prepare(proxy.key, outcome):
                outcome = proxy.observation.value()
            GENERATIONS.observe(perf_counter() - started)
        except Exception as error:
            proxy.ahead = None
            FAILURES.inc()
            log.exception(
                "could not compute the configuration of a proxy; it keeps its last one",
                mesh=proxy.key.mesh,
                dataplane=proxy.key.name,
                error=str(error),
            )
            return True
        self._deliver(proxy, outcome.snapshot)
        return True

    def _is_prepared(self, proxy: _Proxy[O]) -> bool:
        if proxy.ahead is None:
            proxy.ahead = self._ahead(proxy.key)
        for _ in proxy.ahead:
            if perf_counter() >= self._pause_at:
                return False
        proxy.ahead = None
        return True

    @staticmethod
    def _deliver(proxy: _Proxy[Any], computed: Snapshot) -> None:
        sinks = proxy.fresh
        if computed is not proxy.computed:
            sinks = proxy.sinks
            proxy.computed, proxy.snapshot = computed, computed.after(proxy.snapshot)
        for sink in tuple(sinks):
            sink(cast("Snapshot", proxy.snapshot))
        proxy.fresh.clear()
