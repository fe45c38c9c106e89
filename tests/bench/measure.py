"""The phases: what is done to a control plane with a swarm on it, and what is read off."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tests.bench.figures import Figure, mebibytes, seconds, share, spread
from tests.bench.process import cpu_seconds
from tests.bench.shape import Shape
from tests.bench.target import Probe, Target, profiled

ROUNDS = 8
PATIENCE = 120.0
"""Seconds that anything may take."""


class SwarmProcess:
    """A part of the swarm, from this side."""

    def __init__(self, child: asyncio.subprocess.Process, first: int, last: int) -> None:
        self.child = child
        self.first, self.last = first, last

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        line = await self.child.stdout.readline()
        if not line:
            raise AssertionError("a process of the swarm ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class Swarm:
    shape: Shape
    processes: list[SwarmProcess]

    async def connect(self) -> None:
        for each in self.processes:
            await each.ask("connect", first=each.first, last=each.last)

    async def configured(self) -> list[float]:
        """When each proxy was; fewer than all if they were not in time."""
        answers = await asyncio.gather(
            *[
                each.ask("configured", count=each.last - each.first, timeout=PATIENCE)
                for each in self.processes
            ]
        )
        return sorted(time for answer in answers for time in answer["times"])

    async def shown(self, kind: str, change: int, service: int | None = None) -> list[float]:
        """When each proxy that a change concerns received it."""
        answers = await asyncio.gather(
            *[
                each.ask(
                    "shown",
                    kind=kind,
                    change=change,
                    count=self._affected(each, service),
                    timeout=PATIENCE,
                )
                for each in self.processes
            ]
        )
        return sorted(time for answer in answers for time in answer["times"])

    async def quiet(self, for_seconds: float = 0.3) -> float:
        """When the last message came, once none has come for a while."""
        answers = await asyncio.gather(
            *[each.ask("quiet", seconds=for_seconds, timeout=PATIENCE) for each in self.processes]
        )
        return max(answer["last"] for answer in answers)

    async def counters(self) -> dict[str, Any]:
        answers = [await each.ask("counters") for each in self.processes]
        total: dict[str, Any] = {"reconnects": sum(each["reconnects"] for each in answers)}
        for what in ("messages", "bytes"):
            total[what] = sum(sum(each[what].values()) for each in answers)
        total["reasons"] = [each["reasons"] for each in answers if each["reasons"]]
        return total

    @property
    def cpu(self) -> float:
        return sum(cpu_seconds(each.child.pid) for each in self.processes)

    def _affected(self, part: SwarmProcess, service: int | None) -> int:
        if service is None:
            return part.last - part.first
        return sum(service in self.shape.calls(each) for each in range(part.first, part.last))


@asynccontextmanager
async def a_swarm(
    shape: Shape, target: Target, *, processes: int, sotw: bool, token: str, withholds: bool
) -> Any:
    bounds = [shape.proxies * each // processes for each in range(processes + 1)]
    options = {
        "shape": vars(shape),
        "address": target.address,
        "token": token,
        "ca_file": target.ca_file,
        "sotw": sotw,
        "withholds": withholds,
    }
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.bench.swarm",
            json.dumps(options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 24,
        )
        for _ in range(processes)
    ]
    try:
        yield Swarm(
            shape,
            [SwarmProcess(child, bounds[i], bounds[i + 1]) for i, child in enumerate(children)],
        )
    finally:
        for child in children:
            child.stdin.close()  # type: ignore[union-attr]
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()


@dataclass
class Budgets:
    """Of one shape; empty where there is none."""

    connect: str = "-"
    policy: str = "-"
    endpoint: str = "-"
    one_destination: str = "-"
    policy_cpu: str = "-"
    endpoint_cpu: str = "-"
    idle: str = "under 1%"
    memory: str = "-"
    restart: str = "-"
    churn: str = "-"


def budgets_of(shape: Shape) -> Budgets:
    """Of issue and architecture, p99 where three numbers are shown."""
    if shape.outbounds >= shape.services and shape.services >= 100:
        return Budgets(endpoint="650 ms", one_destination="750 ms", memory="700 MiB")
    if shape.proxies >= 5000:
        return Budgets(policy="3500 ms", endpoint="700 ms", memory="1024 MiB")
    return Budgets(
        connect="8 s",
        policy="600 (500) ms",
        endpoint="200 (120) ms",
        policy_cpu="0.6 s",
        endpoint_cpu="0.15 s",
        memory="300 (250) MiB",
        restart="8 s" if shape.mtls else "6 s",
        churn="500 ms; under 40%",
    )


@dataclass
class Bench:
    target: Target
    swarm: Swarm
    shape: Shape
    rounds: int = ROUNDS
    churn_seconds: float = 20.0
    profile: str | None = None
    figures: list[Figure] = field(default_factory=list)
    _policies: int = 0
    _moves: int = 0

    def __post_init__(self) -> None:
        self.budgets = budgets_of(self.shape)

    async def run(self, phases: list[str]) -> None:
        for phase in phases:
            print(f"measuring: {phase}", file=sys.stderr)
            async with profiled(self.target, phase=phase, wanted=self.profile):
                await getattr(self, phase)()

    def tell(self, what: str, measured: str, budget: str = "-") -> None:
        print(f"  {what}: {measured}", file=sys.stderr)
        self.figures.append(Figure(what, measured, budget))

    async def load(self) -> None:
        """The mesh, and a Dataplane of each service, over REST."""
        started = monotonic()
        await self.target.put(self.shape.mesh())
        await self.target.put(self.shape.permission())
        await self.target.put(self.shape.timeout(0))
        for service in range(self.shape.services):
            await self.target.put(self.shape.mover(service, 0))
        self.tell("load over REST", seconds(monotonic() - started))

    async def connect(self) -> None:
        """All at once, each bringing its Dataplane."""
        started, cpu = monotonic(), self.target.cpu
        await self.swarm.connect()
        times = await self.swarm.configured()
        assert len(times) == self.shape.proxies, f"{len(times)} proxies were configured in time"
        counters = await self.swarm.counters()
        quiet = await self.swarm.quiet(2.0)
        after = await self.swarm.counters()
        self.tell("connect and configure all", seconds(times[-1] - started), self.budgets.connect)
        self.tell("half of them", seconds(times[len(times) // 2] - started))
        self.tell("until nothing more comes", seconds(quiet - started))
        self.tell("CPU until then", seconds(self.target.cpu - cpu))
        self.tell(
            "messages (when configured, when quiet)",
            f"{counters['messages']}, {after['messages']} ({after['bytes'] >> 20} MiB)",
        )
        if after["reconnects"]:
            self.tell("reconnects", f"{after['reconnects']} {after['reasons']}")
        self.tell("memory when connected", mebibytes(self.target.rss), self.budgets.memory)

    async def policy(self) -> None:
        """A MeshTimeout for all destinations."""
        await self._changes(
            "policy change to all",
            self._change_policy,
            self.budgets.policy,
            self.budgets.policy_cpu,
        )

    async def endpoint(self) -> None:
        """Another address of one instance."""
        await self._changes(
            f"endpoint change to {self.shape.consumers(0)} consumers",
            self._change_endpoint,
            self.budgets.endpoint,
            self.budgets.endpoint_cpu,
        )

    async def destination(self) -> None:
        """A MeshTimeout for one destination, which exists already."""
        for each in range(self.rounds + 1):
            await self.target.put(self.shape.timeout(0, each % self.shape.services))
        await self.swarm.quiet()
        await self._changes(
            f"policy of one destination to {self.shape.consumers(0)} consumers",
            self._change_destination,
            self.budgets.one_destination,
        )
        for each in range(self.rounds + 1):
            await self.target.delete(self.shape.timeout(0, each % self.shape.services))
        await self.swarm.quiet()

    async def beside(self) -> None:
        """An endpoint change while a policy change is on its way to all."""
        self._policies += 1
        started = monotonic()
        await self.target.put(self.shape.timeout(self._policies))
        times = await self._change_endpoint(0)
        self.tell("endpoint change right behind a policy change", spread(times))
        times = [t - started for t in await self.swarm.shown("CLUSTER", self._policies)]
        self.tell("the policy change before it", spread(times))
        await self.swarm.quiet()
        self.tell("memory, highest so far", mebibytes(self.target.peak))

    async def stall(self) -> None:
        """The longest answer of the server itself while changes go out."""
        async with Probe(self.target.address).running() as probe:
            for each in range(3):
                await self._change_policy(each)
                await self.swarm.quiet()
            self.tell(
                "longest stall while policies change", f"{probe.longest * 1000:.0f} ms", "50 ms"
            )
            probe.longest = 0.0
            for each in range(5):
                await self._change_endpoint(each)
                await self.swarm.quiet()
            self.tell(
                "longest stall while endpoints change", f"{probe.longest * 1000:.0f} ms", "50 ms"
            )

    async def settle(self) -> None:
        """What proxies acknowledged is written down within the flush interval (10 s)."""
        cpu = self.target.cpu
        await asyncio.sleep(11)
        self.tell("CPU of writing insights after changes", seconds(self.target.cpu - cpu))

    async def idle(self) -> None:
        before, cpu = await self.swarm.counters(), self.target.cpu
        await asyncio.sleep(10)
        after = await self.swarm.counters()
        self.tell("idle", share((self.target.cpu - cpu) / 10), self.budgets.idle)
        self.tell("messages when idle", str(after["messages"] - before["messages"]), "0")
        self.tell("memory when idle", mebibytes(self.target.rss), self.budgets.memory)

    async def churn(self) -> None:
        """Ten endpoint changes a second of one service."""
        before, cpu = await self.swarm.counters(), self.target.cpu
        started = monotonic()
        puts: dict[int, float] = {}
        for each in range(int(self.churn_seconds * 10)):
            await asyncio.sleep(max(0.0, started + each / 10 - monotonic()))
            self._moves += 1
            puts[self._moves] = monotonic()
            await self.target.put(self.shape.mover(0, self._moves))
        lasted = monotonic() - started
        spent = self.target.cpu - cpu
        times = [
            time - start
            for change, start in puts.items()
            for time in await self.swarm.shown("ENDPOINT", change, 0)
        ]
        await self.swarm.quiet()
        after = await self.swarm.counters()
        self.tell(
            "10 endpoint changes a second: time to receipt", spread(times), self.budgets.churn
        )
        self.tell("its CPU", share(spent / lasted))
        self.tell(
            "messages per change", f"{(after['messages'] - before['messages']) / len(puts):.0f}"
        )

    async def restart(self) -> None:
        """Of kuma-cp, with every proxy coming back."""
        started = await self.target.restart()
        ready = monotonic()
        times = await self.swarm.configured()
        assert len(times) == self.shape.proxies, f"{len(times)} proxies came back in time"
        quiet = await self.swarm.quiet(2.0)
        self.tell("restart: process start to ready", seconds(ready - started))
        self.tell(
            "restart: until all are served", seconds(times[-1] - started), self.budgets.restart
        )
        self.tell("restart: until nothing more comes", seconds(quiet - started))
        self.tell("restart: CPU", seconds(self.target.cpu))
        self.tell("memory after the restart", mebibytes(self.target.rss), self.budgets.memory)

    async def _changes(
        self,
        what: str,
        change: Callable[[int], Awaitable[list[float]]],
        budget: str,
        cpu_budget: str = "-",
    ) -> None:
        await change(0)
        await self.swarm.quiet()
        before, cpu, swarm_cpu = await self.swarm.counters(), self.target.cpu, self.swarm.cpu
        rounds = []
        for each in range(1, self.rounds + 1):
            rounds.append(await change(each))
            await self.swarm.quiet()
        spent, swarm_spent = self.target.cpu - cpu, self.swarm.cpu - swarm_cpu
        after = await self.swarm.counters()
        times = [time for each in rounds for time in each]
        self.tell(f"{what} (p50 / p99 / max)", spread(times), budget)
        maxima = " ".join(f"{max(each, default=0) * 1000:.0f}" for each in rounds)
        self.tell("  last receipt of each round", f"{maxima} ms")
        self.tell("  CPU a change", f"{spent / self.rounds:.3f} s", cpu_budget)
        self.tell("  CPU of the swarm", f"{swarm_spent / self.rounds:.3f} s")
        delta = {key: (after[key] - before[key]) / self.rounds for key in ("messages", "bytes")}
        self.tell(
            "  messages a change", f"{delta['messages']:.0f} ({delta['bytes'] / 1024:.0f} KiB)"
        )

    async def _change_policy(self, _round: int) -> list[float]:
        self._policies += 1
        return await self._change(self.shape.timeout(self._policies), "CLUSTER", self._policies)

    async def _change_destination(self, turn: int) -> list[float]:
        self._policies += 1
        service = turn % self.shape.services
        document = self.shape.timeout(self._policies, service)
        return await self._change(document, "CLUSTER", self._policies, service)

    async def _change_endpoint(self, turn: int) -> list[float]:
        self._moves += 1
        service = turn % self.shape.services
        document = self.shape.mover(service, self._moves)
        return await self._change(document, "ENDPOINT", self._moves, service)

    async def _change(
        self, document: Mapping[str, Any], kind: str, change: int, service: int | None = None
    ) -> list[float]:
        """Seconds from the start of the write to the receipt at each proxy concerned."""
        started = monotonic()
        await self.target.put(document)
        times = await self.swarm.shown(kind, change, service)
        wanted = self.shape.proxies if service is None else self.shape.consumers(service)
        assert len(times) == wanted, f"{len(times)} of {wanted} proxies received {document['name']}"
        return [time - started for time in times]


PHASES = (
    "load",
    "connect",
    "policy",
    "endpoint",
    "destination",
    "beside",
    "stall",
    "settle",
    "idle",
    "churn",
    "restart",
)
