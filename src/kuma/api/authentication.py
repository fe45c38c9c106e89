"""Who is asking? The first authenticator that recognizes the caller decides; if none does, the
caller is anonymous.

    localhost  ->  user tokens | client certificates  ->  anonymous

Credentials that are shown and wrong end the request with 401, whatever it asks for.
Source: reference 2.5.
"""

from collections.abc import Callable, Sequence

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kuma.api.caller import ADMIN, ANONYMOUS, Caller
from kuma.api.errors import Unauthenticated, find_problem
from kuma.api.localhost import is_direct_from_localhost
from kuma.identity.errors import TokenRefused
from kuma.identity.token_validator import TokenValidator

Authenticator = Callable[[Request], Caller | None]
"""None: not recognized, ask the next. Raises Unauthenticated."""

_log = structlog.get_logger("api.authentication")


def caller_of(request: Request) -> Caller:
    caller: Caller = request.scope["state"]["caller"]
    return caller


def by_localhost(request: Request) -> Caller | None:
    peer = request.client.host if request.client else None
    return ADMIN.authenticated() if is_direct_from_localhost(peer, request.headers) else None


def by_user_token(validator: TokenValidator) -> Authenticator:
    def authenticate(request: Request) -> Caller | None:
        # Differs from Kuma: the scheme may be written in any case, as RFC 7235 has it.
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            identity = validator.user(token.strip())
        except TokenRefused as error:
            raise Unauthenticated(str(error)) from error
        return Caller(identity.name, identity.groups).authenticated()

    return authenticate


def by_client_certificate(request: Request) -> Caller | None:
    """A certificate in the scope has been checked against the configured CAs by the handshake."""
    tls = request.scope.get("extensions", {}).get("tls", {})
    return ADMIN.authenticated() if tls.get("client_cert_chain") else None


class Authentication:
    """Puts the caller into the request's state. `open_paths` need no valid credentials."""

    def __init__(
        self, app: ASGIApp, *, authenticators: Sequence[Authenticator], open_paths: frozenset[str]
    ) -> None:
        self._app = app
        self._authenticators = tuple(authenticators)
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            scope.setdefault("state", {})["caller"] = self._recognize(request)
        except Unauthenticated as error:
            _log.info("authentication rejected", reason=error.reason, path=scope["path"])
            problem = find_problem(error)
            assert problem is not None
            await problem.to_response()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _recognize(self, request: Request) -> Caller:
        for authenticate in self._authenticators:
            try:
                caller = authenticate(request)
            except Unauthenticated:
                if request.scope["path"] in self._open_paths:
                    return ANONYMOUS
                raise
            if caller is not None:
                return caller
        return ANONYMOUS
