"""`make bench`: the real control plane with a swarm of proxies on it, measured.

    python -m tests.bench                          1,000 proxies of 50 services, mutual TLS
    python -m tests.bench --shape full-mesh        1,000 proxies that each call all of 500 services
    python -m tests.bench --small                  a small mesh with real Envoys
    python -m tests.bench --address https://...    any compatible control plane

Prints a table; asserts nothing, since time on a shared machine is no verdict. Compare ratios of runs
on one machine. What the figures mean: docs/performance.md.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.bench import small_mesh
from tests.bench.figures import show, write
from tests.bench.measure import PHASES, Bench, a_swarm
from tests.bench.shape import Shape
from tests.bench.target import Target
from tests.support.mesh import a_control_plane


def phases_of(text: str) -> tuple[str, ...]:
    if unknown := set(text.split(",")) - set(PHASES):
        raise argparse.ArgumentTypeError(
            f"no phase: {', '.join(sorted(unknown))}; there are {', '.join(PHASES)}"
        )
    return tuple(text.split(","))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument(
        "--ports", type=int, default=0, help="the first of four; default: free ones"
    )
    parser.add_argument("--small", action="store_true", help="a small mesh with real Envoys")
    parser.add_argument("--shape", choices=["consumers", "full-mesh"], default="consumers")
    parser.add_argument("--proxies", type=int, default=1000)
    parser.add_argument("--services", type=int, help="default: 50, in a full mesh 500")
    parser.add_argument("--outbounds", type=int, default=10, help="of each proxy (consumers)")
    parser.add_argument("--mtls", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--sotw", action="store_true", help="state of the world, not delta")
    parser.add_argument("--swarms", type=int, default=1, help="processes that play the proxies")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--churn", type=float, default=20, help="seconds")
    parser.add_argument(
        "--phases", type=phases_of, default=PHASES, help=f"of {','.join(PHASES)}; default: all"
    )
    parser.add_argument("--address", help="data plane server of a control plane that runs already")
    parser.add_argument("--api", help="its REST API, http://host:5681")
    parser.add_argument("--pid", type=int, default=0, help="its process, if it is on this machine")
    parser.add_argument("--token", help="a file with a dataplane token; default: asked for")
    parser.add_argument("--profile", metavar="PHASE", help="a flame graph of it (needs py-spy)")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    return parser.parse_args()


@asynccontextmanager
async def a_target(options: argparse.Namespace, directory: Path) -> Any:
    if options.address:
        async with httpx.AsyncClient(base_url=options.api, timeout=120) as rest:
            yield Target(options.address, rest, options.pid)
        return
    ports = [options.ports + each for each in range(4)] if options.ports else None
    async with a_control_plane(directory, ports=ports) as cp:
        cp.rest.timeout = httpx.Timeout(120)
        yield Target(cp.dp_url, cp.rest, cp.process.pid, str(cp.ca_file), cp)


async def measure_swarm(options: argparse.Namespace) -> None:
    services = options.services or (500 if options.shape == "full-mesh" else 50)
    outbounds = services if options.shape == "full-mesh" else options.outbounds
    shape = Shape(options.proxies, services, outbounds, options.mtls)
    title = f"{shape}{', state of the world' if options.sotw else ''}"
    print(title, file=sys.stderr)
    phases = [each for each in options.phases if not (options.address and each == "restart")]
    with tempfile.TemporaryDirectory(prefix="kuma-bench-") as directory:
        async with a_target(options, Path(directory)) as target:
            token = Path(options.token).read_text().strip() if options.token else ""
            token = token or await target.token()
            async with a_swarm(
                shape,
                target,
                processes=options.swarms,
                sotw=options.sotw,
                token=token,
                withholds=not options.address,
            ) as swarm:
                bench = Bench(
                    target, swarm, shape,
                    rounds=options.rounds, churn_seconds=options.churn, profile=options.profile,
                )  # fmt: skip
                try:
                    await bench.run(phases)
                finally:
                    show(title, bench.figures)
                    if options.json:
                        write(options.json, title, bench.figures)


async def measure(options: argparse.Namespace) -> None:
    """Also when it is told to stop, every process that it started ends."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await (small_mesh.measure(options.json) if options.small else measure_swarm(options))


def main() -> None:
    asyncio.run(measure(arguments()))


if __name__ == "__main__":
    main()
