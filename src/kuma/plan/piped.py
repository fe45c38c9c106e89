"""What kuma-dp sends on to collectors for its Envoy, and how far its environment counts there.

    Envoy ── OTLP ──> socket of kuma-dp ── with what the environment adds ──> collector

Source: Kuma, feature-otel-via-kuma-dp, and the states in its DataplaneInsight.
"""

from datetime import timedelta
from enum import StrEnum

from kuma.kit.value import value
from kuma.plan.collector import Collector
from kuma.plan.otel_env import OtelEnv
from kuma.plan.signal import Signal
from kuma.resources.kinds.mesh_open_telemetry_backend import EnvMode


class Blocked(StrEnum):
    """Why something of the environment does not count, or a signal is not sent."""

    ENV_DISABLED = "EnvDisabledByPolicy"
    REQUIRED_ENV_MISSING = "RequiredEnvMissing"
    OVERRIDES_DISALLOWED = "SignalOverridesDisallowed"
    MULTIPLE_BACKENDS = "MultipleBackendsForSignal"


class PipedState(StrEnum):
    READY = "ready"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"


@value
class PipedSignal:
    """`every`: how often metrics are sent, if it was said. `missing`: what the environment must have,
    and has not."""

    signal: Signal
    env_present: bool = False
    overrides: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    every: timedelta | None = None

    @property
    def state(self) -> PipedState:
        if Blocked.MULTIPLE_BACKENDS in self.blocked:
            return PipedState.AMBIGUOUS
        if self.missing or Blocked.REQUIRED_ENV_MISSING in self.blocked:
            return PipedState.MISSING
        return PipedState.READY


@value
class PipedBackend:
    """`socket`: where kuma-dp takes what goes to the collector."""

    collector: Collector
    socket: str
    signals: tuple[PipedSignal, ...]

    @property
    def allows_env(self) -> bool:
        return self.collector.terms.mode is not EnvMode.DISABLED


@value
class Piped:
    """The slot of a plan. Backends are sorted by name."""

    work_dir: str
    backends: tuple[PipedBackend, ...]

    def socket(self, collector: str) -> str:
        """Empty: nothing goes there."""
        return next((e.socket for e in self.backends if e.collector.name == collector), "")


def piped_signal(
    collector: Collector, signal: Signal, env: OtelEnv, *, every: timedelta | None, is_alone: bool
) -> PipedSignal:
    """`is_alone`: the signal goes to one backend only, so that it is plain for which the environment
    is meant."""
    own, terms = env.of(signal), collector.terms
    is_present = env.shared.is_present or own.is_present
    missing = env.missing(signal) if terms.mode is EnvMode.REQUIRED else ()
    blocked = {
        Blocked.ENV_DISABLED: terms.mode is EnvMode.DISABLED and is_present,
        Blocked.REQUIRED_ENV_MISSING: terms.mode is EnvMode.REQUIRED
        and (not is_present or bool(missing)),
        Blocked.OVERRIDES_DISALLOWED: terms.allow_signal_overrides is False and bool(own.overrides),
        Blocked.MULTIPLE_BACKENDS: not is_alone
        and is_present
        and terms.mode is not EnvMode.DISABLED,
    }
    return PipedSignal(
        signal,
        env_present=is_present,
        overrides=own.overrides,
        missing=missing,
        blocked=tuple(reason for reason, holds in blocked.items() if holds),
        every=every,
    )
