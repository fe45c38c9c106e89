"""MeshLoadBalancingStrategy: which endpoint gets the next request."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.mesh import until
from tests.system.policies.conftest import BOTH, World, to

pytestmark = pytest.mark.asyncio(loop_scope="package")

POLICY = "MeshLoadBalancingStrategy"
USERS = [f"user-{number}" for number in range(20)]


async def versions_of_users(world: World, path: str = "/?id={}") -> list[set[str]]:
    """For each user the versions that answered; a header and the query tell who it is."""
    return [await world.versions(3, path.format(user), x_user=user) for user in USERS]


def is_sticky(seen: list[set[str]]) -> bool:
    """Each user always reaches the same version, and not all of them the same one."""
    return all(len(each) == 1 for each in seen) and set[str]().union(*seen) == BOTH


def hashed(balancer: str, **by: Any) -> dict[str, Any]:
    return {"loadBalancer": {"type": balancer}, "hashPolicies": [by]}


BY_HEADER = {"type": "Header", "header": {"name": "x-user"}}
BY_QUERY = {"type": "QueryParameter", "queryParameter": {"name": "id"}}


@pytest.mark.parametrize("balancer", ["RingHash", "Maglev"])
@pytest.mark.parametrize("by", [BY_HEADER, BY_QUERY], ids=["header", "query"])
async def test_who_asks_decides_about_the_instance(
    world: World, balancer: str, by: dict[str, Any]
) -> None:
    async with world.applied(POLICY, to("api", hashed(balancer, **by))):
        await until(lambda: versions_of_users(world), is_sticky)
    await until(lambda: world.versions(path="/?id=same", x_user="same"), BOTH.__eq__)


async def test_the_address_of_the_client_decides_about_the_instance(world: World) -> None:
    conf = hashed("RingHash", type="SourceIP", connection={"sourceIP": True})
    async with world.applied(POLICY, to("api", conf)):
        await until(lambda: world.versions(20), lambda seen: len(seen) == 1)
    await until(lambda: world.versions(20), BOTH.__eq__)


async def test_a_cookie_that_envoy_makes_binds_a_client(world: World) -> None:
    """The policies are in their older place, within the balancer."""
    cookie = {"name": "bound", "ttl": "1h", "path": "/"}
    policies = {"hashPolicies": [{"type": "Cookie", "cookie": cookie}]}
    conf = {"loadBalancer": {"type": "RingHash", "ringHash": policies}}
    async with world.applied(POLICY, to("api", conf)):
        await until(world.get, lambda answer: "bound" in answer.cookies)
        assert world.http.cookies["bound"]  # sent from now on
        assert len(await world.versions()) == 1
    await until(lambda: world.versions(20), BOTH.__eq__)


async def test_what_is_terminal_decides_alone(world: World) -> None:
    """Whoever has the header is bound by it, whatever the query says."""
    conf = {
        "loadBalancer": {"type": "RingHash"},
        "hashPolicies": [{**BY_HEADER, "terminal": True}, BY_QUERY],
    }

    async def of_one_user() -> set[str]:
        return {await world.version(f"/?id={user}", x_user="one") for user in USERS}

    async with world.applied(POLICY, to("api", conf)):
        await until(of_one_user, lambda seen: len(seen) == 1)
        assert {await world.version(f"/?id={user}") for user in USERS} == BOTH


async def test_one_route_has_a_hash_of_its_own(world: World) -> None:
    match = {"path": {"type": "PathPrefix", "value": "/by-id"}}
    target = {"kind": "MeshService", "name": "api"}
    route = {"to": [{"targetRef": target, "rules": [{"matches": [match], "default": {}}]}]}
    by_query = to("by-id", {"hashPolicies": [BY_QUERY]}, "MeshHTTPRoute")
    async with (
        world.applied("MeshHTTPRoute", route, "by-id"),
        world.applied(POLICY, to("api", {"loadBalancer": {"type": "RingHash"}}), "ring"),
        world.applied(POLICY, by_query),
    ):
        await until(lambda: versions_of_users(world, "/by-id?id={}"), is_sticky)
        assert await world.versions(20, "/else?id=same") == BOTH


@pytest.mark.parametrize("balancer", ["RoundRobin", "LeastRequest", "Random"])
async def test_without_a_hash_every_instance_gets_requests(world: World, balancer: str) -> None:
    """Envoy's default, RoundRobin, is not in what it shows."""
    conf = {"loadBalancer": {"type": balancer}}
    policy = {"LeastRequest": "LEAST_REQUEST", "Random": "RANDOM"}.get(balancer)
    async with world.applied(POLICY, to("api", conf)):
        await until(lambda: lb_policy(world), policy.__eq__)
        await until(lambda: world.versions(20), BOTH.__eq__)


async def lb_policy(world: World) -> str | None:
    """That of the cluster as Envoy has it."""
    dump = (await world.cp.rest.get("/meshes/default/dataplanes/client/xds")).json()
    return next(
        each["cluster"].get("lb_policy")
        for config in dump["configs"]
        for each in config.get("dynamic_active_clusters", ())
        if each["cluster"]["name"] == "api"
    )


async def test_who_is_busy_gets_fewer_requests(world: World) -> None:
    """Of two that are picked at random the one with fewer requests under way."""
    world.v1.delay = lambda _: 0.2
    conf = {"loadBalancer": {"type": "LeastRequest", "leastRequest": {"choiceCount": 8}}}

    async def counted() -> Counter[str]:
        found: Counter[str] = Counter()
        for _ in range(5):
            found += Counter(await asyncio.gather(*(world.version() for _ in range(4))))
            found += await world.counted(4)
        return found

    async with world.applied(POLICY, to("api", conf)):
        await until(counted, lambda counts: counts["v2"] > 1.2 * counts["v1"])


async def test_affinity_keeps_traffic_near(world: World) -> None:
    url = "/meshes/default/dataplanes/client"
    original, near = [(await world.cp.rest.get(url)).json() for _ in range(2)]
    near["networking"]["inbound"][0]["tags"]["version"] = "v2"
    conf = {"localZone": {"affinityTags": [{"key": "version", "weight": 1_000_000}]}}
    assert (await world.cp.rest.put(url, json=near)).is_success
    try:
        async with world.applied(POLICY, to("api", {"localityAwareness": conf})):
            await until(lambda: world.versions(20), {"v2"}.__eq__)
        off = {"localityAwareness": {"disabled": True}}
        async with world.applied(POLICY, to("api", off)):
            await until(lambda: world.versions(20), BOTH.__eq__)
        both = {"localityAwareness": {**conf, "disabled": True}}
        async with world.applied(POLICY, to("api", both)):
            await until(lambda: world.versions(20), {"v2"}.__eq__)
    finally:
        await world.cp.rest.put(url, json=original)
    await until(lambda: world.versions(20), BOTH.__eq__)
