"""The certificate of each connected proxy: issued when wanted, renewed before it expires.

    wanted (derived) -> missing, outdated or old? -> issue -> an input of the engine -> snapshot

An issuing failure (the CA's secret is missing or broken) keeps the certificate that there is, is
retried with backoff, and is logged once a round; no other proxy notices. Renewal is one timer for
the earliest date, not a scan.
"""

import asyncio
import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter

from kuma.identity.issuer import Subject, Workload, WorkloadCertificate, issue, renew_at
from kuma.identity.key_pair import CertificateAuthority
from kuma.kit.clock import Clock
from kuma.kit.incremental import Engine
from kuma.kit.value import value
from kuma.pipeline.fanout import ProxyKey

log = structlog.get_logger("pipeline.certificates")

ISSUED = Counter("cert_generation", "Certificates issued to proxies.", ["mesh"])
FAILED = Counter("cert_generation_failures", "Certificates that could not be issued.", ["mesh"])


NEVER = datetime.max.replace(tzinfo=UTC)
_SLACK = 100
"""Dates that were replaced and may stay among the others, besides as many as there are proxies."""


@value
class Wanted:
    """What a proxy's certificate must say, and which backend must have signed it: one of the mesh by
    its name, a MeshIdentity by its KRI. `root_pem` is part of it, so that a new root means a new
    certificate."""

    backend: str
    root_pem: bytes
    subject: Subject | Workload
    lifetime: timedelta


@value
class Issued:
    wanted: Wanted
    certificate: WorkloadCertificate
    generation: int


def certificate_input(key: ProxyKey) -> tuple[str, ProxyKey]:
    """The engine's input that holds a proxy's `Issued`."""
    return ("certificate", key)


class Certificates:
    """`refresh(key)` is called when it is time to look at a proxy again; `tell(key, issued)` after
    each certificate, with None when the proxy needs none any more."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        refresh: Callable[[ProxyKey], None],
        tell: Callable[[ProxyKey, Issued | None], None],
        base_backoff: timedelta,
        max_backoff: timedelta,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._refresh = refresh
        self._tell = tell
        self._base_backoff = base_backoff
        self._max_backoff = max_backoff
        self._failures: dict[ProxyKey, int] = {}
        self._not_before: dict[ProxyKey, datetime] = {}
        self._dates: dict[ProxyKey, datetime] = {}
        self._due: list[tuple[datetime, ProxyKey]] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many dates are held, of which some may be of proxies that are gone."""
        return len(self._due)

    def find(self, key: ProxyKey) -> Issued | None:
        found: Issued | None = self._engine.peek(certificate_input(key))
        return found

    def ensure(
        self,
        key: ProxyKey,
        wanted: Wanted | None,
        authority: Callable[[], CertificateAuthority],
        *,
        not_before: datetime | None = None,
    ) -> bool:
        """Issue a certificate if the proxy has none that is wanted; whether there is a new one.
        Until `not_before` (`NEVER`: until there is another) the proxy keeps the one that it has:
        others do not trust the authority yet."""
        held = self.find(key)
        if wanted is None:
            if held is not None:
                self._engine.set(certificate_input(key), None)
                self._tell(key, None)
            return held is not None
        if held is not None and held.wanted == wanted and not self._is_old(held):
            return False
        retry_at = self._not_before.get(key)
        if retry_at is not None and self._clock.now() < retry_at:
            return False
        if held is not None and not_before is not None and self._clock.now() < not_before:
            if not_before != NEVER:
                self._schedule(not_before, key)
            return False
        return self._issue(key, wanted, authority)

    def forget(self, key: ProxyKey) -> None:
        """The proxy is gone: so is its private key."""
        self._engine.set(certificate_input(key), None)
        self._dates.pop(key, None)
        self._failures.pop(key, None)
        self._not_before.pop(key, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _issue(
        self, key: ProxyKey, wanted: Wanted, authority: Callable[[], CertificateAuthority]
    ) -> bool:
        try:
            certificate = issue(
                authority(), wanted.subject, clock=self._clock, lifetime=wanted.lifetime
            )
        except Exception as error:
            self._back_off(key, error)
            return False
        held = self.find(key)
        issued = Issued(wanted, certificate, held.generation + 1 if held else 1)
        self._failures.pop(key, None)
        self._not_before.pop(key, None)
        self._engine.set(certificate_input(key), issued)
        self._schedule(renew_at(certificate), key)
        ISSUED.labels(mesh=key.mesh).inc()
        self._tell(key, issued)
        return True

    def _back_off(self, key: ProxyKey, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        wait = min(self._base_backoff * 2 ** min(failures - 1, 20), self._max_backoff)
        wait *= random.uniform(0.8, 1.2)  # noqa: S311 jitter, not a secret
        self._not_before[key] = self._clock.now() + wait
        self._schedule(self._not_before[key], key)
        FAILED.labels(mesh=key.mesh).inc()
        log.error(
            "no certificate could be issued; the proxy keeps what it has",
            mesh=key.mesh,
            dataplane=key.name,
            reason=str(error),
            retry_in_seconds=round(wait.total_seconds(), 1),
        )

    def _is_old(self, issued: Issued) -> bool:
        return self._clock.now() >= renew_at(issued.certificate)

    def _schedule(self, at: datetime, key: ProxyKey) -> None:
        self._dates[key] = at
        heapq.heappush(self._due, (at, key))
        if len(self._due) > 2 * len(self._dates) + _SLACK:
            self._due = [(date, each) for each, date in self._dates.items()]
            heapq.heapify(self._due)
        if self._due[0][1] == key:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait = (self._due[0][0] - self._clock.now()).total_seconds()
            self._timer = asyncio.get_running_loop().call_later(max(wait, 0.0), self._ring)

    def _ring(self) -> None:
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            date, key = heapq.heappop(self._due)
            if self._dates.get(key) == date:
                del self._dates[key]
                self._refresh(key)
        self._arm()
