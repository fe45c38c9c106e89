"""What a DataplaneInsight says of the collectors that the proxy reports to by way of its kuma-dp."""

from kuma.plan.piped import Piped, PipedBackend, PipedSignal
from kuma.resources.kinds.dataplane_insight import (
    OpenTelemetryBackend,
    OpenTelemetryInsight,
    OpenTelemetrySignal,
)


def otel_insight(piped: Piped | None) -> OpenTelemetryInsight | None:
    """None: there are none."""
    if piped is None:
        return None
    return OpenTelemetryInsight(backends=tuple(_backend(each) for each in piped.backends))


def _backend(backend: PipedBackend) -> OpenTelemetryBackend:
    signals = {str(each.signal): _signal(backend, each) for each in backend.signals}
    return OpenTelemetryBackend(name=backend.collector.name, **signals)


def _signal(backend: PipedBackend, signal: PipedSignal) -> OpenTelemetrySignal:
    return OpenTelemetrySignal(
        enabled=True,
        env_allowed=backend.allows_env,
        env_input_present=signal.env_present,
        state=signal.state,
        override_kinds=signal.overrides,
        missing_fields=signal.missing,
        blocked_reasons=signal.blocked,
    )
