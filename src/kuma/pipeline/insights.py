"""Writes what proxies did into their DataplaneInsights, in batches, off the path of every change.

    hub: connected, sent, acknowledged, rejected, certificate, closed
        -> Tracker (in memory) -> one commit for many proxies

Connecting, disconnecting, a certificate and a rejection are written at once, but in a storm no more
than a third of the time is spent on writing, so that several of a proxy's are written as one; counters
wait for the flush interval. Nothing changed, nothing written.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import perf_counter
from typing import Any

import structlog

from kuma.envoy.snapshot import TypeUrl
from kuma.identity.issuer import Workload
from kuma.kit.clock import Clock
from kuma.pipeline.certificates import Issued, Wanted
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.otel_insight import otel_insight
from kuma.pipeline.subscription import Subscription
from kuma.plan.piped import Piped
from kuma.resources.errors import ResourceError, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import (
    DATAPLANE_INSIGHT,
    DataplaneInsightMtls,
    DataplaneInsightSpec,
    DiscoverySubscription,
)
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.kri import kri_of
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Create, Store, Update, Write

log = structlog.get_logger("pipeline.insights")

_OWN = ("dataplane.resource", "version")
"""Metadata that other resources and the subscription tell already."""

BATCH = 50
"""Insights in one commit, which is also what is worked on without a pause."""

PAUSE = 1.0
"""Seconds between writes, at most."""

WITHOUT = DataplaneInsightMtls()
_LONG_AGO = datetime.fromtimestamp(0, UTC)


@dataclass
class _Tracked:
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    mtls: DataplaneInsightMtls | None = None
    """None: as it was written before; WITHOUT: without a certificate."""
    pending: Issued | None = None
    """Issued, but not acknowledged by the proxy."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    piped: Piped | None = None
    """What its kuma-dp was told to send on; None: nothing."""


