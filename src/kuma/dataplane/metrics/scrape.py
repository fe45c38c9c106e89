"""Asks Envoy and the applications for their metrics, all at the same time.

Who cannot be asked, says what is no metric, too much, or nothing in time, is left out and told, and the
others' are there.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from kuma.dataplane.held import Told
from kuma.dataplane.http import BadAnswer, Endpoint, Response, Tcp, exchange
from kuma.dataplane.log import Log
from kuma.dataplane.metrics.exposition import (
    ACCEPT,
    OPEN_METRICS,
    Families,
    Malformed,
    merge,
    parse,
)
from kuma.dataplane.metrics.wanted import Application, Wanted
from kuma.kit import aside

_TOO_SLOW = "there was no answer in time"
_STATS = "/stats?format=prometheus&text_readouts"
_OURS = {"format", "text_readouts", "usedonly"}
"""Parameters that are not for who asks to say."""
_ENVOY = "envoy"
_MOST = 10 << 20
"""Bytes of what an application may answer."""
_SHARE = 0.8
"""Of the time, for the applications; the rest is for what is made of their answers."""


class Scraper:
    """`admin` is Envoy's, `address` that of applications which do not say theirs; `source`: from where
    they are called at that address, empty: from anywhere. `own`: kuma-dp's own metrics."""

    def __init__(
        self,
        admin: Endpoint,
        address: str,
        log: Log,
        *,
        own: Callable[[], Families] = dict,
        source: str = "",
    ) -> None:
        self._admin = admin
        self._address = address
        self._source = source
        self._own = own
        self._log = log
        self._failed: dict[str, Told] = {}
        self._left_out = Told(log, "metrics were left out that several applications have alike")

    async def scrape(self, wanted: Wanted, *, seconds: float, query: str = "") -> Families:
        """Those of the proxy first, then in the order of the applications, then kuma-dp's. `query`: what
        Envoy is asked besides, such as `filter=REGEX`."""
        own = self._ask(_ENVOY, self._admin, _stats_path(wanted, query), seconds=seconds)
        within = seconds * _SHARE
        others = (self._ask_application(each, within) for each in wanted.applications)
        stats, *applications = await asyncio.gather(own, *others)
        made, left_out = merge((_selected(stats, wanted), *applications, self._own()))
        if left_out:
            self._left_out.once_more(left_out)
        return made

    async def _ask_application(self, application: Application, seconds: float) -> Families:
        host = application.address or self._address
        source = self._source if host == self._address else ""
        endpoint = Tcp(host, application.port, source=source)
        name = application.name or endpoint.authority
        return await self._ask(name, endpoint, application.path, seconds=seconds, most=_MOST)

    async def _ask(self, name: str, endpoint: Endpoint, path: str, **limits: Any) -> Families:
        headers = {"Accept": ACCEPT, "User-Agent": "kuma-dp"}
        try:
            answer = await exchange(endpoint, "GET", path, headers=headers, **limits)
            return await aside.work(len(answer.body), lambda: _parsed(answer))
        except (OSError, TimeoutError, BadAnswer, Malformed) as error:
            reason = str(error) or _TOO_SLOW
            text = "metrics could not be had"
            told = self._failed.setdefault(name, Told(self._log, text, of=name))
            told.once_more(error=reason)
            return {}


def _stats_path(wanted: Wanted, query: str) -> str:
    asked = [each for each in parse_qsl(query, keep_blank_values=True) if each[0] not in _OURS]
    path = _STATS if wanted.include_unused else f"{_STATS}&usedonly"
    return f"{path}&{urlencode(asked)}" if asked else path


def _parsed(answer: Response) -> Families:
    if answer.status != 200:
        raise BadAnswer(f"the answer is {answer.status}")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        return parse(answer.body.decode(), is_open=kind == OPEN_METRICS)
    except UnicodeDecodeError as error:
        raise Malformed("the answer is no text") from error


def _selected(stats: Families, wanted: Wanted) -> Families:
    selection = wanted.selection
    made: Families = {}
    for name, family in stats.items():
        if selection.has(name):
            family.samples = [each for each in family.samples if selection.has_series(each.labels)]
            if family.samples:
                made[name] = family
    return made
