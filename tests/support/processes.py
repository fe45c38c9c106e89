"""Real processes for system tests: start, wait for a line or a port, read the log, stop.

Waiting is on events (a line of output, a port that accepts), bounded, and a process that ended
early fails the wait with its log.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

BIN = Path(sys.executable).parent


class Died(AssertionError):
    """A process ended, or did not do what was awaited; the message carries its log."""


class Process:
    """A child whose output is collected line by line."""

    def __init__(self, name: str, child: asyncio.subprocess.Process) -> None:
        self.name = name
        self.child = child
        self.lines: list[str] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    async def line(self, text: str, timeout: float = 60) -> str:
        """The first line of output that contains `text`."""
        seen = 0

        def found() -> bool:
            nonlocal seen
            for index in range(seen, len(self.lines)):
                if text in self.lines[index]:
                    return True
                seen = index + 1
            return self._reader.done()

        try:
            async with asyncio.timeout(timeout), self._news:
                await self._news.wait_for(found)
        except TimeoutError:
            raise Died(f"{self.name} did not say {text!r} in {timeout} s:\n{self.log}") from None
        if seen >= len(self.lines):
            raise Died(f"{self.name} ended without saying {text!r}:\n{self.log}")
        return self.lines[seen]

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def ended(self, timeout: float = 60) -> int:
        """The exit code, once the process has ended by itself."""
        async with asyncio.timeout(timeout):
            code = await self.child.wait()
            await self._reader
        return code

    async def stop(self, timeout: float = 30) -> int:
        """SIGTERM, then SIGKILL if it does not end in time."""
        if self.child.returncode is None:
            self.child.terminate()
        try:
            return await self.ended(timeout)
        except TimeoutError:
            self.child.kill()
            return await self.ended(timeout)

    async def _read(self) -> None:
        assert self.child.stdout is not None
        async for raw in self.child.stdout:
            async with self._news:
                self.lines.append(raw.decode(errors="replace").rstrip())
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def running(
    name: str, *argv: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> AsyncIterator[Process]:
    """Start `argv` (a script of this installation by its bare name); stopped at the end."""
    program = BIN / argv[0] if (BIN / argv[0]).exists() else argv[0]
    clean = {key: text for key, text in os.environ.items() if not key.startswith("KUMA_")}
    child = await asyncio.create_subprocess_exec(
        program,
        *argv[1:],
        env={**clean, "PYTHONUNBUFFERED": "1", **(env or {})},
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 22,
    )
    process = Process(name, child)
    try:
        yield process
    finally:
        await process.stop()


async def run(*argv: str | Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run to the end; the output. Fails with the output if the exit code is not 0."""
    code, output = await outcome(*argv, env=env, stdin=stdin)
    if code != 0:
        raise Died(f"{' '.join(map(str, argv))} exited with {code}:\n{output}")
    return output


async def outcome(
    *argv: str | Path, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 60
) -> tuple[int, str]:
    """Run to the end; exit code and output."""
    program = BIN / argv[0] if (BIN / argv[0]).exists() else argv[0]
    clean = {key: text for key, text in os.environ.items() if not key.startswith("KUMA_")}
    child = await asyncio.create_subprocess_exec(
        program,
        *argv[1:],
        env={**clean, **(env or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(timeout):
        output, _ = await child.communicate(stdin.encode())
    return child.returncode or 0, output.decode(errors="replace")


def free_ports(count: int) -> Sequence[int]:
    """Ports that nobody listens on, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


async def accepts(port: int, timeout: float = 60, host: str = "127.0.0.1") -> None:
    """Wait until `port` accepts connections."""
    async with asyncio.timeout(timeout):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
