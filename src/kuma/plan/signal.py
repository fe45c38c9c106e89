"""What a proxy reports. Apart, since kuma-dp reads it, which loads no model of a resource."""

from enum import StrEnum


class Signal(StrEnum):
    """What a proxy reports, in the words of OpenTelemetry."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"

    @property
    def path(self) -> str:
        """The end of the path of OTLP over HTTP. Source: https://opentelemetry.io/docs/specs/otlp/"""
        return f"v1/{self}"
