"""MeshHTTPRoute: every match, every filter, weights, and what is not matched."""

from typing import Any

import pytest

from tests.support.mesh import until
from tests.system.policies.conftest import BOTH, World, version

pytestmark = pytest.mark.asyncio(loop_scope="package")

CLIENT = {"kind": "MeshSubset", "tags": {"kuma.io/service": "client"}}
ANY = {"path": {"type": "PathPrefix", "value": "/"}}


def route(*rules: dict[str, Any]) -> dict[str, Any]:
    target = {"kind": "MeshService", "name": "api"}
    return {"targetRef": CLIENT, "to": [{"targetRef": target, "rules": [*rules]}]}


def rule(match: dict[str, Any], *backends: dict[str, Any], **conf: Any) -> dict[str, Any]:
    refs = {"backendRefs": [*backends]} if backends else {}
    return {"matches": [match], "default": {**refs, **conf}}


def header(form: str, value: str | None = None) -> dict[str, Any]:
    named = {"type": form, "name": "x-way"}
    return {"headers": [named if value is None else {**named, "value": value}]}


def path(form: str, value: str) -> dict[str, Any]:
    return {"path": {"type": form, "value": value}}


def query(form: str, value: str) -> dict[str, Any]:
    return {"queryParams": [{"type": form, "name": "way", "value": value}]}


@pytest.mark.parametrize(
    ("match", "meets", "misses"),
    [
        (path("Exact", "/a"), [{"path": "/a"}, {"path": "/a?b=c"}], [{"path": "/a/b"}]),
        (path("PathPrefix", "/a"), [{"path": "/a"}, {"path": "/a/b"}], [{"path": "/ab"}]),
        (path("RegularExpression", "/a[0-9]+"), [{"path": "/a12"}], [{"path": "/a12/b"}]),
        ({"method": "POST"}, [{"method": "POST"}], [{"method": "GET"}, {"method": "PUT"}]),
        (
            query("Exact", "new"),
            [{"path": "/?way=new"}, {"path": "/?a=b&way=new"}],
            [{"path": "/?way=newer"}, {}],
        ),
        (query("RegularExpression", "n.*"), [{"path": "/?way=new"}], [{"path": "/?way=old"}]),
        (header("Exact", "new"), [{"x_way": "new"}], [{"x_way": "newer"}, {}]),
        (header("RegularExpression", "n[a-z]+"), [{"x_way": "new"}], [{"x_way": "new1"}]),
        (header("Prefix", "ne"), [{"x_way": "new"}], [{"x_way": "old"}]),
        (header("Present"), [{"x_way": "any"}], [{}]),
        (header("Absent"), [{}], [{"x_way": "any"}]),
        (
            {**path("PathPrefix", "/a"), "method": "GET", **header("Exact", "new")},
            [{"path": "/a", "x_way": "new"}],
            [
                {"path": "/a"},
                {"path": "/", "x_way": "new"},
                {"path": "/a", "method": "PUT", "x_way": "new"},
            ],
        ),
    ],
    ids=str,
)
async def test_what_matches_goes_where_the_rule_says(
    world: World, match: dict[str, Any], meets: list[dict[str, Any]], misses: list[dict[str, Any]]
) -> None:
    async with world.applied("MeshHTTPRoute", route(rule(match, version("v2")))):
        await until(lambda: world.versions(8, **meets[0]), {"v2"}.__eq__)
        for each in meets:
            assert await world.versions(8, **each) == {"v2"}, each
        for each in misses:
            assert await world.versions(8, **each) == BOTH, each
    await until(lambda: world.versions(8, **meets[0]), BOTH.__eq__)


async def test_one_of_several_matches_is_enough(world: World) -> None:
    either = {"matches": [path("Exact", "/a"), header("Exact", "new")]}
    spec = route({**either, "default": {"backendRefs": [version("v2")]}})
    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: world.versions(path="/a"), {"v2"}.__eq__)
        assert await world.versions(x_way="new") == {"v2"}
        assert await world.versions() == BOTH


async def test_the_narrower_match_is_tried_first(world: World) -> None:
    spec = route(
        rule(ANY, version("v1")),
        rule(path("PathPrefix", "/a"), version("v2")),
        rule(path("PathPrefix", "/a/b"), version("v1")),
        rule(path("Exact", "/a/b/c"), version("v2")),
    )
    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: world.versions(path="/a/b/c"), {"v2"}.__eq__)
        ways = [await world.versions(6, way) for way in ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d")]
    assert ways == [{"v1"}, {"v2"}, {"v1"}, {"v2"}, {"v1"}]


async def test_a_match_on_a_header_alone_wins_over_an_equal_prefix(world: World) -> None:
    spec = route(rule(ANY, version("v1")), rule(header("Exact", "new"), version("v2")))
    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: world.versions(20, x_way="new"), {"v2"}.__eq__)
        assert await world.versions(20) == {"v1"}


async def test_weights_split_requests(world: World) -> None:
    split = route(rule(ANY, version("v1", weight=90), version("v2", weight=10)))
    async with world.applied("MeshHTTPRoute", split):
        await until(lambda: world.counted(20), lambda counts: counts["v1"] > 12)
        counts = await world.counted(200)
        assert 150 <= counts["v1"] <= 198
        assert counts["v1"] + counts["v2"] == 200


async def test_a_weight_of_zero_gets_nothing(world: World) -> None:
    split = route(rule(ANY, version("v1"), version("v2", weight=0)))
    async with world.applied("MeshHTTPRoute", split):
        await until(lambda: world.versions(20), {"v1"}.__eq__)


