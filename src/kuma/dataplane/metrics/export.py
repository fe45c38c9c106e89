"""Metrics in OTLP, through Envoy, to a collector. Loaded only where there is one.

Differs from Kuma: what has no type is sent as a gauge, not left out, and the resource has the name of
the service.
Envoy's API brings the messages in an old version: a scope is called an instrumentation library there,
and is the same bytes.
Source: https://opentelemetry.io/docs/specs/otlp/ and
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationLibrary, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    HistogramDataPoint,
    InstrumentationLibraryMetrics,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
)

from kuma.dataplane.http import BadAnswer, Unix, exchange
from kuma.dataplane.metrics.exposition import Families, Family, Sample, parse_labels
from kuma.dataplane.metrics.wanted import Collector, Wanted
from kuma.kit.version import VERSION

_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_SCOPE = "otel_scope_"
_CUMULATIVE = AGGREGATION_TEMPORALITY_CUMULATIVE

Scope = tuple[str, str]
Attributes = dict[str, str]


class Exporter:
    """A context: the connection to Envoy's listener for the collector."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._channel = None if collector.path else _channel(collector.socket)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._channel is not None:
            await self._channel.close(None)

    async def export(self, wanted: Wanted, families: Families, *, seconds: float) -> None:
        """Raises OSError, TimeoutError, BadAnswer, grpc.RpcError."""
        request = build_request(families, wanted.labels, now=time.time_ns())
        if self._channel is None:
            await self._post(request.SerializeToString(), seconds)
            return
        call = self._channel.unary_unary(
            _METHOD,
            request_serializer=ExportMetricsServiceRequest.SerializeToString,
            response_deserializer=ExportMetricsServiceResponse.FromString,
        )
        await call(request, timeout=seconds)

    async def _post(self, body: bytes, seconds: float) -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        endpoint = Unix(Path(self._collector.socket))
        answer = await exchange(
            endpoint, "POST", self._collector.path, headers=headers, body=body, seconds=seconds
        )
        if not 200 <= answer.status < 300:
            raise BadAnswer(f"the collector answered {answer.status}")


def _channel(socket: str) -> grpc.aio.Channel:
    """No proxy of the environment comes between kuma-dp and its Envoy."""
    return grpc.aio.insecure_channel(f"unix:{socket}", options=[("grpc.enable_http_proxy", 0)])


def build_request(
    families: Families, labels: Mapping[str, str], *, now: int
) -> ExportMetricsServiceRequest:
    """`labels` are on each series; `now`, in nanoseconds, is when those were measured that do not say."""
    scopes: defaultdict[Scope, list[Metric]] = defaultdict(list)
    for family in families.values():
        for scope, metric in _metrics(family, labels, now):
            scopes[scope].append(metric)
    made = ResourceMetrics(
        instrumentation_library_metrics=[
            InstrumentationLibraryMetrics(
                instrumentation_library=InstrumentationLibrary(name=name, version=version),
                metrics=metrics,
            )
            for (name, version), metrics in sorted(scopes.items(), key=lambda each: each[0])
        ]
    )
    service = labels.get("kuma.workload") or labels.get("service") or labels.get("dataplane", "")
    if service:
        made.resource.attributes.extend(_key_values({"service.name": service}))
    return ExportMetricsServiceRequest(resource_metrics=[made])


def _metrics(family: Family, labels: Mapping[str, str], now: int) -> Iterator[tuple[Scope, Metric]]:
    named: defaultdict[tuple[Scope, str], list[tuple[Attributes, Sample]]] = defaultdict(list)
    for sample in family.samples:
        scope, own = _scope_of(parse_labels(sample.labels))
        name = family.name if family.kind == "histogram" else sample.name
        attributes = own if sample.is_bare else {**own, **labels}
        named[scope, name].append((attributes, sample))
    for (scope, name), series in named.items():
        metric = Metric(name=name, description=family.help)
        if family.kind == "histogram":
            metric.histogram.aggregation_temporality = _CUMULATIVE
            metric.histogram.data_points.extend(_histograms(series, now))
        elif family.kind == "counter" or (family.kind == "summary" and name != family.name):
            metric.sum.aggregation_temporality = _CUMULATIVE
            metric.sum.is_monotonic = True
            metric.sum.data_points.extend(_points(series, now))
        else:
            metric.gauge.data_points.extend(_points(series, now))
        yield scope, metric


def _scope_of(own: Attributes) -> tuple[Scope, Attributes]:
    """As metrics say that come from OpenTelemetry; all others are of ours."""
    about = {key: text for key, text in own.items() if key.startswith(_SCOPE)}
    if not about:
        return ("kuma", VERSION), own
    rest = {key: text for key, text in own.items() if key not in about}
    return (about.get(f"{_SCOPE}name", ""), about.get(f"{_SCOPE}version", "")), rest


def _points(series: Iterable[tuple[Attributes, Sample]], now: int) -> Iterator[NumberDataPoint]:
    for attributes, sample in series:
        yield NumberDataPoint(
            attributes=_key_values(attributes),
            time_unix_nano=_at(sample, now),
            as_double=float(sample.number),
        )


def _histograms(
    series: Iterable[tuple[Attributes, Sample]], now: int
) -> Iterator[HistogramDataPoint]:
    """Buckets that hold all up to a bound become those between two."""
    grouped: defaultdict[tuple[tuple[str, str], ...], list[tuple[str, Sample]]] = defaultdict(list)
    for attributes, sample in series:
        bound = attributes.pop("le", "")
        grouped[tuple(sorted(attributes.items()))].append((bound, sample))
    for key, samples in grouped.items():
        point = HistogramDataPoint(
            attributes=_key_values(dict(key)), time_unix_nano=_at(samples[0][1], now)
        )
        buckets = []
        for bound, sample in samples:
            if sample.name.endswith("_bucket") and bound:
                buckets.append((float(bound), int(float(sample.number))))
            elif sample.name.endswith("_sum"):
                point.sum = float(sample.number)
            else:
                point.count = int(float(sample.number))
        _fill(point, sorted(buckets))
        yield point


def _fill(point: HistogramDataPoint, buckets: list[tuple[float, int]]) -> None:
    before = 0
    for bound, count in buckets:
        if not math.isinf(bound):
            point.explicit_bounds.append(bound)
            point.bucket_counts.append(max(count - before, 0))
            before = count
    if buckets:
        point.bucket_counts.append(max(point.count - before, 0))


def _at(sample: Sample, now: int) -> int:
    return int(sample.at) * 1_000_000 if sample.at else now


def _key_values(attributes: Mapping[str, str]) -> list[KeyValue]:
    return [
        KeyValue(key=key, value=AnyValue(string_value=text))
        for key, text in sorted(attributes.items())
    ]
