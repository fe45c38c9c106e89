"""`POST /bootstrap`: bytes in, status, content type and bytes out. The server around it is server.py."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

import structlog

from kuma.config.servers import BootstrapParams, DpServer, DpServerAuthn
from kuma.resources.errors import InvalidResource, Unavailable
from kuma.xds.bootstrap.certificate import check_ca, check_host
from kuma.xds.bootstrap.document import BootstrapAnswer, Server, build_bootstrap
from kuma.xds.bootstrap.errors import BadRequest, BootstrapRefused, Invalid, NotThereYet
from kuma.xds.bootstrap.facts import ProxyDirectory
from kuma.xds.bootstrap.request import BootstrapRequest, parse_request

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

_STATUSES: dict[type[Exception], HTTPStatus] = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    NotThereYet: HTTPStatus.NOT_FOUND,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidResource: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
LARGE = 64 * 1024
"""Bytes above which a request is served beside the event loop: anybody may ask, and writing the
bootstrap as YAML takes a second for each MiB."""

_TEXT = "text/plain; charset=utf-8"
_UNAUTHENTICATED = (
    "Dataplane Token is required. Generate token using 'kumactl generate dataplane-token "
    "> /path/file' and provide it via --dataplane-token-file=/path/file argument to Kuma DP"
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class BootstrapDeps:
    """`certificate` gives the server's own, PEM, as it is now: it may be replaced on disk.
    `port` is what the server is bound to; 0: `dp_server.port`."""

    params: BootstrapParams
    dp_server: DpServer
    certificate: Callable[[], bytes]
    proxies: ProxyDirectory
    port: int = 0


def bootstrap_endpoint(
    deps: BootstrapDeps,
) -> Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]:
    """`headers` have lower-case names; `host` is among them."""

    one_at_a_time = asyncio.Lock()

    async def endpoint(body: bytes, headers: Mapping[str, str]) -> Answer:
        if len(body) <= LARGE:
            return _respond(deps, body, headers)
        async with one_at_a_time:
            return await asyncio.to_thread(_respond, deps, body, headers)

    return endpoint


def _respond(deps: BootstrapDeps, body: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        answer = _answer(deps, parse_request(body), headers)
    except (BootstrapRefused, InvalidResource, Unavailable) as error:
        return _refusal(error)
    if headers.get("accept") == "application/json":
        return HTTPStatus.OK, "application/json", answer.to_json()
    return HTTPStatus.OK, "text/x-yaml", answer.to_yaml()


def _answer(
    deps: BootstrapDeps, request: BootstrapRequest, headers: Mapping[str, str]
) -> BootstrapAnswer:
    _check_token(request, deps.dp_server.authn)
    host = _host(deps, headers)
    if not request.workdir and deps.params.envoy_admin_unix_socket:
        log.warning("admin on a port: the proxy gives no work dir for a socket", id=request.node_id)
    facts = deps.proxies.read(request)
    server = Server(
        host=host,
        port=deps.params.xds_port or deps.port or deps.dp_server.port,
        ca=_ca(deps, request),
        reloadable_tokens=deps.dp_server.authn.enable_reloadable_tokens,
    )
    return build_bootstrap(request, deps.params, facts, server)


def _check_token(request: BootstrapRequest, authn: DpServerAuthn) -> None:
    is_zone_proxy = request.proxy_type in {"ingress", "egress"}
    authenticated_by = authn.zone_proxy.type if is_zone_proxy else authn.dp_proxy.type
    if authenticated_by != "none" and not request.has_token:
        raise Invalid(_UNAUTHENTICATED)


def _host(deps: BootstrapDeps, headers: Mapping[str, str]) -> str:
    """The name by which Envoy is to reach this server: as configured, or as kuma-dp did."""
    if deps.params.xds_host:
        return deps.params.xds_host
    authority = headers.get("host", "")
    if authority.startswith("["):
        host = authority[1:].partition("]")[0]
    else:
        host = authority.partition(":")[0]
    check_host(deps.certificate(), host)
    return host


def _ca(deps: BootstrapDeps, request: BootstrapRequest) -> bytes:
    """What kuma-dp verifies us by; without that our own certificate, which may be self-signed."""
    pem = request.ca_cert.encode() or deps.certificate()
    check_ca(pem, "caCert" if request.ca_cert else "the certificate of the control plane")
    return pem


def _refusal(error: Exception) -> Answer:
    """An empty 404 tells kuma-dp to ask again."""
    status = _STATUSES[type(error)]
    body = b"" if isinstance(error, NotThereYet) else str(error).encode()
    log.info("bootstrap refused", status=int(status), reason=str(error))
    return status, _TEXT, body
