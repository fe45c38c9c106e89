"""Where spans, records, metrics and lines go: the addresses and references that users write, read.

Source: https://www.rfc-editor.org/rfc/rfc3986, as far as collectors need it.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv6Address
from typing import Protocol

from kuma.kit.value import value
from kuma.plan.collector import Collector, Collectors
from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.kinds.mesh_open_telemetry_backend import DEFAULT_PORT
from kuma.resources.violation import Violation

HTTP, HTTPS = "http", "https"
OPEN_TELEMETRY = "OpenTelemetry"
_IN_URLS = re.compile(r"[/?#]")
ZIPKIN_PATH = "/api/v2/spans"
_DEFAULT_PORTS = {HTTP: 80, HTTPS: 443}
_PORTS = range(1, 65536)

_URL = re.compile(
    r"(?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*):"
    r"(?://(?:(?P<user>[^\s/?#@]*)@)?(?P<host>\[[^\s\]]*\]|[^\s/?#@:\[\]]*)(?::(?P<port>[0-9]+))?"
    r"(?=[/?]|$))?)?"
    r"(?P<path>(?:[^\s?#%]|%[0-9a-fA-F]{2})*)"
    r"(?:\?(?P<query>[^\s#]*))?"
)
_ENDPOINT = re.compile(r"(?P<host>\[[^\s\]]*\]|[^\s/?#@:\[\]]*)(?::(?P<port>[0-9]+))?")
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")


@value
class Url:
    """The parts of a URL as they are written; what is not there is empty. `host` is without the
    brackets of an IPv6 address. `opaque`: what follows the scheme, if no slash does."""

    scheme: str
    user: str | None
    host: str
    port: str
    path: str
    query: str
    opaque: str = ""

    @property
    def port_number(self) -> int:
        """0: there is none that could be connected to."""
        number = int(self.port) if self.port else _DEFAULT_PORTS.get(self.scheme, 0)
        return number if number in _PORTS else 0

    @property
    def authority(self) -> str:
        """Host and port, as the header `host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def zipkin_target(self) -> str:
        """What is asked for at the host. Differs from Kuma: without a path, the one of Zipkin, where
        Envoy would refuse to have none; and the query is a part of it."""
        path = self.path or ZIPKIN_PATH
        return f"{path}?{self.query}" if self.query else path


@value
class Address:
    host: str
    port: int


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


def parse_url(text: str) -> Url | None:
    """None: the text is no URL, or a relative one."""
    found = _URL.fullmatch(text)
    if found is None:
        return None
    scheme, path = found["scheme"] or "", found["path"]
    is_rooted = path.startswith("/")
    if not (scheme or is_rooted) or (found["host"] is None and path.startswith("//")):
        return None
    return Url(
        scheme=scheme.lower(),
        user=found["user"],
        host=(found["host"] or "").strip("[]"),
        port=found["port"] or "",
        path=path if is_rooted else "",
        query=found["query"] or "",
        opaque="" if is_rooted else path,
    )


def parse_endpoint(text: str) -> Address | None:
    """`host`, `host:port`, or an IPv6 address with or without brackets; None: it is neither."""
    if _is_ipv6(text):
        return Address(text, DEFAULT_PORT)
    found = _ENDPOINT.fullmatch(text)
    if found is None or not is_host(found["host"].strip("[]")):
        return None
    port = int(found["port"] or DEFAULT_PORT)
    return Address(found["host"].strip("[]"), port) if port in _PORTS else None


def find_collector(named: NamesCollector, known: Collectors) -> Collector | None:
    """None: there is no such resource, or the endpoint cannot be, which validation refuses. Without a
    name if it is no resource."""
    if named.backend_ref is not None:
        return known.find(named.backend_ref)
    at = parse_endpoint(named.endpoint)
    return None if at is None else Collector("", at.host, at.port)


def has_port(text: str) -> bool:
    """Whether it is an address that can be connected to without a default: `host:port`."""
    found = _ENDPOINT.fullmatch(text)
    return found is not None and bool(found["port"]) and parse_endpoint(text) is not None


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


def is_host(text: str) -> bool:
    """Whether it is an IP address or a name that DNS may know."""
    return bool(_HOST.fullmatch(text)) or _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
