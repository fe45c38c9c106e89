"""The demo as a command: progress while it starts, then what runs where, until Ctrl-C.

`kumactl demo` calls `run`; it returns the exit code.
"""

import asyncio
from time import perf_counter

from rich.console import Console

from kuma.app.demo.check import check
from kuma.app.demo.processes import Demo, DemoFailed, until_signalled
from kuma.app.demo.topology import DEFAULT_BASE, PROXIES, Ports


def run(*, port_base: int = DEFAULT_BASE, check_only: bool = False) -> int:
    console = Console(highlight=False)
    try:
        return asyncio.run(_run(console, Ports(port_base), check_only=check_only))
    except DemoFailed as problem:
        console.print(f"[red]error:[/red] {problem}", soft_wrap=True)
        return 1


async def _run(console: Console, ports: Ports, *, check_only: bool) -> int:
    stopping = asyncio.ensure_future(until_signalled())
    work = asyncio.ensure_future(_work(console, ports, check_only=check_only))
    await asyncio.wait({stopping, work}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if work.done():
        return work.result()
    console.print("\nstopping everything that was started")
    work.cancel()
    await asyncio.wait({work})
    return 1 if check_only else 0


async def _work(console: Console, ports: Ports, *, check_only: bool) -> int:
    started = perf_counter()

    def progress(step: str) -> None:
        console.print(f"[dim]{perf_counter() - started:5.1f} s[/dim]  {step}", soft_wrap=True)

    async with Demo(ports) as demo:
        await demo.start(progress)
        if check_only:
            await check(demo, progress)
            progress("[green]all of it happened[/green]")
            return 0
        _print_places(console, ports)
        await demo.watch()
    return 0


def _print_places(console: Console, ports: Ports) -> None:
    services = ", ".join(proxy.name for proxy in PROXIES)
    first = ""
    if ports.base != DEFAULT_BASE:
        first = f"kumactl config control-planes add --name demo --address {ports.api_url}\n       "
    console.print(
        f"\n[bold]The mesh is up.[/bold]  {services}: each behind its own sidecar, mutual TLS on\n\n"
        f"  page           {ports.page_url}\n"
        f"  REST API       {ports.api_url}\n"
        f"  API docs       {ports.api_url}/docs\n\n"
        f"  Try: {first}kumactl get dataplanes\n"
        f"       kumactl inspect dataplane demo-web\n\n"
        "Ctrl-C stops everything.",
        soft_wrap=True,
    )
