"""What goes over the streams of proxies: counted as it happens, read by Prometheus.

The names are Kuma's; of requests it counts those that confirm an answer, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True, eq=False)
class Traffic(Collector):
    """`streams` are those that are open now; all others are since the start."""

    streams: int = 0
    acknowledgements: int = 0
    rejections: int = 0
    responses: int = 0
    failures: int = 0

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("xds_streams_active", "Open streams of proxies.", self.streams)
        confirmed = CounterMetricFamily(
            "xds_requests_received",
            "What proxies said of the configuration that they were sent.",
            labels=("confirmation",),
        )
        confirmed.add_metric(("ACK",), self.acknowledgements)
        confirmed.add_metric(("NACK",), self.rejections)
        yield confirmed
        yield CounterMetricFamily(
            "xds_responses_sent", "Answers that were sent to proxies.", self.responses
        )
        yield CounterMetricFamily(
            "xds_stream_failures", "Streams that ended by a fault of ours.", self.failures
        )
