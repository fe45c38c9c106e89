"""Applications that are slow, huge or break off cost no others their metrics, nor kuma-dp its memory."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kuma.dataplane.http import Unix
from kuma.dataplane.log import Level, Log
from kuma.dataplane.metrics.exposition import Families
from kuma.dataplane.metrics.scrape import Scraper
from kuma.dataplane.metrics.wanted import Application, parse_wanted
from kuma.plan.machine import source_towards
from tests.support.mesh import HOST

WANTED = parse_wanted(b'{"observability": {"metrics": {"sidecar": {}}}}')
OK = b"HTTP/1.1 200 OK\r\n"
GOOD = OK + b"content-length: 7\r\n\r\ngood 1\n"
STATS = OK + b"\r\n# TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n"
LINE = b"lots 1\n" * 1000


class Answering:
    """Serves one answer, part by part, to whoever asks; then waits, or ends."""

    def __init__(self, parts: Iterable[bytes], *, ends: bool = True) -> None:
        self._parts = parts
        self._ends = ends
        self.callers: list[str] = []
        self.targets: list[str] = []
        self._tasks: list[asyncio.Task[Any] | None] = []

    async def finished(self) -> None:
        await asyncio.gather(*(task for task in self._tasks if task is not None))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.append(asyncio.current_task())
        if name := writer.get_extra_info("peername"):
            self.callers.append(name[0])
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.targets.append(head.decode().split(" ")[1])
            for part in self._parts:
                writer.write(part)
                await writer.drain()
            if not self._ends:
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def endless(head: bytes, part: bytes) -> Iterable[bytes]:
    yield head
    while True:
        yield part


@asynccontextmanager
async def applications(*served: Answering) -> AsyncIterator[tuple[Application, ...]]:
    async with AsyncExitStack() as stack:
        ports = []
        for each in served:
            server = await asyncio.start_server(each.serve, HOST, 0)
            await stack.enter_async_context(server)
            ports.append(server.sockets[0].getsockname()[1])
        yield tuple(Application(f"app-{n}", "", port, "/metrics") for n, port in enumerate(ports))
        await asyncio.gather(*(each.finished() for each in served))


async def scraped(
    directory: Path, *served: Answering, seconds: float = 2, lines: list[str] | None = None
) -> Families:
    log = Log("test", Level.WARNING, (lines if lines is not None else []).append)
    admin = Answering([STATS])
    stats = await asyncio.start_unix_server(admin.serve, directory / "admin.sock")
    async with stats, applications(*served) as found:
        scraper = Scraper(Unix(directory / "admin.sock"), HOST, log)
        made = await scraper.scrape(replace(WANTED, applications=found), seconds=seconds)
        await admin.finished()
    return made


@pytest.mark.parametrize(
    ("unruly", "reason"),
    [
        (Answering([], ends=False), "there was no answer in time"),
        (Answering([OK], ends=False), "there was no answer in time"),
        (Answering([OK, b"content-length: 9\r\n\r\nhalf"]), "ended too soon"),
        (Answering([OK, b"transfer-encoding: chunked\r\n\r\n9\r\nhalf"]), "ended too soon"),
        (Answering([OK, b"content-length: 99999999999\r\n\r\n"]), "longer than"),
        (Answering([OK, b"content-length: -1\r\n\r\n"]), "longer than"),
        (Answering(endless(OK + b"\r\n", LINE)), "longer than"),
        (
            Answering(
                endless(OK + b"transfer-encoding: chunked\r\n\r\n", b"1b58\r\n" + LINE + b"\r\n")
            ),
            "longer than",
        ),
        (Answering(endless(OK, b"x-header: " + b"x" * 1000)), "not HTTP"),
        (Answering([OK, b"\r\nno metric at all\n"]), "not a"),
        (Answering([OK, b"\r\n\xff\xfe 1\n"]), "no text"),
        (Answering([b"HTTP/1.1 500 Oh\r\n\r\n"]), "the answer is 500"),
    ],
)
async def test_who_is_unruly_is_left_out_and_told(
    tmp_path: Path, unruly: Answering, reason: str
) -> None:
    lines: list[str] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with asyncio.timeout(30):
        found = await scraped(tmp_path, unruly, Answering([GOOD]), lines=lines)
    assert set(found) == {"envoy_server_live", "good"}
    [line] = lines
    assert "of=app-0" in line
    assert reason in line
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


async def test_an_answer_of_some_megabytes_is_taken(tmp_path: Path) -> None:
    body = b"".join(b'big{n="%d"} 1\n' % n for n in range(60_000))
    head = OK + b"content-length: %d\r\n\r\n" % len(body)
    found = await scraped(tmp_path, Answering([head, body]), seconds=20)
    assert len(found["big"].samples) == 60_000


async def test_where_calls_are_redirected_applications_are_called_from_where_they_are_not(
    tmp_path: Path,
) -> None:
    answering = Answering([GOOD])
    log = Log("test", Level.WARNING, lambda _: None)
    async with applications(answering) as found:
        scraper = Scraper(Unix(tmp_path / "none"), HOST, log, source="127.0.0.6")
        await scraper.scrape(replace(WANTED, applications=found), seconds=2)
        other = tuple(replace(each, address="localhost") for each in found)
        await scraper.scrape(replace(WANTED, applications=other), seconds=2)
    assert answering.callers == ["127.0.0.6", "127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "source"),
    [("127.0.0.1", ""), ("::1", ""), ("10.0.0.1", "127.0.0.6"), ("fd00::1", "::6")],
)
def test_the_source_is_one_that_the_redirection_knows(address: str, source: str) -> None:
    assert source_towards(address) == source


@pytest.mark.parametrize(
    ("query", "besides"),
    [
        ("", ""),
        ("filter=rq_total%7Ccx", "&filter=rq_total%7Ccx"),
        ("format=json&usedonly&text_readouts&filter=a&type=Gauges", "&filter=a&type=Gauges"),
    ],
)
async def test_envoy_hears_what_whoever_asks_wants_besides(
    tmp_path: Path, query: str, besides: str
) -> None:
    admin = Answering([STATS])
    log = Log("test", Level.WARNING, lambda _: None)
    async with await asyncio.start_unix_server(admin.serve, tmp_path / "admin.sock"):
        scraper = Scraper(Unix(tmp_path / "admin.sock"), HOST, log)
        await scraper.scrape(WANTED, seconds=2, query=query)
        await admin.finished()
    assert admin.targets == [f"/stats?format=prometheus&text_readouts&usedonly{besides}"]
