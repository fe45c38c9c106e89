"""What is wrong is refused or shown, with a message that names it, and costs nobody else anything."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.mesh import HOST, ControlPlane, a_backend, a_control_plane, until
from tests.support.processes import Process, accepts, free_ports, outcome, run, running
from tests.system.conftest import ALLOW_ALL, MTLS, Mesh
from tests.system.test_protocols import external
from tests.system.test_restart import dataplane, is_online, overview

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """One instance of the api, and a client, which also calls an external service."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        cp = await enter(a_control_plane(tmp_path_factory.mktemp("mesh")))
        await cp.put(MTLS)
        await cp.put(ALLOW_ALL)
        await cp.put({"type": "Mesh", "name": "other"})
        v1 = await enter(a_backend("v1"))
        sidecar = await enter(cp.sidecar("api", app_port=v1.port))
        client = await enter(cp.sidecar("client", outbounds={"api": "api", "outside": "outside"}))
        http = await enter(httpx.AsyncClient(timeout=60))
        made = Mesh(cp, client, v1, v1, {"v1": sidecar}, http)
        await until(made.get, lambda answer: answer.status_code == 200)
        yield made


# Proxies that may not be what they say


@asynccontextmanager
async def refused(
    cp: ControlPlane, document: Mapping[str, Any], token: str, message: str
) -> AsyncIterator[Process]:
    """kuma-dp says `message`, and the Dataplane is not created."""
    async with cp.kuma_dp(document, token=token) as process:
        await process.line(message)
        assert await overview(cp, document["name"]) is None
        yield process


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"name": "somebody-else"}, 'the token is for the dataplane "somebody-else"'),
        ({"mesh": "other"}, 'the token is for the mesh "other", not for "default"'),
        ({"tags": {"team": ["red"]}}, 'the dataplane has no tag "team", which the token requires'),
        ({"tags": {"kuma.io/service": ["db"]}}, 'does not allow; it allows "db"'),
    ],
)
async def test_a_token_for_something_else_is_refused(
    mesh: Mesh, wanted: dict[str, Any], message: str
) -> None:
    token = await mesh.cp.token(**wanted)
    async with refused(mesh.cp, dataplane("stranger"), token, message):
        pass


async def test_a_forged_token_is_refused(mesh: Mesh) -> None:
    (head, claims, _), (_, _, signature) = [
        (await mesh.cp.token(name)).split(".") for name in ("stranger", "somebody-else")
    ]
    forged = f"{head}.{claims}.{signature}"
    async with refused(mesh.cp, dataplane("stranger"), forged, "signature"):
        pass


async def test_an_expired_token_is_refused(mesh: Mesh) -> None:
    token = await mesh.cp.token("stranger", validFor="1s")

    async def expired() -> tuple[int, str]:
        async with mesh.cp.kuma_dp(dataplane("stranger"), token=token) as process:
            line = await process.line("e", timeout=5)
            return 0, line

    await until(expired, lambda seen: "the token expired at" in seen[1])
    assert await overview(mesh.cp, "stranger") is None


@pytest.mark.parametrize("kind", ["Secret", "GlobalSecret"])
async def test_a_revoked_token_ends_the_stream(mesh: Mesh, kind: str) -> None:
    token = await mesh.cp.token("revoked")
    claims = token.split(".")[1]
    token_id = json.loads(base64.urlsafe_b64decode(claims + "=="))["jti"]
    revocations = {
        "type": kind,
        **({"mesh": "default"} if kind == "Secret" else {}),
        "name": "dataplane-token-revocations-default",
        "data": base64.b64encode(f"some-other-id,{token_id}\n".encode()).decode(),
    }
    async with mesh.cp.kuma_dp(dataplane("revoked"), token=token) as process:
        await until(lambda: overview(mesh.cp, "revoked"), is_online)
        await mesh.cp.put(revocations)
        try:
            await process.line("the token is revoked")
            await until(lambda: overview(mesh.cp, "revoked"), lambda found: not is_online(found))
        finally:
            await mesh.cp.delete(revocations)
        await until(lambda: overview(mesh.cp, "revoked"), is_online)
    assert (await mesh.get()).status_code == 200
    await until(lambda: overview(mesh.cp, "revoked"), lambda found: found is None)


async def test_an_unknown_mesh_is_named(mesh: Mesh) -> None:
    document = {**dataplane("stranger"), "mesh": "nowhere"}
    async with mesh.cp.kuma_dp(document, token=await mesh.cp.token()) as process:
        await process.line('mesh "nowhere" does not exist')
        assert await process.ended() == 1


