"""The REST API of a control plane, as the commands use it: paths and JSON in, JSON out.

Source: reference 2.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import click

from kuma.app.ctl.configuration import ApiServer, ControlPlane
from kuma.app.ctl.errors import CtlError, Problem, Refused, Unreachable
from kuma.app.ctl.http import Answer, HttpConnection, Tls
from kuma.kit.version import PRODUCT, program_version

_TOKENS = "tokens"
_PAGE = 1000
Query = Sequence[tuple[str, str]]


class ControlPlaneClient:
    """Every method raises Unreachable or Refused."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *,
        timeout: timedelta,
        now: Callable[[], datetime],
        trace: bool = False,
    ) -> None:
        """`trace` tells every request on standard error. Raises CtlError."""
        api = control_plane.api
        self._what = f'control plane "{control_plane.name}" at {api.url}'
        self._now = now
        self._trace = trace
        self._token = _token_of(api)
        self._headers = {
            "User-Agent": f"kumactl/{program_version()}",
            "Accept": "application/json",
            **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            **dict(api.headers),
        }
        tls = Tls(api.ca_cert_file, api.client_cert_file, api.client_key_file, api.skip_verify)
        self._connection = HttpConnection(api.url, what=self._what, tls=tls, timeout=timeout)

    def index(self) -> Mapping[str, Any]:
        """Who it is. Raises CtlError also for what is no control plane of this product."""
        found = self.get("/")
        product = found.get("product") if isinstance(found, dict) else None
        if product != PRODUCT:
            raise CtlError(f"{self._what} is not a control plane of {PRODUCT}")
        return dict(found)

    def get(self, path: str, query: Query = ()) -> Any:
        return self._json(self._ask("GET", _target(path, query)))

    def bytes(self, path: str, query: Query = ()) -> bytes:
        return self._ask("GET", _target(path, query)).body

    def pages(self, path: str, query: Query = ()) -> dict[str, Any]:
        """All of a list, whatever its length."""
        whole: dict[str, Any] = {"total": 0, "items": [], "next": None}
        for page in self._pages(path, query):
            whole["total"] = page.get("total", 0)
            whole["items"] += page.get("items") or ()
        return whole

    def put(self, path: str, document: Mapping[str, Any]) -> tuple[bool, Sequence[str]]:
        """Whether it is new, and warnings."""
        answer = self._ask("PUT", path, document)
        body = self._json(answer) if answer.body.strip() else {}
        return answer.status == 201, body.get("warnings") or ()

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def post(self, path: str, document: Mapping[str, Any]) -> str:
        return self._ask("POST", path, document).body.decode()

    def close(self) -> None:
        self._connection.close()

    def _pages(self, path: str, query: Query) -> Iterator[dict[str, Any]]:
        asked: Query = [*query, ("size", str(_PAGE))]
        while True:
            page = self.get(path, asked)
            yield page
            if not page.get("next"):
                return
            offset = next_offset(page)
            asked = [*query, ("size", str(_PAGE)), ("offset", offset)]

    def _ask(self, method: str, target: str, document: Mapping[str, Any] | None = None) -> Answer:
        headers, body = dict(self._headers), None
        if document is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(document, ensure_ascii=False).encode()
        started = time.monotonic()
        answer = self._connection.request(method, target, body=body, headers=headers)
        if self._trace:
            took = (time.monotonic() - started) * 1000
            click.echo(f"{method} {target} {answer.status} {took:.0f} ms", err=True)
        if 300 <= answer.status < 400:
            raise Unreachable(f"{self._what} sends elsewhere: its address is {answer.location}")
        if answer.status >= 400:
            raise self._refused(answer)
        return answer

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except ValueError as error:
            raise Unreachable(f"{self._what} does not answer as a control plane does") from error

    def _refused(self, answer: Answer) -> Refused:
        problem = _find_problem(answer)
        if problem is None:
            raise Unreachable(f"{self._what} answers {_in_short(answer)}")
        if answer.status == 401:
            return Refused(
                problem, f"{self._what} does not accept the token: {self._token_fault()}"
            )
        return Refused(problem)

    def _token_fault(self) -> str:
        """The control plane does not tell; what the token says of itself may."""
        expired = _expiry(self._token)
        if not self._token:
            return "there is none, add the control plane with --auth-type tokens"
        if expired is not None and expired <= self._now():
            return f"it expired at {expired:%Y-%m-%d %H:%M:%S} UTC, generate a new one"
        return "it is signed by another control plane, revoked or damaged, generate a new one"


def mesh_path(mesh: str, *parts: str) -> str:
    return path_of("meshes", mesh, *parts)


def path_of(*parts: str) -> str:
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def next_offset(page: Mapping[str, Any]) -> str:
    """Of a list's `next`; empty if there is no further page."""
    query = urlsplit(page.get("next") or "").query
    return dict(parse_qsl(query)).get("offset", "")


def _target(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _token_of(api: ApiServer) -> str:
    if not api.auth_type:
        return ""
    if api.auth_type != _TOKENS:
        raise CtlError(f'authentication type "{api.auth_type}" is not known, only "{_TOKENS}" is')
    return dict(api.auth_conf).get("token", "").strip()


def _in_short(answer: Answer) -> str:
    text = answer.body.decode(errors="replace").strip()
    is_short = text and "\n" not in text and len(text) < 200
    return f"HTTP status {answer.status}" + (f": {text}" if is_short else "")


def _find_problem(answer: Answer) -> Problem | None:
    """None: that is no answer of a control plane."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "title" not in body:
        return None
    found = body.get("invalid_parameters") or body.get("causes") or ()
    violations = tuple(
        (str(each.get("field", "")), str(each.get("reason") or each.get("message") or ""))
        for each in found
    )
    detail = body.get("detail") or body.get("details") or ""
    return Problem(answer.status, str(body["title"]), str(detail), violations)


def _expiry(token: str) -> datetime | None:
    """What a token says, which nobody has verified."""
    from base64 import urlsafe_b64decode
    from datetime import UTC

    try:
        claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError):
        return None
