"""Tokens for dataplanes, zones and users, issued to whoever may have them. Source: reference 2.3."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.access import Access, Action
from kuma.api.answers import text_answer
from kuma.api.authentication import caller_of
from kuma.api.body import read_json_object
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, titled
from kuma.api.operations import answers, asks
from kuma.api.routing import Endpoint
from kuma.identity.tokens import (
    EGRESS_SCOPE,
    INGRESS_SCOPE,
    DataplaneIdentity,
    UserIdentity,
    ZoneIdentity,
    tag_values,
)
from kuma.kit.durations import parse_duration
from kuma.resources.errors import InvalidResource
from kuma.resources.violation import Violation

_TEN_YEARS = timedelta(days=3650)
_PROXY_TYPES = frozenset({"", "dataplane", "ingress", "egress"})
_SCOPES = frozenset({INGRESS_SCOPE, EGRESS_SCOPE})


class TokenRoutes:
    def __init__(self, deps: ApiDependencies, access: Access) -> None:
        self._access = access
        self._issuer = deps.issuer
        self._replica = deps.replica
        authn = deps.settings.dp_server.authn
        self._issues_dataplane = authn.dp_proxy.dp_token.enable_issuer
        self._issues_zone = authn.zone_proxy.zone_token.enable_issuer
        self._issues_user = deps.settings.api_server.authn.tokens.enable_issuer

    def endpoints(self) -> Iterator[Endpoint]:
        """The user's is not there if the API's users have no tokens."""
        yield self._post("dataplane", self.dataplane, "DataplaneTokenRequest")
        yield self._post("zone", self.zone, "ZoneTokenRequest")
        if self._issues_user:
            yield self._post("user", self.user, "UserTokenRequest")

    async def dataplane(self, request: Request) -> Response:
        self._access.check(caller_of(request), Action.DATAPLANE_TOKEN)
        form = await _Form.read(request)
        mesh, name = form.text("mesh", required=True), form.text("name")
        valid_for = form.duration(default=_TEN_YEARS)
        tags, proxy_type, workload = form.tags(), form.text("type"), form.text("workload")
        if proxy_type not in _PROXY_TYPES:
            form.refuse("type", f"{proxy_type} is not a valid proxy type")
        form.check()
        identity = DataplaneIdentity(mesh, name, tag_values(tags), proxy_type, workload)
        return await self._issue(
            self._issues_dataplane, lambda: self._issuer.dataplane(identity, valid_for=valid_for)
        )

    async def zone(self, request: Request) -> Response:
        form = await _Form.read(request)
        zone, scope = form.text("zone"), form.texts("scope", required=True)
        self._access.check(caller_of(request), Action.ZONE_TOKEN, of=f"for zone '{zone}'")
        valid_for = form.duration(default=_TEN_YEARS)
        # Differs from Kuma: it issues tokens with scopes that nothing ever asks for.
        for unknown in sorted(set(scope) - _SCOPES):
            form.refuse("scope", f"{unknown} is not a valid scope, must be ingress or egress")
        form.check()
        identity = ZoneIdentity(zone, scope)
        return await self._issue(
            self._issues_zone, lambda: self._issuer.zone(identity, valid_for=valid_for)
        )

    async def user(self, request: Request) -> Response:
        self._access.check(caller_of(request), Action.USER_TOKEN)
        form = await _Form.read(request)
        name, groups = form.text("name", required=True), form.texts("groups")
        valid_for = form.duration()
        form.check()
        identity = UserIdentity(name, groups)
        return await self._issue(True, lambda: self._issuer.user(identity, valid_for=valid_for))

    async def _issue(self, is_enabled: bool, sign: Callable[[], str]) -> Response:
        with titled("Could not issue a token"):
            if not is_enabled:
                raise BadRequest("issuing tokens using the control plane is disabled")
            self._replica.check_available()
            return text_answer(sign())

    def _post(self, name: str, answer: Any, schema: str) -> Endpoint:
        operation = {**asks(schema), **answers("Token", media="text/plain")}
        summary = f"Issue a {name} token"
        return Endpoint("POST", f"/tokens/{name}", answer, summary, "Tokens", operation)


class _Form:
    """The fields of a request, read one by one; `check` raises everything that was wrong."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._violations: list[Violation] = []

    @classmethod
    async def read(cls, request: Request) -> "_Form":
        return cls(await read_json_object(request, called="token request"))

    def text(self, field: str, *, required: bool = False) -> str:
        found = self._raw.get(field)
        if found is not None and not isinstance(found, str):
            self.refuse(field, "must be a string")
            return ""
        if required and not found:
            self.refuse(field, "cannot be empty")
        return found or ""

    def texts(self, field: str, *, required: bool = False) -> tuple[str, ...]:
        found = self._raw.get(field)
        if found is None:
            if required:
                self.refuse(field, "cannot be empty")
            return ()
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self.refuse(field, "must be a list of strings")
            return ()
        return tuple(found)

    def tags(self) -> Mapping[str, list[str]]:
        found = self._raw.get("tags") or {}
        is_map = isinstance(found, dict) and all(
            isinstance(each, list) and all(isinstance(tag, str) for tag in each)
            for each in found.values()
        )
        if not is_map:
            self.refuse("tags", "must be a map of lists of strings")
            return {}
        tags: Mapping[str, list[str]] = found
        return tags

    def duration(self, *, default: timedelta | None = None) -> timedelta:
        """`validFor`; it cannot be left out where there is no default."""
        text = self.text("validFor", required=default is None)
        if not text:
            return default or timedelta(0)
        try:
            found = parse_duration(text)
        except ValueError as error:
            self.refuse("validFor", f"is invalid: {error}")
            return timedelta(0)
        # Differs from Kuma: it issues tokens that expired before they were issued.
        if found <= timedelta(0):
            self.refuse("validFor", "must be longer than zero")
        return found

    def refuse(self, field: str, message: str) -> None:
        self._violations.append(Violation(field, message))

    def check(self) -> None:
        """Raises InvalidResource, titled."""
        if self._violations:
            with titled("Invalid request"):
                raise InvalidResource(tuple(self._violations))
