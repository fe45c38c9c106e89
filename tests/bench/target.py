"""The control plane that is measured: one that is started here, or any that is compatible."""

import asyncio
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.bench.process import cpu_seconds, memory
from tests.bench.shape import MESH
from tests.support.mesh import ControlPlane


@dataclass
class Target:
    """`pid` 0: it runs elsewhere, so that its costs are not known. `own`: ours, which may be
    restarted."""

    address: str
    rest: httpx.AsyncClient
    pid: int
    ca_file: str = ""
    own: ControlPlane | None = None

    async def put(self, document: Mapping[str, Any]) -> None:
        answer = await self.rest.put(ControlPlane.path(document), json=document)
        if not answer.is_success:
            raise AssertionError(f"{document['type']} {document['name']}: {answer.text}")

    async def delete(self, document: Mapping[str, Any]) -> None:
        await self.rest.delete(ControlPlane.path(document))

    async def token(self) -> str:
        """For every Dataplane of the mesh."""
        answer = await self.rest.post(
            "/tokens/dataplane", json={"mesh": MESH, "type": "dataplane", "validFor": "1h"}
        )
        if not answer.is_success:
            raise AssertionError(f"no token: {answer.text}")
        return answer.text

    async def restart(self) -> float:
        """Ours ends and starts again; when the new process was begun."""
        assert self.own is not None
        await self.own.end(signal.SIGTERM)
        started = monotonic()
        await self.own.start()
        self.pid = self.own.process.pid
        return started

    @property
    def cpu(self) -> float:
        return cpu_seconds(self.pid) if self.pid else 0.0

    @property
    def rss(self) -> int:
        return memory(self.pid) if self.pid else 0

    @property
    def peak(self) -> int:
        return memory(self.pid, "VmHWM") if self.pid else 0


class Probe:
    """Asks the data plane server something cheap again and again: an answer that takes long is an
    event loop that was held up (or a core that somebody else had)."""

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 5678
        self.longest = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Probe"]:
        task = asyncio.create_task(self._ask())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    async def _ask(self) -> None:
        async with httpx.AsyncClient(verify=False, timeout=30) as http:
            url = f"https://{self._host}:{self._port}/bench-probe"
            await http.get(url)
            while True:
                started = monotonic()
                await http.get(url)
                self.longest = max(self.longest, monotonic() - started)
                await asyncio.sleep(0.005)


@asynccontextmanager
async def profiled(target: Target, *, phase: str, wanted: str | None) -> AsyncIterator[None]:
    """A flame graph of the control plane during the phase, if it is the one that is wanted."""
    if phase != wanted or not target.pid:
        yield
        return
    program = shutil.which("py-spy")
    if program is None:
        raise SystemExit("--profile needs py-spy on the path: pip install py-spy")
    file = Path(f"profile-{phase}.svg").resolve()
    recorder = await asyncio.create_subprocess_exec(
        program, "record", "--rate", "500", "--nonblocking",
        "--pid", str(target.pid), "--output", str(file),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await asyncio.sleep(1)
    try:
        yield
    finally:
        if recorder.returncode is None:
            recorder.send_signal(signal.SIGINT)
        _, errors = await recorder.communicate()
        failed = recorder.returncode != 0
        print(errors.decode() if failed else f"flame graph: {file}", file=sys.stderr)