class Tracker:
    def __init__(
        self,
        store: Store,
        replica: Replica,
        clock: Clock,
        *,
        instance: str,
        flush_interval: timedelta,
        subscription_limit: int,
    ) -> None:
        self._store = store
        self._replica = replica
        self._clock = clock
        self._instance = instance
        self._flush_interval = flush_interval
        self._limit = subscription_limit
        self._tracked: dict[ProxyKey, _Tracked] = {}
        self._dirty: dict[ProxyKey, None] = {}
        self._woken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def connected(
        self, key: ProxyKey, version: dict[str, Any], metadata: Mapping[str, Any]
    ) -> Subscription:
        """A stream began; the subscription is to be given back with what it does."""
        known = self._insight(key)
        generation = max((s.generation for s in known.subscriptions), default=0) + 1 if known else 1
        subscription = Subscription(
            str(uuid.uuid4()),
            self._instance,
            self._clock.now(),
            generation,
            version,
        )
        tracked = self._tracked.setdefault(key, _Tracked())
        tracked.subscriptions[subscription.id] = subscription
        tracked.metadata = {k: v for k, v in metadata.items() if k not in _OWN}
        self._mark(key, urgent=True)
        return subscription

    def sent(self, key: ProxyKey, subscription: Subscription, type_url: TypeUrl) -> None:
        subscription.sent(type_url, self._clock.now())
        self._mark(key, urgent=False)

    def acknowledged(self, key: ProxyKey, subscription: Subscription, type_url: TypeUrl) -> None:
        subscription.acknowledged(type_url, self._clock.now())
        self._mark(key, urgent=False)
        if type_url is TypeUrl.SECRET and (pending := self._tracked[key].pending) is not None:
            self.certified(key, pending)

    def rejected(
        self, key: ProxyKey, subscription: Subscription, type_url: TypeUrl, error: str
    ) -> None:
        subscription.rejected(type_url, error, self._clock.now())
        self._mark(key, urgent=True)

    def disconnected(self, key: ProxyKey, subscription: Subscription) -> None:
        subscription.disconnected = self._clock.now()
        self._mark(key, urgent=True)

    def issued(self, key: ProxyKey, issued: Issued | None) -> None:
        """A certificate is on its way to the proxy. It counts when the proxy has acknowledged it:
        others speak mutual TLS to it from then on, and before that it might refuse them.
        None: the proxy needs none any more."""
        tracked = self._tracked.setdefault(key, _Tracked())
        tracked.pending = issued
        if issued is None:
            tracked.mtls = WITHOUT
            self._mark(key, urgent=True)

    def certified(self, key: ProxyKey, issued: Issued) -> None:
        """The proxy has a certificate."""
        certificate, tracked = issued.certificate, self._tracked.setdefault(key, _Tracked())
        tracked.pending = None
        tracked.mtls = DataplaneInsightMtls(
            certificate_expiration_time=certificate.not_after,
            last_certificate_regeneration=certificate.issued_at,
            certificate_regenerations=issued.generation,
            issued_backend=issued.wanted.backend,
            supported_backends=self._supported(key.mesh, issued.wanted),
        )
        self._mark(key, urgent=True)

    def piped(self, key: ProxyKey, piped: Piped | None) -> None:
        """What the proxy's kuma-dp is told to send on to collectors."""
        tracked = self._tracked.get(key)
        if tracked is not None and tracked.piped != piped:
            tracked.piped = piped
            self._mark(key, urgent=True)

    def _supported(self, mesh: str, wanted: Wanted) -> tuple[str, ...]:
        """With a MeshIdentity these are the MeshTrusts of the mesh."""
        if isinstance(wanted.subject, Workload):
            return tuple(sorted(str(kri_of(each)) for each in self._replica.list(MESH_TRUST, mesh)))
        return (wanted.backend,)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            started = perf_counter()
            await self.flush()
            await asyncio.sleep(min(2 * (perf_counter() - started), PAUSE))

    async def flush(self) -> None:
        """Write everything that is not written yet."""
        dirty, self._dirty = list(self._dirty), {}
        for start in range(0, len(dirty), BATCH):
            await self._write(dirty[start : start + BATCH])
            await asyncio.sleep(0)  # a store in memory does not wait

    async def _write(self, keys: Sequence[ProxyKey]) -> None:
        try:
            writes = [write for key in keys if (write := self._as_write(key)) is not None]
            if writes:
                await self._store.commit(writes)
        except Unavailable:
            self._retry_later(keys)
            return
        except Exception:  # each is tried alone, where what failed is told
            for key in keys:
                await self._write_alone(key)
            return
        for key in keys:
            self._settle(key)

    async def _write_alone(self, key: ProxyKey) -> None:
        """Another instance wrote it, or the Dataplane is gone: read again, once."""
        try:
            current = await self._store.find(_insight_key(key))
            if await self._store.find(ResourceKey(DATAPLANE.name, key.mesh, key.name)) is not None:
                await self._store.commit([self._merged(key, current)])
        except Unavailable:
            self._retry_later([key])
            return
        except ResourceError as error:
            log.info("an insight was not written", dataplane=key.name, reason=str(error))
            self._retry_later([key])
            return
        except Exception:
            # What one proxy said of itself must not end the writing of all others' insights.
            log.exception("an insight cannot be written", mesh=key.mesh, dataplane=key.name)
        self._settle(key)

    def _as_write(self, key: ProxyKey) -> Write | None:
        if self._replica.find(ResourceKey(DATAPLANE.name, key.mesh, key.name)) is None:
            return None
        return self._merged(key, self._replica.find(_insight_key(key)))

    def _merged(self, key: ProxyKey, current: AnyResource | None) -> Write:
        spec = self._spec(key, current)
        if current is None:
            now = self._clock.now()
            meta = ResourceMeta(key.mesh, key.name, 0, now, now)
            created: AnyResource = Resource(DATAPLANE_INSIGHT, meta, spec)
            return Create(created, owner=ResourceKey(DATAPLANE.name, key.mesh, key.name))
        return Update(Resource(DATAPLANE_INSIGHT, current.meta, spec))

    def _spec(self, key: ProxyKey, current: AnyResource | None) -> DataplaneInsightSpec:
        """This instance's subscriptions replace their older state; the newest ones are kept."""
        known = current.spec if current is not None else None
        before = known if isinstance(known, DataplaneInsightSpec) else DataplaneInsightSpec()
        tracked = self._tracked.get(key, _Tracked())
        merged = {each.id: each for each in before.subscriptions}
        merged |= {each.id: each.to_spec() for each in tracked.subscriptions.values()}
        by_age = _superseded(sorted(merged.values(), key=_age))
        kept = by_age[-self._limit :] if self._limit else []
        changed: dict[str, Any] = {"subscriptions": tuple(kept)}
        if tracked.mtls is not None:
            changed["mtls"] = None if tracked.mtls is WITHOUT else tracked.mtls
        if tracked.metadata:
            changed["metadata"] = tracked.metadata
        if key in self._tracked:
            changed["open_telemetry"] = otel_insight(tracked.piped)
        return before.model_copy(update=changed)

    def _settle(self, key: ProxyKey) -> None:
        """A stream that ended is written for good; a proxy without streams is forgotten."""
        tracked = self._tracked.get(key)
        if tracked is None or key in self._dirty:
            return
        tracked.subscriptions = {
            each.id: each for each in tracked.subscriptions.values() if each.disconnected is None
        }
        if not tracked.subscriptions:
            del self._tracked[key]

    def _retry_later(self, keys: Sequence[ProxyKey]) -> None:
        for key in keys:
            self._mark(key, urgent=False)

    def _mark(self, key: ProxyKey, *, urgent: bool) -> None:
        self._dirty[key] = None
        if urgent:
            self._woken.set()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._flush_interval.total_seconds(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._woken.set()

    def _insight(self, key: ProxyKey) -> DataplaneInsightSpec | None:
        found = self._replica.find(_insight_key(key))
        return found.spec if found and isinstance(found.spec, DataplaneInsightSpec) else None


def _superseded(by_age: list[DiscoverySubscription]) -> list[DiscoverySubscription]:
    """A proxy has one stream at a time: a newer one ends those that an instance that died, or a
    connection that broke unnoticed, left open."""
    closed = [
        earlier
        if earlier.disconnect_time is not None
        else earlier.model_copy(update={"disconnect_time": later.connect_time})
        for earlier, later in pairwise(by_age)
    ]
    return [*closed, *by_age[-1:]]


def _age(subscription: DiscoverySubscription) -> datetime:
    return subscription.connect_time or _LONG_AGO


def _insight_key(key: ProxyKey) -> ResourceKey:
    return ResourceKey(DATAPLANE_INSIGHT.name, key.mesh, key.name)
