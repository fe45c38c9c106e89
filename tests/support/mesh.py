"""A mesh of real processes for system tests: control plane, sidecars, backends in the test.

    async with a_control_plane() as cp:
        async with a_backend("v1") as backend, cp.sidecar("api", ...) as api: ...

Every port is free at the time it is taken; everything lives in a temporary directory.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import yaml

from tests.support.processes import Process, accepts, free_ports, running

HOST = "127.0.0.1"


class ControlPlane:
    """One kuma-cp process and a REST client for it, which is admin because it is local."""

    def __init__(self, directory: Path, ports: list[int], env: Mapping[str, str]) -> None:
        self.directory = directory
        self.dp_port, self.diagnostics_port, self.api_port, self.https_port = ports
        self.env = {
            "KUMA_GENERAL_WORK_DIR": str(directory),
            "KUMA_DP_SERVER_PORT": str(self.dp_port),
            "KUMA_DIAGNOSTICS_SERVER_PORT": str(self.diagnostics_port),
            "KUMA_API_SERVER_HTTP_PORT": str(self.api_port),
            "KUMA_API_SERVER_HTTPS_PORT": str(self.https_port),
            **env,
        }
        self.process: Process
        self.rest = httpx.AsyncClient(base_url=f"http://{HOST}:{self.api_port}", timeout=15)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.api_port}"

    @property
    def dp_url(self) -> str:
        return f"https://{HOST}:{self.dp_port}"

    @property
    def ca_file(self) -> Path:
        return self.directory / "kuma-cp.crt"

    async def ready(self, timeout: float = 20) -> None:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    answer = await self.rest.get(f"http://{HOST}:{self.diagnostics_port}/ready")
                except httpx.HTTPError:
                    pass
                else:
                    if answer.is_success:
                        return
                if self.process.child.returncode is not None:
                    raise AssertionError(f"kuma-cp ended:\n{self.process.log}")
                await asyncio.sleep(0.02)

    async def put(self, document: str | Mapping[str, Any]) -> httpx.Response:
        """Apply one or more YAML documents, or one resource; the last answer. Must succeed."""
        documents = (
            [each for each in yaml.safe_load_all(document) if each]
            if isinstance(document, str)
            else [document]
        )
        for each in documents:
            answer = await self.rest.put(self.path(each), json=each)
            assert answer.is_success, f"{each['type']} {each['name']}: {answer.text}"
        return answer

    async def delete(self, document: Mapping[str, Any] | str) -> None:
        each = yaml.safe_load(document) if isinstance(document, str) else document
        answer = await self.rest.delete(self.path(each))
        assert answer.is_success, answer.text

    @staticmethod
    def path(document: Mapping[str, Any]) -> str:
        paths = {
            "Mesh": "meshes",
            "Dataplane": "dataplanes",
            "ExternalService": "external-services",
            "Secret": "secrets",
            "GlobalSecret": "global-secrets",
            "MeshRetry": "meshretries",
        }
        path = paths.get(document["type"], document["type"].lower() + "s")
        if "mesh" not in document:
            return f"/{path}/{document['name']}"
        return f"/meshes/{document['mesh']}/{path}/{document['name']}"

    async def token(self, name: str, mesh: str = "default") -> str:
        answer = await self.rest.post(
            "/tokens/dataplane", json={"name": name, "mesh": mesh, "validFor": "1h"}
        )
        assert answer.is_success, answer.text
        return answer.text

    @asynccontextmanager
    async def sidecar(
        self,
        name: str,
        *,
        service: str = "",
        protocol: str = "http",
        app_port: int = 0,
        outbounds: Mapping[str, str | Mapping[str, str]] | None = None,
        tags: Mapping[str, str] | None = None,
        mesh: str = "default",
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator["Sidecar"]:
        """A kuma-dp whose inbound serves `app_port`; `outbounds` names the services it calls."""
        inbound, admin, readiness, *rest = free_ports(3 + len(outbounds or {}))
        wanted = {
            key: {"kuma.io/service": target} if isinstance(target, str) else dict(target)
            for key, target in (outbounds or {}).items()
        }
        ports = dict(zip(wanted, rest, strict=True))
        tags = {"kuma.io/service": service or name, "kuma.io/protocol": protocol, **(tags or {})}
        document = {
            "type": "Dataplane",
            "mesh": mesh,
            "name": name,
            "networking": {
                "address": HOST,
                "admin": {"port": admin},
                "inbound": [
                    {"port": inbound, "servicePort": app_port or free_ports(1)[0], "tags": tags}
                ],
                "outbound": [{"port": ports[key], "tags": tags} for key, tags in wanted.items()],
            },
        }
        resource = self.directory / f"{name}.json"
        resource.write_text(json.dumps(document))
        token = self.directory / f"{name}.token"
        token.write_text(await self.token(name, mesh))
        async with running(
            f"kuma-dp {name}",
            "kuma-dp", "run",
            f"--cp-address={self.dp_url}",
            f"--ca-cert-file={self.ca_file}",
            f"--dataplane-file={resource}",
            f"--dataplane-token-file={token}",
            "--dns-enabled=false",
            "--concurrency=1",
            "--drain-time=1s",
            env={"KUMA_READINESS_PORT": str(readiness), **(env or {})},
        ) as process:  # fmt: skip
            sidecar = Sidecar(name, process, inbound, admin, readiness, ports)
            for port in (inbound, *ports.values()):
                try:
                    await accepts(port)
                except TimeoutError:
                    raise AssertionError(
                        f"{name} does not listen on {port}\n{process.log}\n"
                        f"--- kuma-cp\n{self.process.log}"
                    ) from None
            yield sidecar


class Sidecar:
    """`ports[service]` is where the workload reaches a service."""

    def __init__(
        self,
        name: str,
        process: Process,
        inbound: int,
        admin: int,
        readiness: int,
        ports: Mapping[str, int],
    ) -> None:
        self.name = name
        self.process = process
        self.inbound = inbound
        self.admin = admin
        self.readiness = readiness
        self.ports = ports

    def url(self, service: str, path: str = "/") -> str:
        return f"http://{HOST}:{self.ports[service]}{path}"


@asynccontextmanager
async def a_control_plane(
    directory: Path, *, env: Mapping[str, str] | None = None, ports: list[int] | None = None
) -> AsyncIterator[ControlPlane]:
    cp = ControlPlane(directory, ports or list(free_ports(4)), env or {})
    async with running("kuma-cp", "kuma-cp", "run", env=cp.env) as cp.process:
        try:
            await cp.ready()
            yield cp
        finally:
            await cp.rest.aclose()


class Backend:
    """An HTTP server in the test; `handle` may be replaced to make it slow or failing."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.status: Callable[[str], int] = lambda _path: 200
        self.delay: Callable[[str], float] = lambda _path: 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                if length := int(headers.get("content-length", 0)):
                    await reader.readexactly(length)
                self.requests.append((f"{method} {path}", headers))
                if wait := self.delay(path):
                    await asyncio.sleep(wait)
                body = json.dumps({"backend": self.name, "path": path, "headers": headers})
                writer.write(
                    f"HTTP/1.1 {self.status(path)} Status\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(body)}\r\n\r\n{body}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_backend(name: str) -> AsyncIterator[Backend]:
    backend = Backend(name, 0)
    server = await asyncio.start_server(backend.serve, HOST, 0)
    backend.port = server.sockets[0].getsockname()[1]
    async with server:
        yield backend


async def until(
    ask: Callable[[], Any], holds: Callable[[Any], bool], *, within: float = 10
) -> float:
    """Ask again and again until the answer holds; the seconds that it took."""
    started, answer = perf_counter(), None
    while perf_counter() - started < within:
        asked = perf_counter()
        answer = await ask()
        if holds(answer):
            return asked - started
    raise AssertionError(f"did not happen within {within} s; the last answer: {answer!r}")


__all__ = [
    "AsyncExitStack",
    "Backend",
    "ControlPlane",
    "Sidecar",
    "a_backend",
    "a_control_plane",
    "until",
]