async def test_an_invalid_dataplane_is_refused_with_its_field(mesh: Mesh) -> None:
    document = dataplane("stranger")
    document["networking"]["inbound"][0]["port"] = 70_000
    token = await mesh.cp.token("stranger")
    async with refused(mesh.cp, document, token, "networking.inbound[0].port"):
        pass


# What Envoy rejects


async def rejection(cp: ControlPlane, name: str) -> str:
    found = await overview(cp, name)
    assert found is not None
    subscriptions = found.get("dataplaneInsight", {}).get("subscriptions", [{}])
    told: str = subscriptions[-1].get("status", {}).get("lastRejection", {}).get("message", "")
    return told


async def until_told(cp: ControlPlane, name: str, text: str) -> str:
    async def told() -> str:
        return await rejection(cp, name) if await overview(cp, name) else ""

    await until(told, lambda message: text in message)
    return await told()


async def test_a_port_in_use_is_shown_and_other_listeners_work(mesh: Mesh) -> None:
    document = dataplane("clashing")
    (free,) = free_ports(1)
    async with a_backend("taken") as taken:
        tags = {"kuma.io/service": "clashing", "kuma.io/protocol": "http"}
        document["networking"]["inbound"] = [
            {"port": taken.port, "servicePort": free_ports(1)[0], "tags": tags},
            {"port": free, "servicePort": mesh.v1.port, "tags": tags},
        ]
        outbound = {"port": free_ports(1)[0], "tags": {"kuma.io/service": "api"}}
        document["networking"]["outbound"] = [outbound]
        async with mesh.cp.kuma_dp(document) as process:
            shown = await until_told(mesh.cp, "clashing", str(taken.port))
            assert "cannot bind" in shown
            assert str(taken.port) in await inspected(mesh.cp)
            await accepts(free)
            answer = await mesh.http.get(f"http://{HOST}:{outbound['port']}/")
            assert answer.json()["backend"] == "v1"
            assert process.child.returncode is None
    await mesh.cp.delete(document)


async def inspected(cp: ControlPlane) -> str:
    """What `kumactl inspect dataplanes` prints."""
    config = cp.directory / "kumactl.yaml"
    at = ["kumactl", "--config-file", str(config)]
    if not config.exists():
        await run(*at, "config", "control-planes", "add", "--name=it", f"--address={cp.url}")
    return await run(*at, "inspect", "dataplanes")


def a_route(value: str) -> dict[str, Any]:
    """It adds a header to what the api receives."""
    change = {"set": [{"name": "x-seen", "value": value}]}
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": change}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "default": {"filters": [header]},
    }
    to = {"targetRef": {"kind": "MeshService", "name": "api"}, "rules": [rule]}
    return {
        "type": "MeshHTTPRoute",
        "mesh": "default",
        "name": "a-route",
        "spec": {"targetRef": {"kind": "Mesh"}, "to": [to]},
    }


async def test_what_envoy_rejects_changes_nothing_until_it_is_corrected(mesh: Mesh) -> None:
    """A patch may ask for anything: here for a way to balance that no Envoy has."""

    def patch(value: str) -> dict[str, Any]:
        cluster = {"operation": "Patch", "match": {"name": "outside"}, "value": value}
        spec = {"default": {"appendModifications": [{"cluster": cluster}]}}
        return {"type": "MeshProxyPatch", "mesh": "default", "name": "a-patch", "spec": spec}

    async def seen() -> str:
        got: dict[str, str] = (await mesh.get()).json()["headers"]
        return got.get("x-seen", "nothing")

    async with a_backend("outside") as outside:
        await mesh.cp.put(external("outside", outside.port))

        async def reached() -> int:
            try:
                answer = await mesh.http.get(mesh.client.url("outside"))
            except httpx.TransportError:
                return 0
            return answer.status_code

        await until(reached, lambda status: status == 200)
        await mesh.cp.put(patch("load_balancing_policy: {policies: []}"))
        shown = await until_told(mesh.cp, "client", "outside")
        assert "load balancer" in shown
        assert "load balancer" in await inspected(mesh.cp)
        assert await reached() == 200

        await mesh.cp.put(a_route("later"))  # a good change is not held up
        await until(seen, lambda value: value == "later")
        assert await reached() == 200

        context = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
        config = f"{{'@type': type.googleapis.com/{context}}}"
        socket = f"{{name: envoy.transport_sockets.tls, typed_config: {config}}}"
        await mesh.cp.put(patch(f"transport_socket: {socket}"))  # which the backend does not speak
        await until(reached, lambda status: status >= 500)
        await mesh.cp.delete(patch(""))
        await until(reached, lambda status: status == 200)
    await mesh.cp.delete(a_route("later"))
    await until(seen, lambda value: value == "nothing")


