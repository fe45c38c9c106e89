"""Policies that were accepted and could not be applied all the same: logged, counted, and explained.

Failures --renderer, placements that go on without--> pipeline
         <--what failed-- told once, counted each time
"""

from collections.abc import Callable, Sequence

import structlog
from prometheus_client import Counter

from kuma.envoy.internal import DEFAULT, InternalRanges
from kuma.envoy.isolation import IsolatingRenderer
from kuma.envoy.shaper import Shaper
from kuma.plan.failure import Failure
from kuma.resolve.isolation import isolated
from kuma.resolve.placement import Placement

log = structlog.get_logger("pipeline.failures")

FAILURES = Counter(
    "xds_policy_errors", "Policies that could not be applied to a part of a proxy.", ["policy"]
)
_MOST = 1000
"""Failures that are told apart; what comes after them is counted only."""


class Failures:
    """`internal`: which clients are, to the renderers."""

    def __init__(
        self,
        shapers: Sequence[Shaper],
        placements: Sequence[Placement],
        *,
        internal: InternalRanges = DEFAULT,
    ) -> None:
        self._shapers = tuple(shapers)
        self._internal = internal
        self._placements = tuple(placements)
        self._told: set[Failure] = set()
        self.renderer = self._renderer(self._tell)
        self.placements = isolated(self._placements, self._tell)

    def __bool__(self) -> bool:
        """Whether there was any."""
        return bool(self._told)

    def collecting(self, into: list[Failure]) -> tuple[IsolatingRenderer, tuple[Placement, ...]]:
        """The same, to find out what fails on one proxy."""
        return self._renderer(into.append), isolated(self._placements, into.append)

    def _renderer(self, tell: Callable[[Failure], None]) -> IsolatingRenderer:
        return IsolatingRenderer(self._shapers, tell, internal=self._internal)

    def _tell(self, failure: Failure) -> None:
        FAILURES.labels(failure.policy or "none").inc()
        if failure in self._told or len(self._told) >= _MOST:
            return
        self._told.add(failure)
        log.error(
            "a policy could not be applied",
            policy=failure.policy,
            part=failure.part,
            outcome=failure.outcome,
            error=failure.error,
        )
