"""A mesh of real processes for system tests: control plane, sidecars, backends in the test.

    async with a_control_plane() as cp:
        async with a_backend("v1") as backend, cp.sidecar("api", ...) as api: ...
        await cp.end(signal.SIGKILL)
        await cp.start()

Every port is free at the time it is taken; everything lives in a temporary directory.
"""

import asyncio
import json
import signal
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import yaml

from tests.support.processes import Process, accepts, free_ports, running

HOST = "127.0.0.1"


@asynccontextmanager
async def a_short_directory() -> AsyncIterator[str]:
    """For what a sidecar leaves if it is killed, with room for the paths of its unix sockets."""
    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp", ignore_cleanup_errors=True) as path:
        yield path


@dataclass
class Served:
    """One inbound: the workload listens on `port`."""

    service: str
    port: int = 0
    protocol: str = "http"
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, inbound: int) -> dict[str, Any]:
        tags = {"kuma.io/service": self.service, "kuma.io/protocol": self.protocol, **self.tags}
        return {"port": inbound, "servicePort": self.port or free_ports(1)[0], "tags": tags}


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
        self.rest = httpx.AsyncClient(base_url=f"http://{HOST}:{self.api_port}", timeout=60)
        self._running = AsyncExitStack()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.api_port}"

    @property
    def dp_url(self) -> str:
        return f"https://{HOST}:{self.dp_port}"

    @property
    def ca_file(self) -> Path:
        return self.directory / "kuma-cp.crt"

    async def start(self) -> None:
        """Also again, after `end`: on the same ports and in the same directory."""
        self.process = await self._running.enter_async_context(
            running("kuma-cp", "kuma-cp", "run", env=self.env)
        )
        await self.ready()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code."""
        self.process.signal(number)
        return await self.process.ended()

    async def close(self) -> None:
        await self.rest.aclose()
        await self._running.aclose()

    async def ready(self, timeout: float = 60) -> None:
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
            self._check(answer, each)
        return answer

    async def delete(self, document: Mapping[str, Any] | str) -> None:
        each = yaml.safe_load(document) if isinstance(document, str) else document
        self._check(await self.rest.delete(self.path(each)), each)

    def _check(self, answer: httpx.Response, document: Mapping[str, Any]) -> None:
        if not answer.is_success:
            what = f"{document['type']} {document['name']}: {answer.text}"
            raise AssertionError(f"{what}\n--- kuma-cp\n{self.process.log}")

    @staticmethod
    def path(document: Mapping[str, Any]) -> str:
        paths = {
            "Mesh": "meshes",
            "Dataplane": "dataplanes",
            "ExternalService": "external-services",
            "Secret": "secrets",
            "GlobalSecret": "global-secrets",
            "MeshRetry": "meshretries",
            "MeshTLS": "meshtlses",
            "MeshIdentity": "meshidentities",
            "MeshLoadBalancingStrategy": "meshloadbalancingstrategies",
            "MeshProxyPatch": "meshproxypatches",
        }
        path = paths.get(document["type"], document["type"].lower() + "s")
        if "mesh" not in document:
            return f"/{path}/{document['name']}"
        return f"/meshes/{document['mesh']}/{path}/{document['name']}"

    async def token(self, name: str = "", mesh: str = "default", **wanted: Any) -> str:
        """`wanted` as in the body of `POST /tokens/dataplane`: `tags`, `validFor`."""
        body = {"name": name, "mesh": mesh, "validFor": "1h", **wanted}
        answer = await self.rest.post("/tokens/dataplane", json=body)
        assert answer.is_success, answer.text
        return answer.text

    async def stats(self, dataplane: str, containing: str, mesh: str = "default") -> dict[str, int]:
        """The counters and gauges of its Envoy whose name contains the text."""
        answer = await self.rest.get(f"/meshes/{mesh}/dataplanes/{dataplane}/stats")
        assert answer.is_success, answer.text
        pairs = (line.rsplit(": ", 1) for line in answer.text.splitlines())
        return {name: int(n) for name, n in pairs if containing in name and n.isdecimal()}

    @asynccontextmanager
    async def kuma_dp(
        self,
        document: Mapping[str, Any],
        *flags: str,
        token: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Process]:
        """Started with a Dataplane, whatever becomes of it; by default with a token for it. It
        ends without draining."""
        name, mesh = document["name"], document["mesh"]
        resource = self.directory / f"{name}.json"
        resource.write_text(json.dumps(document))
        token_file = self.directory / f"{name}.token"
        workload = document.get("labels", {}).get("kuma.io/workload")
        bound = {"workload": workload} if workload else {}
        token_file.write_text(await self.token(name, mesh, **bound) if token is None else token)
        async with a_short_directory() as temporary, running(
            f"kuma-dp {name}",
            "kuma-dp", "run",
            f"--cp-address={self.dp_url}",
            f"--ca-cert-file={self.ca_file}",
            f"--dataplane-file={resource}",
            f"--dataplane-token-file={token_file}",
            "--dns-enabled=false",
            "--concurrency=1",
            "--drain-time=1s",
            *flags,
            env={
                "KUMA_READINESS_PORT": str(free_ports(1)[0]),
                "TMPDIR": temporary,
                **(env or {}),
            },
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                if process.child.returncode is None:
                    process.signal(signal.SIGUSR2)  # it has drained, then

    @asynccontextmanager
    async def sidecar(
        self,
        name: str,
        *flags: str,
        service: str = "",
        protocol: str = "http",
        app_port: int = 0,
        inbounds: Sequence[Served] = (),
        outbounds: Mapping[str, str | Mapping[str, Any]] | None = None,
        tags: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        mesh: str = "default",
        env: Mapping[str, str] | None = None,
    ) -> AsyncIterator["Sidecar"]:
        """A kuma-dp that listens, for `inbounds`, or for one of `service` that serves `app_port`;
        `outbounds` names the services it calls, by tags or with a reference, which has a `kind`."""
        served = inbounds or (Served(service or name, app_port, protocol, tags or {}),)
        wanted = {
            key: {"kuma.io/service": target} if isinstance(target, str) else dict(target)
            for key, target in (outbounds or {}).items()
        }
        admin, readiness, *free = free_ports(2 + len(served) + len(wanted))
        listening = dict(zip((each.service for each in served), free, strict=False))
        ports = dict(zip(wanted, free[len(served) :], strict=True))
        document = {
            "type": "Dataplane",
            "mesh": mesh,
            "name": name,
            "labels": dict(labels or {}),
            "networking": {
                "address": HOST,
                "admin": {"port": admin},
                "inbound": [each.to_json(listening[each.service]) for each in served],
                "outbound": [
                    {"port": ports[key], "backendRef" if "kind" in target else "tags": target}
                    for key, target in wanted.items()
                ],
            },
        }
        env = {"KUMA_READINESS_PORT": str(readiness), **(env or {})}
        async with self.kuma_dp(document, *flags, env=env) as process:
            sidecar = Sidecar(name, process, listening, admin, readiness, ports)
            for port in (*listening.values(), *ports.values()):
                try:
                    await accepts(port)
                except TimeoutError:
                    raise AssertionError(
                        f"{name} does not listen on {port}\n{process.log}\n"
                        f"--- kuma-cp\n{self.process.log}"
                    ) from None
            yield sidecar


@dataclass
class Sidecar:
    """`inbounds[service]` is where others reach it, `inbound` the first of these, `ports[service]`
    where its workload reaches a service."""

    name: str
    process: Process
    inbounds: Mapping[str, int]
    admin: int
    readiness: int
    ports: Mapping[str, int]

    @property
    def inbound(self) -> int:
        return next(iter(self.inbounds.values()))

    def url(self, service: str, path: str = "/") -> str:
        return f"http://{HOST}:{self.ports[service]}{path}"


@asynccontextmanager
async def a_control_plane(
    directory: Path, *, env: Mapping[str, str] | None = None, ports: list[int] | None = None
) -> AsyncIterator[ControlPlane]:
    cp = ControlPlane(directory, ports or list(free_ports(4)), env or {})
    try:
        await cp.start()
        yield cp
    finally:
        await cp.close()


class Backend:
    """An HTTP server in the test, which can be made slow or failing, and answers with what it got."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.reset()

    def reset(self) -> None:
        self.status: Callable[[str], int] = lambda _path: 200
        self.delay: Callable[[str], float] = lambda _path: 0.0
        self.headers: dict[str, str] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                method, path, _ = first.split(" ")
                pairs = (line.partition(":") for line in lines)
                headers = {name.lower(): text.strip() for name, _, text in pairs}
                if length := int(headers.get("content-length", 0)):
                    await reader.readexactly(length)
                self.requests.append((f"{method} {path}", headers))
                if wait := self.delay(path):
                    await asyncio.sleep(wait)
                body = json.dumps({"backend": self.name, "path": path, "headers": headers})
                more = "".join(f"{name}: {text}\r\n" for name, text in self.headers.items())
                writer.write(
                    f"HTTP/1.1 {self.status(path)} Status\r\ncontent-type: application/json\r\n"
                    f"{more}content-length: {len(body)}\r\n\r\n{body}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def a_backend(
    name: str, *, tls: ssl.SSLContext | None = None, host: str = HOST
) -> AsyncIterator[Backend]:
    backend = Backend(name, 0)
    server = await asyncio.start_server(backend.serve, host, 0, ssl=tls)
    backend.port = server.sockets[0].getsockname()[1]
    async with server:
        yield backend


async def until(
    ask: Callable[[], Any], holds: Callable[[Any], bool], *, within: float = 60
) -> float:
    """Ask again and again until the answer holds; the seconds that it took."""
    started, answer = perf_counter(), None
    while perf_counter() - started < within:
        asked = perf_counter()
        answer = await ask()
        if holds(answer):
            return asked - started
        await asyncio.sleep(0.002)
    raise AssertionError(f"did not happen within {within} s; the last answer: {answer!r}")


__all__ = [
    "AsyncExitStack",
    "Backend",
    "ControlPlane",
    "Served",
    "Sidecar",
    "a_backend",
    "a_control_plane",
    "until",
]