# Over REST


async def test_rest_names_what_is_wrong(mesh: Mesh) -> None:
    rest = mesh.cp.rest
    good = a_route("x")
    path = mesh.cp.path(good)

    answer = await rest.put("/meshes/default/meshwishes/a", json={"type": "MeshWish", "name": "a"})
    assert answer.status_code == 404
    answer = await rest.put(path, json={**good, "type": "MeshTimeout"})
    assert answer.status_code == 400
    assert answer.json()["invalid_parameters"][0]["field"] == "type"
    answer = await rest.put(path, json={**good, "spec": {**good["spec"], "form": []}})
    assert answer.status_code == 400
    assert answer.json()["invalid_parameters"][0]["field"] == "spec.form"
    answer = await rest.put(path, json={**good, "spec": {**good["spec"], "to": "api"}})
    assert answer.status_code == 400
    assert answer.json()["invalid_parameters"][0]["field"] == "spec.to"
    answer = await rest.put(path.replace("default", "nowhere", 1), json={**good, "mesh": "nowhere"})
    assert answer.status_code == 404
    assert answer.json()["title"] == "Failed to retrieve Mesh"
    large = {**good, "labels": {"some": "x" * (20 << 20)}}
    answer = await rest.put(path, json=large)
    assert answer.status_code == 413
    assert (await rest.get(path)).status_code == 404


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", id="no HTTP"),
        pytest.param(
            b"PUT /meshes/m HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
            b"transfer-encoding: chunked\r\n\r\nzz\r\n",
            id="no chunk",
        ),
    ],
)
async def test_nonsense_is_logged_in_the_form_of_the_log(mesh: Mesh, nonsense: bytes) -> None:
    known = len(mesh.cp.process.lines)
    reader, writer = await asyncio.open_connection(HOST, mesh.cp.api_port)
    writer.write(nonsense)
    assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request")
    writer.close()

    async def logged() -> list[str]:
        return mesh.cp.process.lines[known:]

    await until(logged, lambda lines: any("Invalid HTTP request" in line for line in lines))
    found = [json.loads(line) for line in await logged()]
    assert {each["level"] for each in found} <= {"info", "warning"}


# Settings


async def test_an_unknown_setting_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    file = tmp_path / "kuma-cp.yaml"
    file.write_text("apiServer:\n  http:\n    prot: 5681\n")
    code, output = await outcome("kuma-cp", "run", "--config-file", file)

    assert code == 1
    assert "apiServer.http.prot" in output
    assert '"port"' in output or "apiServer.http.port" in output


async def test_a_port_in_use_ends_the_control_plane_with_its_setting(tmp_path: Path) -> None:
    async with a_backend("taken") as taken:
        for variable in ("KUMA_API_SERVER_HTTP_PORT", "KUMA_DP_SERVER_PORT"):
            env = {**environment(tmp_path), variable: str(taken.port)}
            code, output = await outcome("kuma-cp", "run", env=env)

            assert code == 1, output
            assert str(taken.port) in output
            assert variable in output
            assert "Traceback" not in output


async def test_an_unknown_variable_is_warned_of_once(tmp_path: Path) -> None:
    env = {**environment(tmp_path), "KUMA_API_SERVER_HTTP_PROT": "1"}
    async with running("kuma-cp", "kuma-cp", "run", env=env) as process:
        await process.line("the control plane is ready")
        told = [line for line in process.lines if "KUMA_API_SERVER_HTTP_PROT" in line]

    assert len(told) == 1
    assert "KUMA_API_SERVER_HTTP_PORT" in told[0]


def environment(directory: Path) -> dict[str, str]:
    names = (
        "KUMA_DP_SERVER_PORT",
        "KUMA_DIAGNOSTICS_SERVER_PORT",
        "KUMA_API_SERVER_HTTP_PORT",
        "KUMA_API_SERVER_HTTPS_PORT",
    )
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    return {"KUMA_GENERAL_WORK_DIR": str(directory), **ports}
