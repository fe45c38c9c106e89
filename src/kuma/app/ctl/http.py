"""HTTP as far as kumactl needs it: one connection, kept open, with a deadline for every request.

Small on purpose: httpx takes longer to import than a command takes to run. Proxies are those of
the environment, as everywhere; never for this machine itself.
"""

import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import SplitResult, unquote, urlsplit

from kuma.app.ctl.errors import CtlError, Unreachable
from kuma.kit.durations import format_duration

_CHUNK = 1 << 16
_LOOPBACK = ("localhost", "127.", "::1")


@dataclass(frozen=True)
class Tls:
    """Files as the configuration names them; without a CA the machine's own are trusted."""

    ca_cert_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    skip_verify: bool = False

    def context(self) -> ssl.SSLContext:
        """Raises CtlError that names the file."""
        try:
            context = ssl.create_default_context(cafile=self.ca_cert_file or None)
        except OSError as error:
            raise _bad_file("CA certificate", self.ca_cert_file, error) from error
        if self.skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert_file:
            try:
                context.load_cert_chain(self.client_cert_file, self.client_key_file or None)
            except OSError as error:
                files = f"{self.client_cert_file} and {self.client_key_file}"
                raise _bad_file("client certificate and key", files, error) from error
        return context


def _bad_file(what: str, files: str, error: OSError) -> CtlError:
    if isinstance(error, ssl.SSLError):
        return CtlError(f"{what} {files}: not usable PEM: {error.reason or error}")
    return CtlError(f"{what} {files}: cannot be read: {error.strerror}")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = ""
    location: str = ""


class HttpConnection:
    """To one server. `what` names it in messages."""

    def __init__(self, url: str, *, what: str, tls: Tls, timeout: timedelta) -> None:
        """No timeout if it is 0. Raises CtlError for what is no URL."""
        self._url = _parse_url(url)
        self._what = what
        self._tls = tls
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = self._url.path.rstrip("/")

    def request(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """`target` is path and query below the URL. Raises Unreachable."""
        deadline = time.monotonic() + self._timeout.total_seconds() if self._timeout else None
        try:
            connection = self._connection = self._connection or self._connect()
            if connection.sock is None:
                connection.timeout = _left(deadline)
                connection.connect()
            connection.sock.settimeout(_left(deadline))
            connection.request(method, f"{self._prefix}{target}", body, dict(headers or {}))
            response = connection.getresponse()
            content = bytearray()
            while chunk := response.read1(_CHUNK):
                content += chunk
                if connection.sock is not None:
                    connection.sock.settimeout(_left(deadline))
            response.read()  # of nothing more: so the connection knows that it is free
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Unreachable(f"{self._what} cannot be reached: {self._reason(error)}") from error
        return Answer(
            response.status,
            bytes(content),
            response.getheader("Content-Type", ""),
            response.getheader("Location", ""),
        )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._url.hostname), self._url.port
        proxy = _find_proxy(self._url)
        is_tls = self._url.scheme == "https"
        if proxy is None:
            if is_tls:
                return http.client.HTTPSConnection(host, port, context=self._tls.context())
            return http.client.HTTPConnection(host, port)
        proxy_host, proxy_port = str(proxy.hostname), proxy.port or 80
        credentials = _proxy_headers(proxy)
        if not is_tls:
            # An absolute URI is what tells a proxy where to go; RFC 9112, 3.2.2.
            self._prefix = f"http://{self._url.netloc}{self._url.path.rstrip('/')}"
            return _WithHeaders(proxy_host, proxy_port, credentials)
        connection = http.client.HTTPSConnection(
            proxy_host, proxy_port, context=self._tls.context()
        )
        connection.set_tunnel(host, port or 443, dict(credentials))
        return connection

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {format_duration(self._timeout)} (--api-timeout)"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted: {error.verify_message}; name its CA with "
                "--ca-cert-file, or use --skip-verify, when adding the control plane"
            )
        if isinstance(error, ssl.SSLError):
            return f"it does not speak TLS as it should: {error.reason or error}"
        if isinstance(error, OSError):
            return (error.strerror or str(error)).lower()
        if isinstance(error, http.client.HTTPException):
            return "it does not speak HTTP as it should"
        return str(error).lower()


class _WithHeaders(http.client.HTTPConnection):
    """Adds the proxy's headers to every request."""

    def __init__(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        super().__init__(host, port)
        self._added = headers

    def endheaders(self, message_body: object = None, *, encode_chunked: bool = False) -> None:
        for name, text in self._added.items():
            self.putheader(name, text)
        super().endheaders(message_body, encode_chunked=encode_chunked)  # type: ignore[arg-type]


def _parse_url(url: str) -> SplitResult:
    try:
        parsed = urlsplit(url)
        _ = parsed.port
    except ValueError as error:
        raise CtlError(f'"{url}" is not a URL: {error}') from error
    if parsed.scheme not in {"http", "https"} or not parsed.hostname:
        raise CtlError(f'"{url}" is not a URL such as http://localhost:5681')
    return parsed


def _left(deadline: float | None) -> float | None:
    """Seconds until then. Raises TimeoutError."""
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _find_proxy(url: SplitResult) -> SplitResult | None:
    host = str(url.hostname)
    if host.startswith(_LOOPBACK):
        return None
    from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

    proxies = getproxies_environment()
    found = proxies.get(url.scheme)
    if not found or proxy_bypass_environment(host, proxies):
        return None
    proxy = urlsplit(found if "://" in found else f"http://{found}")
    if proxy.scheme != "http" or not proxy.hostname:
        raise CtlError(f"proxy {found}: only proxies such as http://proxy:3128 can be used")
    return proxy


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    from base64 import b64encode

    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(credentials.encode()).decode()}"}