async def test_requests_go_to_another_service(world: World) -> None:
    other = {"kind": "MeshService", "name": "next"}
    async with world.applied("MeshHTTPRoute", route(rule(ANY, other))):
        await until(lambda: world.versions(20), {"next"}.__eq__)
        assert await world.versions(of=world.other) == BOTH
    await until(lambda: world.versions(20), BOTH.__eq__)


async def test_a_backend_that_is_not_there_gives_500(world: World) -> None:
    nowhere = {"kind": "MeshService", "name": "nowhere"}
    spec = route(rule(path("PathPrefix", "/gone"), nowhere))
    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: world.status("/gone"), (500).__eq__)
        assert await world.versions() == BOTH


# Filters


def changing(kind: str, conf: dict[str, Any], match: dict[str, Any] = ANY) -> dict[str, Any]:
    field = kind[0].lower() + kind[1:] if kind != "URLRewrite" else "urlRewrite"
    return route(rule(match, filters=[{"type": kind, field: conf}]))


HEADERS = {
    "set": [{"name": "x-set", "value": "new"}],
    "add": [{"name": "x-added", "value": "more"}],
    "remove": ["x-removed"],
}


async def test_headers_of_requests_change(world: World) -> None:
    async def seen() -> list[str | None]:
        given = {"x_set": "old", "x_added": "one", "x_removed": "here", "x_kept": "kept"}
        headers = (await world.seen(**given))["headers"]
        return [headers.get(f"x-{name}") for name in ("set", "added", "removed", "kept")]

    async with world.applied("MeshHTTPRoute", changing("RequestHeaderModifier", HEADERS)):
        await until(seen, ["new", "more", None, "kept"].__eq__)
    await until(seen, ["old", "one", "here", "kept"].__eq__)


async def test_headers_of_answers_change(world: World) -> None:
    for backend in (world.v1, world.v2):
        backend.headers = {"x-set": "old", "x-removed": "here", "x-kept": "kept"}

    async def seen() -> list[str | None]:
        headers = (await world.get()).headers
        return [headers.get(f"x-{name}") for name in ("set", "added", "removed", "kept")]

    async with world.applied("MeshHTTPRoute", changing("ResponseHeaderModifier", HEADERS)):
        await until(seen, ["new", "more", None, "kept"].__eq__)
    await until(seen, ["old", None, "here", "kept"].__eq__)


async def test_a_prefix_is_rewritten_as_gateway_api_says(world: World) -> None:
    conf = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}
    spec = changing("URLRewrite", conf, path("PathPrefix", "/old"))

    async def seen(way: str) -> str:
        return str((await world.seen(way))["path"])

    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: seen("/old/x"), "/new/x".__eq__)
        ways = [await seen(way) for way in ("/old", "/older", "/old?q=1", "/")]
        assert ways == ["/new", "/older", "/new?q=1", "/"]
    await until(lambda: seen("/old/x"), "/old/x".__eq__)


async def test_host_and_path_are_rewritten(world: World) -> None:
    conf = {
        "hostname": "inside.example",
        "path": {"type": "ReplaceFullPath", "replaceFullPath": "/whole"},
    }

    async def seen() -> tuple[str, str]:
        request = await world.seen("/some/path?q=1")
        return request["headers"]["host"], request["path"]

    async with world.applied("MeshHTTPRoute", changing("URLRewrite", conf)):
        await until(seen, ("inside.example", "/whole?q=1").__eq__)
    await until(seen, lambda found: found[1] == "/some/path?q=1")


@pytest.mark.parametrize(
    ("conf", "status", "location"),
    [
        (
            {"hostname": "elsewhere.example", "statusCode": 301},
            301,
            "http://elsewhere.example/gone",
        ),
        ({"hostname": "a.example", "port": 8443}, 302, "http://a.example:8443/gone"),
        ({"scheme": "https", "hostname": "a.example"}, 302, "https://a.example/gone"),
        (
            {
                "hostname": "a.example",
                "statusCode": 307,
                "path": {"type": "ReplaceFullPath", "replaceFullPath": "/there"},
            },
            307,
            "http://a.example/there",
        ),
    ],
    ids=str,
)
async def test_a_redirect_answers_itself(
    world: World, conf: dict[str, Any], status: int, location: str
) -> None:
    spec = changing("RequestRedirect", conf, path("Exact", "/gone"))
    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: world.status("/gone"), status.__eq__)
        assert (await world.get("/gone")).headers["location"] == location
    await until(lambda: world.status("/gone"), (200).__eq__)


async def test_copies_go_to_another_service(world: World) -> None:
    copies = {"backendRef": {"kind": "MeshService", "name": "next"}}
    spec = changing("RequestMirror", copies, path("PathPrefix", "/copied"))

    async def copied(way: str) -> bool:
        await world.get(way)
        return any(f"GET {way}" == call for call, _ in world.next.requests)

    async with world.applied("MeshHTTPRoute", spec):
        await until(lambda: copied("/copied/a"), (True).__eq__)
        assert await world.versions(path="/copied/b") == BOTH
        assert not await copied("/else")


async def test_a_share_is_copied(world: World) -> None:
    ref = {"backendRef": {"kind": "MeshService", "name": "next"}}
    other = {"filters": [{"type": "RequestMirror", "requestMirror": {**ref, "percentage": "50"}}]}
    spec = route(rule(path("PathPrefix", "/half"), **other))

    async def copied() -> int:
        before = len(world.next.requests)
        await world.statuses(100, "/half")
        return len(world.next.requests) - before

    async with world.applied("MeshHTTPRoute", spec):
        await until(copied, lambda count: 20 <= count <= 80)
    await until(copied, (0).__eq__)
