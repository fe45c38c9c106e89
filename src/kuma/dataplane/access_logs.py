"""Access logs that go over TCP: Envoy writes entries into a pipe, and they are sent on from here.

    Envoy ── one entry a line, with its address ──> pipe ──> LogSink of the address ──> TCP

The pipe is read whatever becomes of the entries, since a full one would hold up Envoy's writing.
Source: Kuma's protocol between control plane, Envoy and kuma-dp.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import stat
from pathlib import Path
from typing import Any, Self

from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.held import Told
from kuma.dataplane.log import Log
from kuma.dataplane.log_sink import LogSink

_READ_AT_ONCE = 1 << 16
_READS_IN_A_TURN = 16
_LONGEST = 1 << 18
"""Bytes of an entry; what goes on without an end is no entry."""
_MOST_SINKS = 64
_PIPE_SIZE = 1 << 20
_FLUSH_SECONDS = 2.0


class AccessLogs:
    """A context, entered before Envoy starts, so that it finds a pipe and makes no file. At its end
    what is there is sent, if that is quick. Raises DataPlaneError where no pipe can be made."""

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log.named("access-logs", level=log.level)
        self._unread = Told(self._log, "entries of the access log that say no address were dropped")
        self._too_many = Told(
            self._log, "entries of the access log were dropped: too many addresses"
        )
        self._sinks: dict[str, LogSink] = {}
        self._rest = b""
        self._fd = -1

    async def __aenter__(self) -> Self:
        self._fd = _open_pipe(self._path)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._read()
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)
        self._path.unlink(missing_ok=True)
        await asyncio.gather(*(each.close(_FLUSH_SECONDS) for each in self._sinks.values()))

    def _read(self) -> None:
        for _ in range(_READS_IN_A_TURN):
            try:
                found = os.read(self._fd, _READ_AT_ONCE)
            except BlockingIOError:
                return
            if not found:
                return
            self._take(found)

    def _take(self, found: bytes) -> None:
        *lines, self._rest = (self._rest + found).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) > _LONGEST:
            self._rest = b""
            self._unread.once_more()

    def _pass_on(self, line: bytes) -> None:
        entry = parse_entry(line)
        if entry is None:
            self._unread.once_more()
            return
        address, message = entry
        sink = self._sinks.get(address)
        if sink is None:
            if len(self._sinks) >= _MOST_SINKS:
                self._too_many.once_more()
                return
            sink = self._sinks[address] = LogSink(address, self._log, on_idle=self._forget)
        sink.offer(message)

    def _forget(self, sink: LogSink) -> None:
        self._sinks.pop(sink.address, None)


def parse_entry(line: bytes) -> tuple[str, bytes] | None:
    """The address, and what goes there, which ends a line. A JSON object, or `address;line` as
    older policies have it."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict):
        address, message = found.get("address"), _text(found.get("message"))
    else:
        before, between, after = line.decode(errors="replace").partition(";")
        address, message = before, after if between else None
    if not isinstance(address, str) or not address or message is None:
        return None
    return address, (message if message.endswith("\n") else f"{message}\n").encode()


def _text(message: Any) -> str | None:
    if message is None or isinstance(message, str):
        return message
    return json.dumps(message, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _open_pipe(path: Path) -> int:
    """Open for writing, too, so that it does not end when Envoy closes it."""
    try:
        if path.exists() and not stat.S_ISDIR(path.stat().st_mode):
            path.unlink()
        os.mkfifo(path, 0o600)
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise DataPlaneError(f"the pipe {path} cannot be made: {error.strerror}") from error
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # the user has too many; the usual size does
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return fd
