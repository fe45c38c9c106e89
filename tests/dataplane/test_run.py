"""kuma-dp as a real process, with a real Envoy, against a control plane that answers to order."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kuma.dataplane.http import Response, Tcp, Unix, exchange
from tests.dataplane.control_plane import ControlPlane, a_token, control_plane, given, refused
from tests.support.processes import Process, free_ports, outcome, running

pytestmark = pytest.mark.system

REDIS = """
type: Dataplane
mesh: default
name: {{ name }}
networking:
  address: 127.0.0.1
  inbound:
  - port: 6379
    tags: {kuma.io/service: redis}
"""
STARTED = "starting workers"


def a_bootstrap(request: dict[str, Any]) -> dict[str, Any]:
    """No control plane behind it: one listener, on a port that Envoy picks."""
    answer = {"@type": "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo"}
    return {
        "node": {"id": "default.redis", "cluster": "redis"},
        "admin": {"address": {"pipe": {"path": f"{request['workdir']}/kuma-envoy-admin.sock"}}},
        "staticResources": {
            "listeners": [
                {
                    "name": "inbound",
                    "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}},
                    "filterChains": [{"filters": [{"name": "echo", "typedConfig": answer}]}],
                }
            ]
        },
    }


@dataclass
class Sidecar:
    process: Process
    readiness_port: int
    work_dir: Path

    async def ready(self) -> Response:
        return await exchange(Tcp("127.0.0.1", self.readiness_port), "GET", "/ready")

    async def inbound_port(self) -> int:
        admin = Unix(self.work_dir / "kuma-envoy-admin.sock")
        found = json.loads((await exchange(admin, "GET", "/listeners?format=json")).body)
        port: int = found["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
        return port

    def envoy_pid(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[-1])


def arguments(plane: ControlPlane, tmp_path: Path, *more: str) -> list[str]:
    template, token = tmp_path / "redis.yaml", tmp_path / "redis.token"
    template.write_text(REDIS)
    token.write_text(a_token())
    return [
        "kuma-dp",
        "run",
        f"--cp-address={plane.url}",
        f"--ca-cert-file={plane.ca_file}",
        f"--dataplane-file={template}",
        "-v",
        "name=redis",
        f"--dataplane-token-file={token}",
        "--dns-enabled=false",
        "--concurrency=1",
        "--drain-time=1500ms",
        *more,
    ]


@asynccontextmanager
async def sidecar(
    plane: ControlPlane, tmp_path: Path, *more: str, **env: str
) -> AsyncIterator[Sidecar]:
    port, work_dir = free_ports(1)[0], tmp_path / "work"
    settings = {"KUMA_READINESS_PORT": str(port), "TMPDIR": str(tmp_path), **env}
    argv = arguments(plane, tmp_path, f"--work-dir={work_dir}", *more)
    async with running("kuma-dp", *argv, env=settings) as process:
        yield Sidecar(process, port, work_dir)


async def test_it_becomes_ready_and_a_signal_ends_it_with_nothing_left(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        await dp.process.line(STARTED)
        assert await dp.ready() == Response(200, (await dp.ready()).headers, b"LIVE\n")
        assert (await exchange(Tcp("127.0.0.1", dp.readiness_port), "GET", "/x")).status == 404
        envoy = dp.envoy_pid()
        dp.process.signal(signal.SIGTERM)
        assert await dp.process.ended() == 0
        assert not Path(f"/proc/{envoy}").exists()
        assert [each.name for each in dp.work_dir.iterdir()] == ["bootstrap.yaml"]
        assert (dp.work_dir / "bootstrap.yaml").stat().st_mode & 0o777 == 0o600
        assert dp.work_dir.stat().st_mode & 0o777 == 0o711


async def test_it_says_who_it_is(tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(422, "no")) as plane:
        code, _ = await outcome(*arguments(plane, tmp_path))
    assert code == 1
    [request] = plane.requests
    resource = json.loads(request.pop("dataplaneResource"))
    assert resource["name"] == "redis"
    assert resource["networking"]["inbound"] == [
        {"port": 6379, "tags": {"kuma.io/service": "redis"}}
    ]
    envoy, own = request["version"]["envoy"], request["version"]["kumaDp"]
    assert envoy["kumaDpCompatible"]
    assert f"/{envoy['version']}/" in envoy["build"]
    assert own["version"]
    assert (request["mesh"], request["name"]) == ("default", "redis")
    assert request["proxyType"] == "dataplane"
    assert request["dataplaneToken"] == a_token()
    assert request["dataplaneTokenPath"] == str(tmp_path / "redis.token")
    assert request["caCert"] == plane.ca_file.read_text()
    assert request["features"] == [
        "feature-tcp-accesslog-via-named-pipe",
        "feature-otel-via-kuma-dp",
        "feature-delta-grpc",
        "feature-reuse-port",
        "feature-strict-inbound-ports",
    ]
    assert request["operatingSystem"] == "linux"
    assert request["otelEnv"] == {"pipeEnabled": True}


async def test_a_temporary_work_dir_is_removed(tmp_path: Path) -> None:
    seen: list[Path] = []

    def bootstrap(request: dict[str, Any]) -> dict[str, Any]:
        seen.append(Path(request["workdir"]))
        return a_bootstrap(request)

    with tempfile.TemporaryDirectory(prefix="k", dir="/tmp") as short:
        env = {"KUMA_READINESS_PORT": str(free_ports(1)[0]), "TMPDIR": short}
        async with (
            control_plane(tmp_path, given(bootstrap)) as plane,
            running("kuma-dp", *arguments(plane, tmp_path), env=env) as process,
        ):
            await process.line(STARTED)
            assert seen[0].parent == Path(short)
            assert seen[0].stat().st_mode & 0o777 == 0o711
            process.signal(signal.SIGINT)
            assert await process.ended() == 0
        assert not seen[0].exists()


async def test_a_temporary_directory_that_is_too_long_is_told(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 90)
    long.mkdir()
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        running("kuma-dp", *arguments(plane, tmp_path), env={"TMPDIR": str(long)}) as process,
    ):
        await process.line("too long for the path of a unix socket")
        assert await process.ended() == 1
    assert not list(long.iterdir())


async def test_it_drains_while_a_connection_is_open(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path, "--drain-time=60s") as dp,
    ):
        await dp.process.line(STARTED)
        reader, writer = await asyncio.open_connection("127.0.0.1", await dp.inbound_port())
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("told to end: draining")
        assert (await dp.ready()).status == 503
        writer.write(b"still here")
        assert await reader.read(100) == b"still here"
        writer.close()
        await dp.process.line("no connection is left")
        assert await dp.process.ended() == 0
    assert plane.farewells == [{"mesh": "default", "name": "redis"}]


async def test_it_ends_as_well_if_nobody_takes_note(tmp_path: Path) -> None:
    async with control_plane(tmp_path, given(a_bootstrap)) as plane, sidecar(plane, tmp_path) as dp:
        await dp.process.line(STARTED)
        await plane.stop()
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("the control plane was not told of the end")
        assert await dp.process.ended() == 0


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path, "--drain-time=60s") as dp,
    ):
        await dp.process.line(STARTED)
        _, writer = await asyncio.open_connection("127.0.0.1", await dp.inbound_port())
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("told to end: draining")
        assert await ended_by_signals(dp.process) == 0
        writer.close()


async def test_a_control_plane_that_is_busy_has_half_of_the_drain_time_to_take_note(
    tmp_path: Path,
) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path, "--drain-time=60s") as dp,
    ):
        plane.takes_note_after = 4
        await dp.process.line(STARTED)
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("no connection is left")
        assert "was not told of the end" not in dp.process.log
        assert await dp.process.ended() == 0


async def ended_by_signals(process: Process) -> int:
    """Again and again: the first ones may count as one with the signal before."""
    async with asyncio.timeout(30):
        while True:
            process.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                return await process.ended(timeout=0.1)


async def test_signals_in_a_burst_are_one(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path, "--drain-time=60s") as dp,
    ):
        await dp.process.line(STARTED)
        dp.process.signal(signal.SIGINT)
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("no connection is left")
        assert await dp.process.ended() == 0


async def test_sigusr2_closes_inbounds_and_goes_on(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path, "--drain-time=60s") as dp,
    ):
        await dp.process.line(STARTED)
        dp.process.signal(signal.SIGUSR2)
        await dp.process.line("told to drain")
        assert (await dp.ready()).status == 200
        dp.process.signal(signal.SIGTERM)
        await dp.process.line("drained already")
        assert await dp.process.ended(timeout=30) == 0


async def test_envoys_death_is_its_own_with_the_reason(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        await dp.process.line(STARTED)
        os.kill(dp.envoy_pid(), signal.SIGKILL)
        assert await dp.process.ended() == 128 + signal.SIGKILL
        assert "Envoy was killed by SIGKILL" in dp.process.log


async def test_a_bootstrap_that_envoy_rejects_ends_it_with_envoys_words(tmp_path: Path) -> None:
    def broken(request: dict[str, Any]) -> dict[str, Any]:
        return {**a_bootstrap(request), "colour": "red"}

    async with control_plane(tmp_path, given(broken)) as plane, sidecar(plane, tmp_path) as dp:
        assert await dp.process.ended() == 1
        assert "Envoy exited with code 1: error `Protobuf message" in dp.process.log
        assert "colour" in dp.process.log


async def test_envoy_dies_with_its_supervisor(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        await dp.process.line(STARTED)
        pidfd = os.pidfd_open(dp.envoy_pid())
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(pidfd, gone.set)
        dp.process.signal(signal.SIGKILL)
        async with asyncio.timeout(30):
            await gone.wait()
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)


async def test_it_asks_until_the_control_plane_answers(tmp_path: Path) -> None:
    answers = [refused(503, "the store is away"), refused(404), given(a_bootstrap)]

    def reply(request: dict[str, Any]) -> tuple[int, bytes]:
        return answers.pop(0)(request)

    async with (
        control_plane(tmp_path, reply, started=False) as plane,
        sidecar(plane, tmp_path, KUMA_CONTROL_PLANE_RETRY_BACKOFF="50ms") as dp,
    ):
        await dp.process.line("is not reachable: nobody listens there")
        await plane.start()
        await dp.process.line("status 503: the store is away")
        await dp.process.line("knows no such Dataplane yet")
        await dp.process.line(STARTED)
        assert dp.process.log.count("is not reachable") == 1


async def test_it_gives_up_when_the_time_for_retries_is_over(tmp_path: Path) -> None:
    retries = {
        "KUMA_CONTROL_PLANE_RETRY_BACKOFF": "10ms",
        "KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "100ms",
    }
    async with control_plane(tmp_path, refused(500)) as plane:
        code, log = await outcome(*arguments(plane, tmp_path), env=retries)
    assert code == 1
    assert "[error  ] the control plane at" in log


async def test_a_signal_ends_the_asking(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, refused(500), started=False) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        await dp.process.line("is not reachable")
        dp.process.signal(signal.SIGTERM)
        assert await dp.process.ended(timeout=30) == 0
        assert list(dp.work_dir.iterdir()) == []


async def test_a_refusal_is_shown_and_not_repeated(tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(422, 'mesh: mesh "x" does not exist')) as plane:
        code, log = await outcome(*arguments(plane, tmp_path))
    assert code == 1
    assert 'the control plane refuses this proxy: mesh: mesh "x" does not exist' in log
    assert len(plane.requests) == 1


async def test_an_untrusted_certificate_is_named(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        control_plane(other, given(a_bootstrap)) as stranger,
    ):
        flag = f"--ca-cert-file={stranger.ca_file}"
        async with sidecar(plane, tmp_path, flag) as dp:
            line = await dp.process.line("is not trusted")
    assert "give its CA with --ca-cert-file" in line
    assert plane.requests == []


async def test_skip_verify_asks_anyway_and_says_so(tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(422, "enough")) as plane:
        code, log = await outcome(*arguments(plane, tmp_path, "--ca-cert-file=", "--skip-verify"))
    assert (code, len(plane.requests)) == (1, 1)
    assert "certificate is not verified" in log


async def test_the_wrong_port_is_explained(tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(404, "404: Page Not Found")) as plane:
        code, log = await outcome(*arguments(plane, tmp_path))
    assert code == 1
    assert "is this the port of the data plane server" in log


async def test_a_taken_readiness_port_is_named(tmp_path: Path) -> None:
    async with control_plane(tmp_path, given(a_bootstrap)) as plane:
        env = {"KUMA_READINESS_PORT": str(plane.port)}
        code, log = await outcome(*arguments(plane, tmp_path), env=env)
    assert code == 1
    assert f"the readiness port {plane.port} on 127.0.0.1 cannot be opened" in log


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--dataplane-token=x.y.z"], "--dataplane-token: is not a token"),
        (["--dataplane-token-file=/nowhere"], "/nowhere: the token cannot be read"),
        (["-v", "nam=redis", "-v", "name="], "redis.yaml: name: must be set"),
        (["--dataplane-file=/nowhere"], "/nowhere: cannot be read"),
        (["--name=redis"], "--name and --mesh cannot be given with a dataplane definition"),
        (["--proxy-type=ingress"], 'type: is "Dataplane", but --proxy-type ingress needs'),
        (["--proxy-type=gate"], '--proxy-type "gate" must be one of: dataplane, ingress, egress'),
        (["--transparent-proxy"], "--transparent-proxy is not available yet"),
        (["--binary-path=/nowhere"], 'no Envoy executable at "/nowhere"'),
        (["--cp-address=localhost:5678"], "must be a URL such as https://localhost:5678"),
        (["--drain-time=5"], 'invalid duration "5"'),
        (["--concurency=1"], "Did you mean '--concurrency'"),
    ],
)
async def test_what_the_user_got_wrong_is_named(more: list[str], said: str, tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(422), started=False) as plane:
        code, log = await outcome(*arguments(plane, tmp_path, *more))
    assert code == 1
    assert said in log
    assert "Traceback" not in log


async def test_logs_can_be_json(tmp_path: Path) -> None:
    async with control_plane(tmp_path, refused(422, "no")) as plane:
        _, log = await outcome(*arguments(plane, tmp_path, "--log-format=json"))
    last = json.loads(log.splitlines()[-1])
    assert last["level"] == "error"
    assert last["event"] == "the control plane refuses this proxy: no"


async def test_logs_can_go_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "dp.log"
    async with control_plane(tmp_path, refused(422, "no")) as plane:
        code, log = await outcome(*arguments(plane, tmp_path, f"--log-output-path={file}"))
    assert (code, log) == (1, "")
    assert "the control plane refuses this proxy: no" in file.read_text()


async def test_versions_are_told_as_kuma_does() -> None:
    _, short = await outcome("kuma-dp", "version")
    _, detailed = await outcome("kuma-dp", "version", "--detailed")
    version = short.removeprefix("Kuma: ").strip()
    assert detailed.splitlines() == [
        "Product:       Kuma",
        f"Version:       {version}",
        "Git Tag:       unknown",
        "Git Commit:    unknown",
        "Build Date:    unknown",
    ]


async def test_wait_ends_when_envoy_is_ready(tmp_path: Path) -> None:
    async with (
        control_plane(tmp_path, given(a_bootstrap)) as plane,
        sidecar(plane, tmp_path) as dp,
    ):
        socket = f"--unix-socket={dp.work_dir / 'kuma-envoy-admin.sock'}"
        argv = ("kuma-dp", "wait", socket, "--check-frequency=20ms")
        code, log = await outcome(*argv)
        assert (code, "the proxy is ready" in log) == (0, True)


async def test_wait_gives_up_in_time() -> None:
    url = f"--url=http://localhost:{free_ports(1)[0]}/ready"
    argv = ("kuma-dp", "wait", url, "--timeout=100ms", "--check-frequency=20ms")
    code, log = await outcome(*argv)
    assert (code, "was not ready within 100ms" in log) == (1, True)
