"""Where collectors are: the URLs and addresses that users write, read.

Source: https://www.rfc-editor.org/rfc/rfc3986, as far as collectors need it.
"""

import re
from ipaddress import AddressValueError, IPv6Address

from kuma.kit.value import value
from kuma.resources.kinds.mesh_open_telemetry_backend import DEFAULT_PORT

HTTP, HTTPS = "http", "https"
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


def has_port(text: str) -> bool:
    """Whether it is an address that can be connected to without a default: `host:port`."""
    found = _ENDPOINT.fullmatch(text)
    return found is not None and bool(found["port"]) and parse_endpoint(text) is not None


def is_host(text: str) -> bool:
    """Whether it is an IP address or a name that DNS may know."""
    return bool(_HOST.fullmatch(text)) or _is_ipv6(text)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True
