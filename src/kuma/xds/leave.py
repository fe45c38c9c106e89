"""`POST /drain`: a kuma-dp that was told to end says so, before its Envoy stops taking requests.

    kuma-dp --{"mesh", "name"}, its token--> leave_endpoint -> hub: its inbounds are not ready

Differs from Kuma, whose control plane learns it when Envoy's stream ends, and then waits for the
deregistration delay: until then others go on sending requests to a port that nobody listens on.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Protocol

from kuma.pipeline.delivery import ProxyRefused

Answer = tuple[int, str, bytes]
"""Status, content type, body."""

_TEXT = "text/plain; charset=utf-8"
_STATUSES = {
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "not_found": HTTPStatus.NOT_FOUND,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


class Leaving(Protocol):
    async def leave(self, mesh: str, name: str, *, credential: str | None) -> None:
        """The proxy is about to end: nobody should send it requests any more, and its Dataplane is
        removed as soon as it is gone, if it brought it. Raises ProxyRefused."""


def leave_endpoint(hub: Leaving) -> Callable[[bytes, Mapping[str, str]], Awaitable[Answer]]:
    """`headers` have lower-case names."""

    async def endpoint(body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            mesh, name = _parse(body)
        except ValueError as error:
            return HTTPStatus.BAD_REQUEST, _TEXT, str(error).encode()
        try:
            await hub.leave(mesh, name, credential=headers.get("authorization"))
        except ProxyRefused as refusal:
            status = _STATUSES.get(refusal.status, HTTPStatus.FORBIDDEN)
            return status, _TEXT, str(refusal).encode()
        return HTTPStatus.OK, _TEXT, b""

    return endpoint


def _parse(body: bytes) -> tuple[str, str]:
    """Mesh and name. Raises ValueError."""
    document = json.loads(body)
    found = [document.get(key) if isinstance(document, dict) else None for key in ("mesh", "name")]
    mesh, name = found
    if not isinstance(mesh, str) or not isinstance(name, str):
        raise ValueError("mesh and name must be texts")
    return mesh, name
