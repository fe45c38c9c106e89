"""The outermost layers of the application: what holds for every request, whatever its route.

Wire (HEAD, trailing slash)  ->  Observation  ->  Failsafe  ->  CORS  ->  Authentication  ->  routes
"""

import asyncio
import uuid

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kuma.api.errors import STOPPING, unexpected

_log = structlog.get_logger("api")


class Wire:
    """A HEAD request is a GET whose body is not sent; a slash at the end of a path says nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, without_body)


class Failsafe:
    """An error that nobody foresaw costs its request a 500, is logged once, and reveals nothing.

    Requests are cancelled only when the server stops and cannot wait for them any longer. Whoever goes
    away, or sends nonsense, in the middle of a body needs no answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if started or scope["type"] != "http":
                raise
            await STOPPING.to_response()(scope, receive, send)
        except ClientDisconnect:
            _log.debug("the client went away", path=scope.get("path", ""))
        except Exception:
            instance = uuid.uuid4().hex
            _log.exception("request failed", instance=instance, path=scope.get("path", ""))
            if started or scope["type"] != "http":
                raise
            await unexpected(instance).to_response()(scope, receive, send)
