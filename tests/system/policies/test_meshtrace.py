"""What MeshTrace promises, seen by collectors: spans of both sides, and what they say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.support.collectors import HttpCollector, a_collector, an_http_collector
from tests.support.mesh import HOST, until
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/meshes/default/meshtraces/under-test"


@asynccontextmanager
async def traced(mesh: Mesh, default: dict[str, Any], **spec: Any) -> AsyncIterator[None]:
    """A policy for the time of a test; after it, nothing is traced any more."""
    document = {"type": "MeshTrace", "mesh": "default", "name": "under-test"}
    answer = await mesh.cp.rest.put(URL, json={**document, "spec": {"default": default, **spec}})
    assert answer.is_success, answer.text
    try:
        yield
    finally:
        await mesh.cp.rest.delete(URL)
        await until(mesh.get, lambda answer: answer.is_success and not context_of(answer))


def context_of(answer: httpx.Response) -> dict[str, str]:
    """What the workload was told of the trace."""
    if answer.status_code != 200:
        return {}
    headers: dict[str, str] = answer.json()["headers"]
    known = ("x-b3-", "traceparent", "x-datadog-")
    return {name: text for name, text in headers.items() if name.startswith(known)}


def zipkin(collector: HttpCollector, **more: Any) -> dict[str, Any]:
    url = f"http://{HOST}:{collector.port}/api/v2/spans"
    return {"backends": [{"type": "Zipkin", "zipkin": {"url": url, **more}}]}


async def test_both_sides_of_a_request_report_to_zipkin(mesh: Mesh) -> None:
    tags = [
        {"name": "team", "literal": "core"},
        {"name": "env", "header": {"name": "x-env", "default": "prod"}},
    ]

    async def spans_of_a_request(collector: HttpCollector) -> dict[str, dict[str, Any]]:
        """By kind, those of a trace that has both."""
        await mesh.get(headers={"x-env": "canary"})
        traces: dict[str, dict[str, dict[str, Any]]] = {}
        for span in collector.zipkin_spans():
            traces.setdefault(span["traceId"], {})[span["kind"]] = span
        both = (each for each in traces.values() if each.keys() == {"CLIENT", "SERVER"})
        return next((each for each in both if each["SERVER"]["tags"]["env"] == "canary"), {})

    async with (
        an_http_collector() as collector,
        traced(mesh, {**zipkin(collector, traceId128bit=True), "tags": tags}),
    ):
        found: dict[str, dict[str, Any]] = {}

        async def ask() -> bool:
            found.update(await spans_of_a_request(collector))
            return bool(found)

        await until(ask, bool)

    client, server = found["CLIENT"], found["SERVER"]
    assert {path for path, _ in collector.reports} == {"/api/v2/spans"}
    assert client["id"] == server["id"]
    assert len(client["traceId"]) == 32
    assert client["localEndpoint"]["serviceName"] == "client"
    assert server["localEndpoint"]["serviceName"] == "api"
    for span in (client, server):
        wanted = {"team": "core", "env": "canary", "kuma.mesh": "default", "kuma.zone": "default"}
        assert wanted.items() <= span["tags"].items()
        assert span["tags"]["http.status_code"] == "200"


async def test_spans_of_the_server_may_have_ids_of_their_own(mesh: Mesh) -> None:
    async with (
        an_http_collector() as collector,
        traced(mesh, zipkin(collector, sharedSpanContext=False)),
    ):

        async def children() -> bool:
            await mesh.get()
            spans = collector.zipkin_spans()
            parents = {span["id"] for span in spans if span["kind"] == "CLIENT"}
            return any(s.get("parentId") in parents for s in spans if s["kind"] == "SERVER")

        await until(children, bool)


async def test_sampling_decides_which_requests_are_reported(mesh: Mesh) -> None:
    async with (
        an_http_collector() as collector,
        traced(mesh, {**zipkin(collector), "sampling": {"random": 0}}),
    ):
        await until(mesh.get, lambda answer: context_of(answer).get("x-b3-sampled") == "0")

        async def ask() -> httpx.Response:
            return await mesh.get(headers={"x-client-trace-id": "mine"})

        await until(ask, lambda answer: context_of(answer).get("x-b3-sampled") == "1")


async def test_both_sides_report_to_opentelemetry(mesh: Mesh) -> None:
    async with a_collector() as collector:
        endpoint = {"endpoint": f"{HOST}:{collector.port}"}
        backends = [{"type": "OpenTelemetry", "openTelemetry": endpoint}]
        async with traced(mesh, {"backends": backends, "tags": [{"name": "t", "literal": "1"}]}):

            async def services_of_a_trace() -> set[str]:
                """The most that have reported to one trace."""
                await mesh.get()
                traces: dict[bytes, set[str]] = {}
                for resource in (
                    each for request in collector.spans for each in request.resource_spans
                ):
                    names = {a.key: a.value.string_value for a in resource.resource.attributes}
                    for span in (
                        span
                        for each in resource.instrumentation_library_spans
                        for span in each.spans
                    ):
                        tags = {a.key: a.value.string_value for a in span.attributes}
                        assert (tags["t"], tags["kuma.mesh"]) == ("1", "default")
                        traces.setdefault(span.trace_id, set()).add(names["service.name"])
                return max(traces.values(), key=len, default=set())

            await until(services_of_a_trace, lambda services: services == {"client", "api"})


async def test_split_services_report_to_datadog(mesh: Mesh) -> None:
    async with an_http_collector() as collector:
        url = f"http://{HOST}:{collector.port}"
        backends = [{"type": "Datadog", "datadog": {"url": url, "splitService": True}}]
        async with traced(mesh, {"backends": backends}):

            async def reported() -> bytes:
                await mesh.get()
                found = (body for path, body in collector.reports if path.endswith("/traces"))
                return b"".join(found)

            await until(
                reported, lambda body: b"client_OUTBOUND_api" in body and b"api_INBOUND" in body
            )


async def test_a_stronger_policy_without_backends_ends_tracing_for_its_proxies(mesh: Mesh) -> None:
    async with an_http_collector() as collector, traced(mesh, zipkin(collector)):
        await until(mesh.get, lambda answer: bool(context_of(answer)))
        name = "/meshes/default/meshtraces/switched-off"
        spec = {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
            "default": {"backends": []},
        }
        document = {"type": "MeshTrace", "mesh": "default", "name": "a-switched-off", "spec": spec}
        url = name.replace("switched-off", "a-switched-off")
        assert (await mesh.cp.rest.put(url, json=document)).is_success
        try:
            await until(mesh.get, lambda answer: answer.is_success and not context_of(answer))
            rules = (await mesh.cp.rest.get("/meshes/default/dataplanes/client/_rules")).json()
        finally:
            await mesh.cp.rest.delete(url)

    (found,) = (rule for rule in rules["rules"] if rule["type"] == "MeshTrace")
    assert found["proxyRule"]["conf"]["backends"] == []
    origins = [each["name"] for each in found["proxyRule"]["origin"]]
    assert origins == ["under-test", "a-switched-off"]
