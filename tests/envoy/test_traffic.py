"""A real Envoy does to real requests what the plan says."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain

import httpx
import pytest

from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource
from kuma.plan.endpoint import Endpoint
from kuma.plan.proxy import Destination, Outbound, Resolved
from kuma.plan.route import (
    Forward,
    HeaderChange,
    HttpMatch,
    HttpRoute,
    Mirror,
    PathRewrite,
    Redirect,
    ReplaceFullPath,
    ReplacePrefix,
    ValueKind,
    ValueMatch,
)
from tests.envoy.plans import (
    a_destination,
    a_forward,
    a_tcp_outbound,
    an_http_outbound,
    exact,
    prefix,
)
from tests.support.envoy_running import an_envoy
from tests.support.mesh import Backend, a_backend
from tests.support.processes import accepts, free_ports


def to(backend: Backend) -> Destination:
    """The cluster, named as the backend, reached at a fixed address."""
    at = Endpoint("127.0.0.1", backend.port)
    return replace(a_destination(backend.name), endpoints=Resolved((at,)))


def rendered(outbound: Outbound, *backends: Backend) -> Iterable[EnvoyResource]:
    renderer = Renderer()
    parts = chain(renderer.outbound(outbound), map(renderer.destination, map(to, backends)))
    return [part for part in parts if part]


@asynccontextmanager
async def sending(outbound: Outbound, *backends: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the outbound, behind which these backends are."""
    (port,) = free_ports(1)
    async with an_envoy(rendered(replace(outbound, port=port), *backends)):
        await accepts(port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client


@pytest.mark.parametrize(
    ("matched", "rewrite", "paths"),
    [
        (
            "/old",
            ReplacePrefix("/new"),
            {
                "/old": "/new",
                "/old/": "/new/",
                "/old/x?a=b": "/new/x?a=b",
                "/old?a=b": "/new?a=b",
                "/older": "/older",
            },
        ),
        ("/old", ReplacePrefix("/new/"), {"/old": "/new", "/old/x": "/new/x"}),
        ("/old/", ReplacePrefix("/new"), {"/old": "/new", "/old/x": "/new/x", "/older": "/older"}),
        (
            "/o.d",
            ReplacePrefix("/"),
            {"/o.d": "/", "/o.d/": "/", "/o.d/x/y?a=b": "/x/y?a=b", "/old/x": "/old/x"},
        ),
        ("/", ReplacePrefix("/new"), {"/": "/new/", "/x": "/new/x", "/x/y?a": "/new/x/y?a"}),
        ("/", ReplacePrefix("/"), {"/": "/", "/x": "/x"}),
        ("/old", ReplaceFullPath(r"/all\1"), {"/old/x?a=b": r"/all\1?a=b"}),
    ],
)
async def test_a_path_is_rewritten(
    matched: str, rewrite: PathRewrite, paths: dict[str, str]
) -> None:
    forward = replace(a_forward(), path=rewrite)
    outbound = an_http_outbound(
        HttpRoute("rewritten", prefix(matched), forward),
        HttpRoute("as it is", prefix("/"), a_forward()),
    )
    async with a_backend("backend") as backend, sending(outbound, backend) as client:
        seen = {path: (await client.get(path)).json()["path"] for path in paths}
    assert seen == paths


@pytest.mark.parametrize(
    ("matched", "redirect", "paths"),
    [
        (
            "/old",
            Redirect(path=ReplacePrefix("/new"), status=308),
            {"/old/x?a=b": "http://a.test:81/new/x?a=b", "/old": "http://a.test:81/new"},
        ),
        (
            "/old",
            Redirect(path=ReplacePrefix("/")),
            {"/old/x": "http://a.test:81/x", "/old": "http://a.test:81/"},
        ),
        (
            "/old",
            Redirect(path=ReplaceFullPath("/all")),
            {"/old/x?a=b": "http://a.test:81/all?a=b"},
        ),
        ("/", Redirect(scheme="https"), {"/x": "https://a.test:443/x"}),
        ("/", Redirect(scheme="https", host="b.test"), {"/x": "https://b.test/x"}),
        ("/", Redirect(host="b.test", port=8080), {"/x": "http://b.test:8080/x"}),
    ],
)
async def test_a_client_is_redirected(
    matched: str, redirect: Redirect, paths: dict[str, str]
) -> None:
    outbound = an_http_outbound(HttpRoute("redirect", prefix(matched), redirect))
    seen = {}
    async with sending(outbound) as client:
        for path in paths:
            answer = await client.get(path, headers={"host": "a.test:81"})
            assert answer.status_code == redirect.status
            seen[path] = answer.headers["location"]
    assert seen == paths


async def test_requests_are_matched_by_path_method_headers_and_query() -> None:
    conditions = {
        "exact": exact("/exact"),
        "prefix": prefix("/prefix"),
        "method": HttpMatch(method="PUT"),
        "header": HttpMatch(headers=(ValueMatch("x-a", ValueKind.REGEX, "[0-9]+"),)),
        "absent": HttpMatch(
            headers=(ValueMatch("x-a", ValueKind.ABSENT), ValueMatch("x-b", ValueKind.PRESENT))
        ),
        "query": HttpMatch(query=(ValueMatch("v", value="2"),)),
    }
    # To be told apart by what the backend sees.
    routes = [
        HttpRoute(name, match, replace(a_forward(), host=f"{name}.test"))
        for name, match in conditions.items()
    ]
    requests = {
        ("GET", "/exact", ""): "exact",
        ("GET", "/prefix/x", ""): "prefix",
        ("GET", "/prefixed", ""): None,
        ("PUT", "/", ""): "method",
        ("GET", "/", "x-a: 12"): "header",
        ("GET", "/", "x-a: ab"): None,
        ("GET", "/", "x-b: ab"): "absent",
        ("GET", "/?v=2", ""): "query",
        ("GET", "/?v=3", ""): None,
    }
    async with (
        a_backend("backend") as backend,
        sending(an_http_outbound(*routes), backend) as client,
    ):
        seen = {}
        for method, path, header in requests:
            headers = dict([header.split(": ")]) if header else {}
            answer = await client.request(method, path, headers=headers)
            ok = answer.status_code == 200
            host = answer.json()["headers"]["host"] if ok else None
            seen[method, path, header] = host and host.removesuffix(".test")
    assert seen == requests


async def test_headers_are_changed_on_the_way_there_and_back() -> None:
    request = HeaderChange(set=(("x-set", "100%"),), add=(("x-add", "2"),), remove=("x-gone",))
    response = HeaderChange(
        set=(("content-type", "text/plain"), ("x-gone", "1")),
        add=(("x-protocol", "%PROTOCOL%"),),
        remove=("x-gone",),
    )
    route = HttpRoute("r", prefix("/"), a_forward(), request, response)
    async with a_backend("backend") as backend, sending(an_http_outbound(route), backend) as client:
        sent = {"x-set": "1", "x-gone": "1"}
        answer = await client.get("/", headers=sent)
    seen = answer.json()["headers"]
    assert (seen["x-set"], seen["x-add"], "x-gone" in seen) == ("100%", "2", False)
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["x-protocol"] == "HTTP/1.1"
    assert "x-gone" not in answer.headers


async def test_a_split_sends_each_its_share_and_nothing_to_weight_zero() -> None:
    route = HttpRoute("r", prefix("/"), a_forward(("v1", 1), ("v2", 3), ("v3", 0)))
    async with (
        a_backend("v1") as v1,
        a_backend("v2") as v2,
        a_backend("v3") as v3,
        sending(an_http_outbound(route), v1, v2, v3) as client,
    ):
        for _ in range(200):
            assert (await client.get("/")).status_code == 200
    assert len(v1.requests) + len(v2.requests) == 200
    assert 20 < len(v1.requests) < 80
    assert v3.requests == []


async def test_a_mirror_gets_a_copy_and_its_answer_does_not_matter() -> None:
    forward = replace(a_forward(("v1", 1)), mirrors=(Mirror("v2", "100"),))
    async with a_backend("v1") as v1, a_backend("v2") as v2:
        v2.status = lambda _path: 500
        outbound = an_http_outbound(HttpRoute("r", prefix("/"), forward))
        async with sending(outbound, v1, v2) as client:
            assert (await client.get("/x")).status_code == 200
    assert [line for line, _ in v2.requests] == ["GET /x"]


async def test_without_a_backend_the_answer_is_500() -> None:
    nowhere = HttpRoute("r", prefix("/"), Forward(()))
    async with sending(an_http_outbound(nowhere)) as client:
        assert (await client.get("/")).status_code == 500


async def test_bytes_are_forwarded_over_a_tcp_split() -> None:
    async with (
        a_backend("v1") as v1,
        a_backend("v2") as v2,
        sending(a_tcp_outbound(("v1", 1), ("v2", 0)), v1, v2) as client,
    ):
        assert (await client.get("/x")).json()["backend"] == "v1"
