"""Starts and stops the demo: the control plane, the services, their sidecars.

Each is a process of its own with its log in the demo's directory. Whatever happens, everything
that was started is stopped, sidecars first, and the directory is removed.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import httpx

from kuma.app.demo import topology
from kuma.app.demo.topology import HOST, PROXIES, Ports, Proxy

STOP_WITHIN = 10.0
"""Seconds until a process that ignores SIGTERM is killed."""

Progress = Callable[[str], None]


class DemoFailed(Exception):
    """The demo cannot go on; the message says why and what to do."""


class Child:
    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:]) or "(it said nothing)"

    async def stop(self) -> None:
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class Demo:
    """Use as an async context manager: on exit everything is stopped."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.rest = httpx.AsyncClient(base_url=ports.api_url, timeout=10)
        self._children: list[Child] = []
        self._directory = Path(tempfile.mkdtemp(prefix="kuma-demo-"))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._children):
            if child.name.startswith("kuma-dp") and child.process.returncode is None:
                child.process.terminate()
        for child in reversed(self._children):
            await child.stop()
        await self.rest.aclose()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def start(self, progress: Progress) -> None:
        """Raises DemoFailed."""
        check_ports(self.ports)
        progress("control plane")
        await self._start_control_plane()
        progress("mesh with mutual TLS, permissions")
        await self._put_resources()
        for proxy in PROXIES:
            progress(f"{proxy.name} and its sidecar")
            await self._start_proxy(proxy)
        progress("first request through the mesh")
        await self._until(self._page_works, "the page does not get an answer from the API")

    async def put(self, resource: dict[str, Any]) -> None:
        """Create or change a resource over the REST API."""
        answer = await self.rest.put(_path(resource), json=resource)
        if answer.is_error:
            raise DemoFailed(f"{resource['type']} {resource['name']} was refused: {answer.text}")

    async def delete(self, resource: dict[str, Any]) -> None:
        answer = await self.rest.delete(_path(resource))
        if answer.is_error and answer.status_code != httpx.codes.NOT_FOUND:
            raise DemoFailed(f"{resource['name']} could not be deleted: {answer.text}")

    async def watch(self) -> None:
        """Until a process ends by itself. Raises DemoFailed with its last words."""
        waits = {asyncio.create_task(c.process.wait()): c for c in self._children}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        child = waits[done.pop()]
        code = child.process.returncode
        raise DemoFailed(f"{child.name} ended with exit code {code}:\n{child.last_words()}")

    async def _start_control_plane(self) -> None:
        ports = self.ports
        settings = {
            "KUMA_GENERAL_WORK_DIR": str(self._directory / "control-plane"),
            "KUMA_STORE_TYPE": "sqlite",
            "KUMA_API_SERVER_HTTP_INTERFACE": HOST,
            "KUMA_API_SERVER_HTTPS_INTERFACE": HOST,
            "KUMA_API_SERVER_HTTP_PORT": str(ports.api),
            "KUMA_API_SERVER_HTTPS_PORT": str(ports.api_https),
            "KUMA_DP_SERVER_PORT": str(ports.data_plane_server),
            "KUMA_DIAGNOSTICS_SERVER_PORT": str(ports.diagnostics),
        }
        (self._directory / "control-plane").mkdir()
        await self._start("kuma-cp", ["-m", "kuma.app.control_plane.main", "run"], settings)
        await self._until(self._is_ready, "the control plane does not become ready")

    async def _put_resources(self) -> None:
        await self.put(topology.mesh())
        await self.put(topology.permission(topology.API, topology.WEB))
        await self.put(topology.permission(topology.STORE, topology.API))

    async def _start_proxy(self, proxy: Proxy) -> None:
        arguments = topology.application_arguments(proxy, self.ports)
        await self._start(proxy.name, ["-m", "kuma.app.demo.applications", *arguments], {})
        wanted = {"name": proxy.name, "mesh": "default", "validFor": "24h"}
        answer = await self.rest.post("/tokens/dataplane", json=wanted)
        if answer.is_error:
            raise DemoFailed(f"no token for {proxy.name}: {answer.text}")
        token = self._directory / f"{proxy.name}.token"
        token.touch(0o600)
        token.write_text(answer.text)
        resource = self._directory / f"{proxy.name}.json"
        resource.write_text(
            httpx.Request(
                "PUT", "http://demo", json=topology.dataplane(proxy, self.ports)
            ).content.decode()
        )
        arguments = [
            "-m",
            "kuma.app.data_plane.main",
            "run",
            f"--cp-address=https://{HOST}:{self.ports.data_plane_server}",
            f"--ca-cert-file={self._directory / 'control-plane' / 'kuma-cp.crt'}",
            f"--dataplane-file={resource}",
            f"--dataplane-token-file={token}",
            "--dns-enabled=false",
            "--concurrency=1",
            "--drain-time=1s",
        ]
        environment = {"KUMA_READINESS_PORT": str(self.ports[proxy.readiness])}
        await self._start(f"kuma-dp of {proxy.name}", arguments, environment)

    async def _start(self, name: str, arguments: list[str], settings: dict[str, str]) -> None:
        log = self._directory / f"{name.replace(' ', '-')}.log"
        kept = {key: text for key, text in os.environ.items() if not key.startswith("KUMA_")}
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                env={**kept, **settings},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on, in the right order
            )
        self._children.append(Child(name, process, log))

    async def _until(
        self, holds: Callable[[], Awaitable[bool]], problem: str, within: float = 30
    ) -> None:
        watching = asyncio.create_task(self.watch())
        try:
            async with asyncio.timeout(within):
                while not await holds():
                    if watching.done():
                        await watching
                    await asyncio.sleep(0.02)
        except TimeoutError:
            words = "\n".join(f"--- {c.name}\n{c.last_words()}" for c in self._children)
            raise DemoFailed(f"{problem} within {within:.0f} s\n{words}") from None
        finally:
            watching.cancel()

    async def _is_ready(self) -> bool:
        try:
            answer = await self.rest.get(f"http://{HOST}:{self.ports.diagnostics}/ready")
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def _page_works(self) -> bool:
        try:
            answer = await self.rest.get(f"{self.ports.page_url}/api/counter")
        except httpx.HTTPError:
            return False
        return answer.is_success


def check_ports(ports: Ports) -> None:
    """Raises DemoFailed that names every port in use and what the demo wants it for."""
    taken = {number: name for number, name in ports.named().items() if _is_taken(number)}
    if taken:
        listed = "\n".join(f"  {number}  {name}" for number, name in sorted(taken.items()))
        raise DemoFailed(
            f"these ports are in use:\n{listed}\n"
            "Stop what listens there, or choose others: kumactl demo --port-base 15600"
        )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _path(resource: dict[str, Any]) -> str:
    paths = {"MeshTrafficPermission": "meshtrafficpermissions", "MeshHTTPRoute": "meshhttproutes"}
    if resource["type"] == "Mesh":
        return f"/meshes/{resource['name']}"
    return f"/meshes/{resource['mesh']}/{paths[resource['type']]}/{resource['name']}"


async def until_signalled() -> None:
    """Until Ctrl-C or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
