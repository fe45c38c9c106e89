"""One kuma-dp, from its options to its exit code.

definition, token --> bootstrap request --> control plane
bootstrap, changed for the token --> work dir --> Envoy --> lifecycle.py
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kuma.dataplane import machine
from kuma.dataplane.access_logs import AccessLogs
from kuma.dataplane.admin import Admin, find_admin
from kuma.dataplane.binary import EnvoyVersion, find_envoy, read_version
from kuma.dataplane.bootstrap_client import BootstrapClient, BootstrapReply
from kuma.dataplane.definition import read_definition
from kuma.dataplane.envoy import Envoy, arguments
from kuma.dataplane.errors import Refused
from kuma.dataplane.farewell import Farewell
from kuma.dataplane.http import Endpoint
from kuma.dataplane.lifecycle import Lifecycle
from kuma.dataplane.log import Level, Log
from kuma.dataplane.metrics.measuring import Measuring
from kuma.dataplane.options import RunOptions
from kuma.dataplane.otel.pipe import OtelPipe
from kuma.dataplane.readiness import ReadinessServer
from kuma.dataplane.request import build_request
from kuma.dataplane.signals import Signals
from kuma.dataplane.token import Token, read_token
from kuma.dataplane.token_renewal import TokenRenewal
from kuma.dataplane.unless import unless
from kuma.dataplane.work_dir import WorkDir
from kuma.plan.machine import LOCAL, log_pipe, source_towards


class Supervisor:
    """`version` is kuma-dp's own, as the control plane wants it (request.py)."""

    def __init__(self, options: RunOptions, *, version: Mapping[str, str], log: Log) -> None:
        self._options = options
        self._version = version
        self._log = log

    async def run(self) -> int:
        """The exit code: 0 after a signal. Raises DataPlaneError."""
        options = self._options
        with Signals() as signals, WorkDir(options.envoy.work_dir) as work_dir:
            binary = find_envoy(options.envoy.binary_path)
            token = read_token(options.token, options.token_path, now=datetime.now(UTC))
            client = BootstrapClient(options.control_plane, self._log)
            found = await unless(signals.end, self._fetch(client, binary, token, work_dir.path))
            if found is None:
                self._log.info("stopped before the control plane answered")
                return 0
            request, reply = found
            with TokenRenewal(token, work_dir, self._log) as renewal:
                renewal.take_over(reply.bootstrap)
                # JSON, which is YAML in which no text can be taken for a number.
                text = json.dumps(reply.bootstrap, indent=1, ensure_ascii=False)
                farewell = self._farewell(client, request, renewal)
                path = work_dir.write_bootstrap(text)
                pipe = log_pipe(str(work_dir.path), mesh=request["mesh"], name=request["name"])
                otel = self._otel(work_dir.path)
                measuring = self._measuring(work_dir.path, request, reply, otel)
                async with AccessLogs(Path(pipe), self._log), otel, measuring:
                    return await self._supervise(
                        binary,
                        path,
                        reply,
                        signals,
                        farewell=farewell,
                        finish=measuring.finish,
                    )

    def _otel(self, work_dir: Path) -> OtelPipe:
        options = self._options
        return OtelPipe(
            work_dir,
            options.otel,
            local=options.host_ip or LOCAL,
            ca_file=options.system_ca_path or machine.find_ca_file(),
            every=options.refresh_interval,
            log=self._log,
        )

    def _measuring(
        self, work_dir: Path, request: Mapping[str, Any], reply: BootstrapReply, otel: OtelPipe
    ) -> Measuring:
        return Measuring(
            work_dir,
            mesh=request["mesh"],
            name=request["name"],
            admin=_admin(reply),
            address=reply.address or LOCAL,
            source=_source(request, reply.address),
            every=self._options.refresh_interval,
            pipe=otel,
            log=self._log,
        )

    def _farewell(
        self, client: BootstrapClient, request: Mapping[str, Any], renewal: TokenRenewal
    ) -> Farewell | None:
        """None if the Dataplane was there before: then others decide whether it gets requests."""
        if "dataplaneResource" not in request:
            return None
        mesh, name = request["mesh"], request["name"]
        return Farewell(client, self._log, mesh=mesh, name=name, token=lambda: renewal.current)

    async def _fetch(
        self, client: BootstrapClient, binary: Path, token: Token | None, work_dir: Path
    ) -> tuple[Mapping[str, Any], BootstrapReply]:
        """What was asked, and the answer. Envoy is asked for its version meanwhile."""
        options, asked = self._options, asyncio.create_task(read_version(binary))
        try:
            definition = read_definition(options.definition, options.proxy_type, self._log)
            request = build_request(
                options,
                definition=definition,
                token=token,
                work_dir=work_dir,
                envoy=self._checked(await asked),
                version=self._version,
            )
        finally:
            asked.cancel()
        self._log.info(
            "asking the control plane for the bootstrap",
            mesh=request["mesh"],
            name=request["name"],
            url=options.control_plane.url,
        )
        return request, await client.fetch(request)

    def _checked(self, envoy: EnvoyVersion) -> EnvoyVersion:
        if not envoy.is_compatible:
            self._log.warning("this Envoy is too old to be supported", version=envoy.version)
        return envoy

    async def _supervise(
        self,
        binary: Path,
        bootstrap: Path,
        reply: BootstrapReply,
        signals: Signals,
        *,
        farewell: Farewell | None,
        finish: Callable[[], Coroutine[Any, Any, None]],
    ) -> int:
        admin = Admin(_admin(reply))
        async with self._readiness(admin, reply) as readiness:
            args = arguments(self._options.envoy, bootstrap)
            self._log.info("starting Envoy", path=str(binary), bootstrap=str(bootstrap))
            envoy = await Envoy.start(binary, args, self._envoy_log())
            lifecycle = Lifecycle(
                envoy,
                admin=admin,
                readiness=readiness,
                signals=signals,
                farewell=farewell,
                finish=finish,
                drain_time=self._options.envoy.drain_time,
                log=self._log,
            )
            return await lifecycle.until_end()

    def _envoy_log(self) -> Log:
        """What Envoy was told to say in detail is shown, whatever our own level is."""
        talks = self._options.envoy.log_level in {"trace", "debug"}
        return self._log.named("envoy", level=Level.DEBUG if talks else self._log.level)

    @contextlib.asynccontextmanager
    async def _readiness(
        self, admin: Admin, reply: BootstrapReply
    ) -> AsyncIterator[ReadinessServer]:
        server = ReadinessServer(admin.ready)
        host = "::1" if ":" in reply.address else "127.0.0.1"
        await server.start(host, self._options.readiness_port)
        try:
            yield server
        finally:
            server.close()


def _source(request: Mapping[str, Any], address: str) -> str:
    """From where the application is called, so that its machine does not redirect the call to Envoy:
    an address that the redirection knows. Empty: nothing is redirected."""
    networking = json.loads(request.get("dataplaneResource") or "{}").get("networking")
    is_redirected = isinstance(networking, dict) and networking.get("transparentProxying")
    return source_towards(address or LOCAL) if is_redirected else ""


def _admin(reply: BootstrapReply) -> Endpoint:
    """Raises Refused."""
    if (endpoint := find_admin(reply.bootstrap)) is None:
        raise Refused("the bootstrap has no admin interface, which draining needs")
    return endpoint
