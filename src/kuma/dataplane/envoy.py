"""The Envoy process: its arguments, its log in ours, its end in words.

Source: https://www.envoyproxy.io/docs/envoy/latest/operations/cli
"""

import asyncio
import ctypes
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from kuma.dataplane.errors import EnvoyFailed
from kuma.dataplane.log import Level, Log
from kuma.dataplane.options import EnvoyOptions

_LINE = re.compile(
    r"\[[^\]]+\]\[\d+\]\[(?P<level>\w+)\]\[(?P<component>[\w.]+)\] "
    r"(?:\[(?P<source>[^\]]+:\d+)\] )?(?P<message>.*)"
)
_LEVELS = {
    "trace": Level.DEBUG,
    "debug": Level.DEBUG,
    "info": Level.INFO,
    "warning": Level.WARNING,
    "error": Level.ERROR,
    "critical": Level.ERROR,
}
_CHUNK = 64 * 1024
_SECONDS_TO_EXIT = 5.0
_PR_SET_PDEATHSIG = 1


def arguments(options: EnvoyOptions, bootstrap: Path) -> list[str]:
    """Hot restart is off: it needs a base id per Envoy of a machine, and nobody restarts it hot.

    Without --concurrency Envoy counts the CPUs that it may use; before 1.40 it had to be told to.
    """
    drain_seconds = int(options.drain_time.total_seconds())
    args = ["--config-path", str(bootstrap), "--drain-time-s", str(drain_seconds)]
    args += ["--drain-strategy", "immediate", "--disable-hot-restart"]
    args += ["--log-level", options.log_level]
    if options.component_log_level:
        args += ["--component-log-level", options.component_log_level]
    return [*args, "--concurrency", str(options.concurrency)] if options.concurrency else args


class EnvoyLog:
    """Turns Envoy's lines into ours. A line without a head belongs to the one before it.

    Indented ones are lists (of every extension it has, to start with), which only debugging needs.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._level = Level.INFO
        self.last_error = ""

    def line(self, text: str) -> None:
        found = _LINE.fullmatch(text)
        if found is None:
            self._say(text)
            return
        self._level = _LEVELS.get(found["level"], Level.INFO)
        if self._level is Level.ERROR:
            self.last_error = found["message"]
        self._say(found["message"], component=found["component"])

    def _say(self, message: str, **fields: str) -> None:
        is_detail = message.startswith("  ") and self._level is Level.INFO
        self._log.at(Level.DEBUG if is_detail else self._level, message, **fields)


class Envoy:
    """A running Envoy; `ended` is set once it is gone and its last line is logged.

    It dies with this process, however that ends (on Linux).
    """

    def __init__(self, process: asyncio.subprocess.Process, log: EnvoyLog) -> None:
        self.ended = asyncio.Event()
        self._process = process
        self._log = log
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, binary: Path, args: list[str], log: Log) -> "Envoy":
        """Standard output is passed on as it is: access logs may go there. Raises EnvoyFailed."""
        try:
            process = await asyncio.create_subprocess_exec(
                binary,
                *args,
                stderr=asyncio.subprocess.PIPE,
                process_group=0,  # a terminal's Ctrl-C is for us: we drain first
                preexec_fn=_die_with_parent(),
            )
        except OSError as error:
            raise EnvoyFailed(f"{binary} does not start: {error.strerror}") from error
        return cls(process, EnvoyLog(log))

    @property
    def pid(self) -> int:
        return self._process.pid

    def failure(self, code: int) -> EnvoyFailed:
        """An end that nobody asked for, in words. Its exit code is Envoy's, or as a shell has it."""
        reason = f": {self._log.last_error}" if self._log.last_error else ""
        if code >= 0:
            return EnvoyFailed(f"Envoy exited with code {code}{reason}", code)
        name = signal.Signals(-code).name
        return EnvoyFailed(f"Envoy was killed by {name}{reason}", 128 - code)

    async def stop(self) -> int:
        """Ask it to end, and after 5 s make it. The exit code, negative for a signal."""
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_SECONDS_TO_EXIT):
                await self.ended.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
        return await self._reading

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def _read(self) -> int:
        """The end of its log is its end."""
        stream = self._process.stderr
        assert stream is not None
        rest = b""
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log.line(line.decode(errors="replace"))
        if rest:
            self._log.line(rest.decode(errors="replace"))
        code = await self._process.wait()
        self.ended.set()
        return code


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does before it becomes Envoy: have the kernel kill it when its parent dies."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it was asked
            os._exit(1)

    return in_child
