"""Does a request come directly from a program on this machine, and not from a web page in a browser?

Whoever passes is an administrator (`apiServer.authn.localhostIsAdmin`), so every rule must hold:
the peer is a loopback address; no proxy has forwarded the request; the `Host` names this machine,
which defeats DNS rebinding; the browser, if it is one, says that the page is of the same origin.
Source: reference 2.5; https://www.w3.org/TR/fetch-metadata/ for `Sec-Fetch-Site`.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

_HOPS = ("forwarded", "x-forwarded-for", "x-real-ip")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_direct_from_localhost(peer: str | None, headers: Mapping[str, str]) -> bool:
    """`peer` is the address of the other end of the connection, `headers` are case-insensitive."""
    if peer is None or not _is_loopback(peer):
        return False
    if any(hop in headers for hop in _HOPS):
        return False
    if headers.get("sec-fetch-site", "") not in {"", "same-origin", "none"}:
        return False
    host = headers.get("host", "")
    here = _authority("http", host)
    if here is None or not _is_loopback(here[0]):
        return False
    origin = headers.get("origin", "")
    return not origin or _is_same_origin(origin, host)


def _is_same_origin(origin: str, host: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    if not separator or scheme not in _DEFAULT_PORTS:
        return False
    theirs = _authority(scheme, authority)
    return theirs is not None and _is_loopback(theirs[0]) and theirs == _authority(scheme, host)


def _authority(scheme: str, text: str) -> tuple[str, int] | None:
    """Host and port in one spelling, or None for anything that is not exactly `host[:port]`."""
    try:
        url = urlsplit(f"{scheme}://{text}")
        port = url.port
    except ValueError:
        return None
    if not url.hostname or text.endswith(":") or not _is_bare(url, text):
        return None
    host, port = _canonical(url.hostname), _DEFAULT_PORTS[scheme] if port is None else port
    return (host, port) if port > 0 else None


def _is_bare(url: SplitResult, text: str) -> bool:
    return url.netloc == text and "@" not in text


def _canonical(host: str) -> str:
    host = host.lower().removesuffix(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _is_loopback(host: str) -> bool:
    host = _canonical(host)
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
