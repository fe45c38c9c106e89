"""What policies promise, seen on requests through real Envoys with mutual TLS."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.mesh import HOST, until
from tests.system.conftest import ALLOW_ALL, Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")


@asynccontextmanager
async def applied(mesh: Mesh, document: dict[str, Any]) -> AsyncIterator[None]:
    """A policy for the time of a test."""
    await mesh.cp.put(document)
    try:
        yield
    finally:
        await mesh.cp.delete(document)


def policy(kind: str, spec: dict[str, Any], name: str = "under-test") -> dict[str, Any]:
    return {"type": kind, "mesh": "default", "name": name, "spec": spec}


def to_api(default: dict[str, Any]) -> dict[str, Any]:
    return {
        "targetRef": {"kind": "Mesh"},
        "to": [{"targetRef": {"kind": "MeshService", "name": "api"}, "default": default}],
    }


def route(*rules: dict[str, Any]) -> dict[str, Any]:
    return policy(
        "MeshHTTPRoute",
        {
            "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}},
            "to": [{"targetRef": {"kind": "MeshService", "name": "api"}, "rules": list(rules)}],
        },
    )


def split(*, header: str | None = None, path: str = "/", **weights: int) -> dict[str, Any]:
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": path}}
    if header:
        match["headers"] = [{"name": "x-version", "value": header}]
    refs = [
        {"kind": "MeshServiceSubset", "name": "api", "tags": {"version": v}, "weight": weight}
        for v, weight in weights.items()
    ]
    return {"matches": [match], "default": {"backendRefs": refs}}


async def versions(mesh: Mesh, count: int, **options: Any) -> Counter[str]:
    return Counter([await mesh.version(**options) for _ in range(count)])


async def test_requests_carry_the_identity_of_the_client(mesh: Mesh) -> None:
    headers = (await mesh.get()).json()["headers"]

    assert "spiffe://default/client" in headers["x-forwarded-client-cert"]


async def test_plaintext_is_refused(mesh: Mesh) -> None:
    with pytest.raises(httpx.TransportError):
        await mesh.http.get(f"http://{HOST}:{mesh.sidecars['v1'].inbound}/")


async def test_permission_denies_and_allows_again(mesh: Mesh) -> None:
    deny = policy(
        "MeshTrafficPermission",
        {
            "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "api"}},
            "from": [
                {
                    "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}},
                    "default": {"action": "Deny"},
                }
            ],
        },
    )
    async with applied(mesh, deny):
        await until(mesh.get, lambda answer: answer.status_code == 403)
    await until(mesh.get, lambda answer: answer.status_code == 200)


async def test_nothing_is_allowed_without_a_permission(mesh: Mesh) -> None:
    await mesh.cp.delete(ALLOW_ALL)
    try:
        await until(mesh.get, lambda answer: answer.status_code == 403)
    finally:
        await mesh.cp.put(ALLOW_ALL)
    await until(mesh.get, lambda answer: answer.status_code == 200)


async def test_request_timeout_answers_504(mesh: Mesh) -> None:
    mesh.v1.delay = mesh.v2.delay = lambda path: 1.0 if path == "/slow" else 0.0
    timeout = policy("MeshTimeout", to_api({"http": {"requestTimeout": "200ms"}}), "a-timeout")
    async with applied(mesh, timeout):
        await until(lambda: mesh.get("/slow"), lambda answer: answer.status_code == 504)
        assert (await mesh.get("/quick")).status_code == 200
    mesh.v1.delay = mesh.v2.delay = lambda _: 0.0


async def test_retry_hides_a_failing_instance(mesh: Mesh) -> None:
    mesh.v1.status = lambda _: 503
    retry = policy(
        "MeshRetry",
        to_api(
            {"http": {"numRetries": 10, "retryOn": ["5xx"], "backOff": {"baseInterval": "1ms"}}}
        ),
        "a-retry",
    )
    try:
        async with applied(mesh, retry):
            await until(
                lambda: versions(mesh, 20), lambda counts: counts == Counter({"v2": 20}), within=15
            )
    finally:
        mesh.v1.status = lambda _: 200


async def test_outlier_detection_ejects_a_failing_instance(mesh: Mesh) -> None:
    mesh.v1.status = lambda _: 500
    no_retry = policy("MeshRetry", to_api({"http": {"numRetries": 0}}), "a-retry")
    breaker = policy(
        "MeshCircuitBreaker",
        to_api(
            {
                "outlierDetection": {
                    "interval": "100ms",
                    "baseEjectionTime": "30s",
                    "maxEjectionPercent": 100,
                    "detectors": {"totalFailures": {"consecutive": 2}},
                }
            }
        ),
        "a-breaker",
    )
    try:
        async with applied(mesh, no_retry), applied(mesh, breaker):
            await until(
                lambda: versions(mesh, 20), lambda counts: counts == Counter({"v2": 20}), within=15
            )
    finally:
        mesh.v1.status = lambda _: 200
    await until(lambda: versions(mesh, 20), lambda counts: set(counts) == {"v1", "v2"}, within=15)


async def test_connection_limits_refuse_what_is_too_much(mesh: Mesh) -> None:
    import asyncio

    mesh.v1.delay = mesh.v2.delay = lambda path: 0.5 if path == "/slow" else 0.0
    breaker = policy(
        "MeshCircuitBreaker",
        to_api({"connectionLimits": {"maxRequests": 1, "maxPendingRequests": 1}}),
        "a-breaker",
    )
    no_retry = policy("MeshRetry", to_api({"http": {"numRetries": 0}}), "a-retry")

    async def burst() -> Counter[int]:
        answers = await asyncio.gather(*(mesh.get("/slow") for _ in range(8)))
        return Counter(answer.status_code for answer in answers)

    async with applied(mesh, breaker), applied(mesh, no_retry):
        await until(burst, lambda counts: counts[503] > 0 and counts[200] > 0)
    mesh.v1.delay = mesh.v2.delay = lambda _: 0.0


async def test_weights_split_traffic(mesh: Mesh) -> None:
    async with applied(mesh, route(split(v1=90, v2=10))):
        await until(lambda: versions(mesh, 20), lambda counts: counts["v1"] > 12)
        counts = await versions(mesh, 200)
        assert 150 <= counts["v1"] <= 198
        assert counts["v1"] + counts["v2"] == 200


async def test_a_weight_of_zero_gets_nothing(mesh: Mesh) -> None:
    async with applied(mesh, route(split(v1=1, v2=0))):
        await until(lambda: versions(mesh, 20), lambda counts: set(counts) == {"v1"})


V2 = {"x-version": "v2"}


async def test_header_chooses_the_version(mesh: Mesh) -> None:
    async with applied(mesh, route(split(header="v2", v2=1), split(v1=1))):
        await until(lambda: versions(mesh, 20, headers=V2), Counter({"v2": 20}).__eq__)
        assert await versions(mesh, 20) == Counter({"v1": 20})


async def test_a_match_on_a_header_alone_wins_over_an_equal_prefix(mesh: Mesh) -> None:
    header_only = split(header="v2", v2=1)
    del header_only["matches"][0]["path"]
    async with applied(mesh, route(split(v1=1), header_only)):
        await until(lambda: versions(mesh, 20, headers=V2), Counter({"v2": 20}).__eq__)
        assert await versions(mesh, 20) == Counter({"v1": 20})


async def test_prefix_rewrite_is_that_of_gateway_api(mesh: Mesh) -> None:
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/old"}}],
        "default": {
            "filters": [
                {
                    "type": "URLRewrite",
                    "urlRewrite": {
                        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}
                    },
                }
            ]
        },
    }

    async def seen(path: str) -> str:
        return str((await mesh.get(path)).json()["path"])

    async with applied(mesh, route(rule)):
        await until(lambda: seen("/old/x"), lambda path: path == "/new/x")
        assert [await seen(path) for path in ("/old", "/older", "/old?q=1", "/")] == [
            "/new",
            "/older",
            "/new?q=1",
            "/",
        ]


async def test_redirect_answers_itself(mesh: Mesh) -> None:
    rule = {
        "matches": [{"path": {"type": "Exact", "value": "/gone"}}],
        "default": {
            "filters": [
                {
                    "type": "RequestRedirect",
                    "requestRedirect": {"hostname": "elsewhere.example", "statusCode": 301},
                }
            ]
        },
    }
    async with applied(mesh, route(rule)):
        await until(lambda: mesh.get("/gone"), lambda answer: answer.status_code == 301)
        location = (await mesh.get("/gone")).headers["location"]
        assert location == "http://elsewhere.example/gone"


async def test_permissive_mode_takes_plaintext_and_mutual_tls(mesh: Mesh) -> None:
    permissive = {
        "type": "Mesh",
        "name": "default",
        "mtls": {
            "enabledBackend": "ca-1",
            "backends": [{"name": "ca-1", "type": "builtin", "mode": "PERMISSIVE"}],
        },
    }
    strict = {
        "type": "Mesh",
        "name": "default",
        "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]},
    }
    direct = f"http://{HOST}:{mesh.sidecars['v1'].inbound}/"

    async def plaintext() -> int:
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(direct)).status_code
        except httpx.TransportError:
            return 0

    await mesh.cp.put(permissive)
    try:
        await until(plaintext, lambda status: status == 200)
        assert "spiffe://default/client" in str((await mesh.get()).json()["headers"])
    finally:
        await mesh.cp.put(strict)
    await until(plaintext, lambda status: status == 0)
    await until(mesh.get, lambda answer: answer.status_code == 200)
