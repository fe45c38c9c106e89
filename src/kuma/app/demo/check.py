"""`kumactl demo --check`: proves on real traffic that the mesh does what it is told, and how fast.

Each step changes a resource over the REST API and sends requests through the sidecars until they
are treated differently; the time printed runs from the start of the change's request to the start
of the first answer that shows it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter

import httpx

from kuma.app.demo import topology
from kuma.app.demo.processes import Demo, DemoFailed
from kuma.app.demo.topology import API, HOST, PROXIES, WEB

Say = Callable[[str], None]
Change = Callable[[], Awaitable[None]]

PATIENCE = 10.0
"""Seconds within which a change must act."""


async def check(demo: Demo, say: Say) -> None:
    """All steps. Raises DemoFailed at the first that does not happen."""
    async with httpx.AsyncClient(timeout=5) as client:
        await _Check(demo, client, say).run()


class _Check:
    def __init__(self, demo: Demo, client: httpx.AsyncClient, say: Say) -> None:
        self.demo = demo
        self.client = client
        self.say = say
        self.counter = f"{demo.ports.page_url}/api/counter"

    async def run(self) -> None:
        await self._requests_work()
        await self._plaintext_is_refused()
        await self._permission_denies_and_allows()
        await self._route_splits()
        await self._route_by_header()

    async def _requests_work(self) -> None:
        before = (await self._ask()).json()["count"]
        answer = await self.client.post(self.counter)
        if answer.status_code != httpx.codes.OK or answer.json()["count"] != before + 1:
            raise DemoFailed(f"incrementing the counter answered {answer.text}")
        self.say("page -> API (HTTP) -> store (TCP), each hop with mutual TLS: works")

    async def _plaintext_is_refused(self) -> None:
        proxy = next(each for each in PROXIES if each.service == API)
        port = self.demo.ports[proxy.inbound]
        try:
            answer = await self.client.get(f"http://{HOST}:{port}/counter")
        except httpx.TransportError:
            self.say("a request without mutual TLS straight to the API's sidecar: refused")
            return
        raise DemoFailed(f"the API's sidecar answered a plaintext request: {answer.status_code}")

    async def _permission_denies_and_allows(self) -> None:
        deny = topology.permission(API, WEB, "Deny")
        took = await self._acts(lambda: self.demo.put(deny), _is_forbidden)
        self.say(f"MeshTrafficPermission denies the page: 403 after {took}")
        allow = topology.permission(API, WEB, "Allow")
        took = await self._acts(lambda: self.demo.put(allow), _is_ok)
        self.say(f"MeshTrafficPermission allows it again: 200 after {took}")

    async def _route_splits(self) -> None:
        for version in ("v1", "v2"):
            only = topology.route(topology.split({version: 1}))
            took = await self._acts(
                partial(self.demo.put, only), partial(_is_from, version), in_a_row=20
            )
            self.say(f"MeshHTTPRoute sends everything to {version}: after {took}")
        await self.demo.put(topology.route(topology.split({"v1": 50, "v2": 50})))
        await self._settled(lambda counts: len(counts) == 2)
        counts = await self._versions(200)
        if not 60 <= counts["v1"] <= 140:
            raise DemoFailed(f"50/50 should be near 100 each: {dict(counts)}")
        self.say(
            f"MeshHTTPRoute splits 50/50: of 200 requests {counts['v1']} v1, {counts['v2']} v2"
        )

    async def _route_by_header(self) -> None:
        routed = topology.route(topology.split({"v2": 1}, header="v2"), topology.split({"v1": 1}))
        await self.demo.put(routed)
        await self._settled(lambda counts: set(counts) == {"v1"})
        counts = await self._versions(40, {"x-version": "v2"})
        if set(counts) != {"v2"}:
            raise DemoFailed(f"requests with x-version: v2 should reach v2: {dict(counts)}")
        self.say("MeshHTTPRoute sends requests with the header `x-version: v2` to v2, others to v1")
        await self.demo.delete(routed)
        await self._settled(lambda counts: len(counts) == 2)
        self.say("MeshHTTPRoute deleted: both versions answer again")

    async def _acts(
        self, change: Change, shows: Callable[[httpx.Response], bool], *, in_a_row: int = 1
    ) -> str:
        """Make a change while requests go on; how long until they show it. `in_a_row` answers must
        show it where some would by chance."""
        started = perf_counter()
        changing = asyncio.ensure_future(change())
        first, seen = started, 0
        try:
            while perf_counter() - started < PATIENCE:
                asked = perf_counter()
                if not shows(await self._ask()):
                    seen = 0
                else:
                    first = first if seen else asked
                    seen += 1
                if seen == in_a_row:
                    return f"{(first - started) * 1000:.0f} ms"
                if changing.done():
                    await changing
        finally:
            await changing
        raise DemoFailed(f"the change did not act on traffic within {PATIENCE:.0f} s")

    async def _settled(self, holds: Callable[[Counter[str]], bool]) -> None:
        deadline = perf_counter() + PATIENCE
        while not holds(await self._versions(20)):
            if perf_counter() > deadline:
                raise DemoFailed(f"the change did not act on traffic within {PATIENCE:.0f} s")

    async def _versions(self, requests: int, headers: dict[str, str] | None = None) -> Counter[str]:
        answers = [await self.client.get(self.counter, headers=headers) for _ in range(requests)]
        return Counter(str(answer.json().get("version")) for answer in answers)

    async def _ask(self) -> httpx.Response:
        return await self.client.get(self.counter)


def _is_ok(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.OK


def _is_forbidden(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.FORBIDDEN


def _is_from(version: str, answer: httpx.Response) -> bool:
    return _is_ok(answer) and answer.json().get("version") == version
