"""Which collectors policies mean: resources by reference, or addresses."""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from kuma.plan.collector import Collector, Collectors
from kuma.policies.addresses import parse_endpoint
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.violation import Violation

OPEN_TELEMETRY = "OpenTelemetry"
_IN_URLS = re.compile(r"[/?#]")


class NamesCollector(Protocol):
    """It has either of them."""

    @property
    def endpoint(self) -> str: ...

    @property
    def backend_ref(self) -> BackendResourceRef | None: ...


class ReportingBackend(Protocol):
    """A backend of a policy, of one type or another."""

    @property
    def type(self) -> str: ...

    @property
    def open_telemetry(self) -> NamesCollector | None: ...


def refs_of(backends: Iterable[ReportingBackend]) -> Iterator[tuple[int, BackendResourceRef]]:
    """The references to collectors, with their positions."""
    for position, backend in enumerate(backends):
        found = backend.open_telemetry
        if backend.type == OPEN_TELEMETRY and found is not None and found.backend_ref is not None:
            yield position, found.backend_ref


def find_collector(named: NamesCollector, known: Collectors) -> Collector | None:
    """None: there is no such resource, or the endpoint cannot be, which validation refuses. Without a
    name if it is no resource."""
    if named.backend_ref is not None:
        return known.find(named.backend_ref)
    at = parse_endpoint(named.endpoint)
    return None if at is None else Collector("", at.host, at.port)


def validate_collector(
    endpoint: str, backend_ref: BackendResourceRef | None
) -> Iterator[Violation]:
    """Of a backend for OpenTelemetry, which has either of them.

    Differs from Kuma, which takes what nobody can connect to.
    """
    one_of = "endpoint, backendRef"
    if endpoint and backend_ref is not None:
        yield Violation("", f"openTelemetry must have only one type defined: {one_of}")
    elif backend_ref is not None:
        if not backend_ref.labels:
            yield Violation("backendRef", "backendRef must have exactly one defined: labels")
    elif not endpoint:
        yield Violation("", f"openTelemetry must have exactly one defined: {one_of}")
    elif parse_endpoint(endpoint) is None:
        suffix = ", not a URL" if _IN_URLS.search(endpoint) else ""
        yield Violation("endpoint", f"must be in host:port format{suffix}")
