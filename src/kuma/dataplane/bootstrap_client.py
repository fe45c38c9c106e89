"""Asks the control plane for Envoy's bootstrap, again and again until it answers.

Source: Kuma, the bootstrap protocol: POST /bootstrap on the data plane server. An answer with a
4xx status is final, but for an empty 404: the Dataplane may not have been created yet.
"""

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kuma.dataplane.errors import DataPlaneError, NotReached, Refused
from kuma.dataplane.http import BadAnswer, Response, Tcp, exchange
from kuma.dataplane.log import Log
from kuma.dataplane.options import ControlPlaneOptions
from kuma.kit.durations import format_duration

_SECONDS_FOR_AN_ANSWER = 10.0
_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}
_DEFAULT_PORTS = {"https": 443, "http": 80}
_NOT_YET = (
    "the control plane knows no such Dataplane yet: create it there, "
    "or give its definition with --dataplane-file"
)
_WRONG_SERVER = "is this the port of the data plane server (5678 unless changed)?"


@dataclass(frozen=True, slots=True)
class BootstrapReply:
    """`address` is the proxy's own, as the control plane knows it."""

    bootstrap: dict[str, Any]
    address: str


class BootstrapClient:
    """Raises DataPlaneError at once if URL or certificate cannot be used."""

    def __init__(self, options: ControlPlaneOptions, log: Log) -> None:
        self._options = options
        self._log = log
        self._endpoint = _endpoint(options)
        self._reported = ""

    async def fetch(self, request: Mapping[str, Any]) -> BootstrapReply:
        """Raises Refused, or NotReached when the time for retries is over."""
        try:
            return await self._attempt(request)
        except NotReached as error:
            self._report(error)
        return await self._retry(request)

    async def leave(self, *, mesh: str, name: str, token: str, seconds: float) -> None:
        """Tell the control plane that this proxy is about to end, so that it gets no requests any
        more. Raises DataPlaneError or OSError if it does not take note in time."""
        headers = _HEADERS | ({"Authorization": f"Bearer {token}"} if token else {})
        body = json.dumps({"mesh": mesh, "name": name}).encode()
        answer = await exchange(
            self._endpoint, "POST", "/drain", headers=headers, body=body, seconds=seconds
        )
        if answer.status != 200:
            raise Refused(f"the control plane answered {answer.status}: {answer.text}")

    async def _retry(self, request: Mapping[str, Any]) -> BootstrapReply:
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

        attempts = AsyncRetrying(
            retry=retry_if_exception_type(NotReached),
            wait=wait_fixed(self._options.retry_backoff),
            stop=stop_after_delay(self._options.retry_max_duration),
            reraise=True,
        )
        await asyncio.sleep(self._options.retry_backoff.total_seconds())
        return await attempts(self._attempt_again, request)

    async def _attempt_again(self, request: Mapping[str, Any]) -> BootstrapReply:
        try:
            return await self._attempt(request)
        except NotReached as error:
            self._report(error)
            raise

    def _report(self, error: NotReached) -> None:
        """One line per kind of failure, not one per attempt."""
        again_in = format_duration(self._options.retry_backoff)
        log = self._log.debug if error.kind == self._reported else self._log.warning
        log(f"{error}; trying again every {again_in}")
        self._reported = error.kind

    async def _attempt(self, request: Mapping[str, Any]) -> BootstrapReply:
        url, body = self._options.url, json.dumps(request).encode()
        try:
            answer = await exchange(
                self._endpoint,
                "POST",
                "/bootstrap",
                headers=_HEADERS,
                body=body,
                seconds=_SECONDS_FOR_AN_ANSWER,
            )
        except ssl.SSLCertVerificationError as error:
            raise NotReached("certificate", _untrusted(url, error)) from error
        except ssl.SSLError as error:
            message = f"the server at {url} does not speak TLS ({error.reason}); {_WRONG_SERVER}"
            raise NotReached("tls", message) from error
        except BadAnswer as error:
            raise NotReached("http", f"the server at {url}: {error}; {_WRONG_SERVER}") from error
        except TimeoutError as error:
            message = f"the control plane at {url} did not answer within 10s"
            raise NotReached("timeout", message) from error
        except ConnectionRefusedError as error:
            message = f"the control plane at {url} is not reachable: nobody listens there"
            raise NotReached("connection", message) from error
        except OSError as error:
            message = f"the control plane at {url} is not reachable: {error.strerror or error}"
            raise NotReached("connection", message) from error
        return _parse(url, answer)


def _endpoint(options: ControlPlaneOptions) -> Tcp:
    parts = urlsplit(options.url)
    try:
        port = parts.port
    except ValueError as error:
        raise DataPlaneError(f'--cp-address "{options.url}": {error}') from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise DataPlaneError(
            f'--cp-address "{options.url}" must be a URL such as https://localhost:5678'
        )
    tls = _tls(options) if parts.scheme == "https" else None
    return Tcp(parts.hostname, port or _DEFAULT_PORTS[parts.scheme], tls)


def _tls(options: ControlPlaneOptions) -> ssl.SSLContext:
    """A certificate given as CA is trusted even if it is none: the server's own will do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if options.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ca_cert:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cadata=options.ca_cert)
        except (ssl.SSLError, ValueError) as error:
            raise DataPlaneError("the CA of the control plane is not a PEM certificate") from error
    else:
        context.load_default_certs()
    return context


def _untrusted(url: str, error: ssl.SSLCertVerificationError) -> str:
    return (
        f"the certificate of the control plane at {url} is not trusted ({error.verify_message}): "
        "give its CA with --ca-cert-file"
    )


def _parse(url: str, answer: Response) -> BootstrapReply:
    if answer.status == 404 and not answer.body:
        raise NotReached("not found", _NOT_YET)
    if answer.status == 404:
        raise Refused(f"there is no /bootstrap at {url}; {_WRONG_SERVER}")
    if 400 <= answer.status < 500:
        said = answer.text or f"status {answer.status} without a reason"
        raise Refused(f"the control plane refuses this proxy: {said}")
    if answer.status != 200:
        said = f": {answer.text}" if answer.text else ""
        message = f"the control plane at {url} answered with status {answer.status}{said}"
        raise NotReached(f"status {answer.status}", message)
    return _read_reply(answer.body)


def _read_reply(body: bytes) -> BootstrapReply:
    import yaml

    try:
        reply = json.loads(body)
        text = base64.b64decode(reply["bootstrap"], validate=True)
        bootstrap = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
        networking = reply.get("kumaSidecarConfiguration", {}).get("networking", {})
        address = networking.get("address") or ""
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        binascii.Error,
        yaml.YAMLError,
    ) as error:
        raise Refused(f"the bootstrap answer cannot be read: {error}") from error
    if not isinstance(bootstrap, dict):
        raise Refused("the bootstrap answer cannot be read: it is not an Envoy bootstrap")
    return BootstrapReply(bootstrap, address)
