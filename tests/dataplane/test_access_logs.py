"""Entries from the pipe reach their addresses, and what cannot be sent holds nothing up."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kuma.dataplane.access_logs import AccessLogs, parse_entry
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.log import Log
from tests.support.collectors import LineSink, a_sink

HOST = "127.0.0.1"


class Pipe:
    """The end that is Envoy's."""

    def __init__(self, path: Path, told: list[str]) -> None:
        self.path = path
        self.told = told
        self._fd = os.open(path, os.O_WRONLY)

    async def write(self, entry: bytes) -> None:
        """A blocking write, as Envoy's, apart from the loop that must not hold it up."""
        async with asyncio.timeout(30):
            await asyncio.to_thread(os.write, self._fd, entry + b"\n")

    async def send(self, sink: LineSink | int, message: object) -> None:
        port = sink if isinstance(sink, int) else sink.port
        await self.write(json.dumps({"address": f"{HOST}:{port}", "message": message}).encode())


@asynccontextmanager
async def a_pipe(directory: Path) -> AsyncIterator[Pipe]:
    told: list[str] = []
    log = Log(write=told.append)
    path = directory / "kuma-al-web-1-default.sock"
    async with AccessLogs(path, log):
        yield Pipe(path, told)
    assert not path.exists()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (b'{"address": "a:1", "message": "text\\n"}', ("a:1", b"text\n")),
        (b'{"address": "a:1", "message": "text"}', ("a:1", b"text\n")),
        (
            b'{"message": {"b": 1, "a": "\xc3\xa9"}, "address": "a:1"}',
            ("a:1", b'{"a":"\xc3\xa9","b":1}\n'),
        ),
        (b"a:1;old; form", ("a:1", b"old; form\n")),
        (b'{"address": "a:1"}', None),
        (b'{"address": 1, "message": "x"}', None),
        (b"[1]", None),
        (b"", None),
        (b";x", None),
        (b"\xff", None),
    ],
)
def test_an_entry_has_an_address_and_a_message(
    line: bytes, entry: tuple[str, bytes] | None
) -> None:
    assert parse_entry(line) == entry


async def test_entries_go_to_their_addresses_in_order(tmp_path: Path) -> None:
    async with a_sink() as one, a_sink() as other, a_pipe(tmp_path) as pipe:
        for number in range(100):
            await pipe.send(one, f"line {number}")
        await pipe.send(other, {"code": 200})
        await until(lambda: len(one.lines) == 100 and bool(other.lines))

        assert one.lines == [f"line {number}\n" for number in range(100)]
        assert other.lines == ['{"code":200}\n']
        assert pipe.told == []


async def test_what_was_written_before_the_end_is_sent(tmp_path: Path) -> None:
    async with a_sink() as sink:
        async with a_pipe(tmp_path) as pipe:
            await pipe.send(sink, "last words")
        await until(lambda: sink.lines == ["last words\n"])


async def test_entries_wait_for_a_collector_that_restarts(tmp_path: Path) -> None:
    async with a_sink() as sink, a_pipe(tmp_path) as pipe:
        await pipe.send(sink, "before")
        await until(lambda: sink.lines == ["before\n"])
        await sink.close()
        while not any("access logs cannot be sent" in line for line in pipe.told):
            await pipe.send(sink, "meanwhile")  # the first may go to who is just leaving
            await asyncio.sleep(0.02)
        await sink.open()
        await until(lambda: "meanwhile\n" in sink.lines)
        await until(lambda: any("access logs are sent again" in line for line in pipe.told))


async def test_who_only_listens_is_sent_to(tmp_path: Path) -> None:
    """Such as netcat without an input."""
    lines: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write_eof()
        while line := await reader.readline():
            lines.append(line)
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server, a_pipe(tmp_path) as pipe:
        port = server.sockets[0].getsockname()[1]
        for text in ("one", "two"):
            await pipe.send(port, text)
            await until(lambda: bool(lines))
        await until(lambda: lines == [b"one\n", b"two\n"])


async def test_a_collector_that_does_not_read_loses_entries_and_others_none(
    tmp_path: Path,
) -> None:
    stuck = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined] # a transport of a socket has it
        await stuck.wait()
        writer.close()

    async with (
        await asyncio.start_server(serve, HOST, 0, limit=1) as server,
        a_sink() as sink,
        a_pipe(tmp_path) as pipe,
    ):
        port = server.sockets[0].getsockname()[1]
        for _ in range(400):  # more than the kernel takes, and more than is held
            await pipe.send(port, "x" * 60_000)
        await pipe.send(sink, "alive")
        await until(lambda: sink.lines == ["alive\n"])
        assert any("entries of the access log were dropped" in line for line in pipe.told)
        stuck.set()


async def test_what_has_no_address_is_dropped_and_told_once(tmp_path: Path) -> None:
    async with a_sink() as sink, a_pipe(tmp_path) as pipe:
        for _ in range(3):
            await pipe.write(b"nonsense")
        await pipe.write(b"y" * 300_000)
        await pipe.send(sink, "alive")
        await until(lambda: sink.lines == ["alive\n"])
        assert len(pipe.told) == 1
        assert "say no address were dropped" in pipe.told[0]


async def test_addresses_that_are_none_hold_nothing_up(tmp_path: Path) -> None:
    async with a_sink() as sink, a_pipe(tmp_path) as pipe:
        await pipe.write(b'{"address": "no-port", "message": "x"}')
        await pipe.write(b'{"address": "a.invalid:1", "message": "x"}')
        await pipe.send(sink, "alive")
        await until(lambda: sink.lines == ["alive\n"])


async def test_what_is_left_from_before_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "kuma-al-web-1-default.sock").write_text("a file that Envoy made")
    async with a_pipe(tmp_path) as pipe:
        assert pipe.path.is_fifo()
        assert pipe.path.stat().st_mode & 0o777 == 0o600


async def test_where_no_pipe_can_be_made_is_told(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "pipe"
    with pytest.raises(DataPlaneError, match="cannot be made: No such file"):
        async with AccessLogs(path, Log()):
            pass
