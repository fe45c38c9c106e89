"""The demo's services, each a process: a page with a counter, its API, a key-value store.

    python -m kuma.app.demo.applications web --port 6080 --api http://127.0.0.1:6201
    python -m kuma.app.demo.applications api --port 6081 --version v1 --store 127.0.0.1:6301
    python -m kuma.app.demo.applications kv  --port 6083

They know nothing of the mesh: each calls the next at a local port, where its sidecar listens.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import click

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Counter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:12vh auto;padding:0 1rem;color:#1b2330}
 output{display:block;font-size:6rem;font-weight:700;line-height:1.1}
 button{font:inherit;padding:.6rem 1.4rem;border:0;border-radius:.4rem;background:#1456cb;color:#fff;cursor:pointer}
 button:focus-visible{outline:3px solid #f5b301} .v1{color:#1456cb} .v2{color:#0b7d4f} #error{color:#b3261e;min-height:1.5em}
</style></head><body>
<h1>Counter</h1><output id="count">-</output>
<p>answered by <strong id="version">-</strong></p><p id="error" role="alert"></p>
<button id="add">Increment</button>
<script>
 const show = id => document.getElementById(id);
 async function call(path, options) {
   try {
     const answer = await fetch(path, options), text = await answer.text();
     if (!answer.ok) throw new Error(answer.status + ": " + text);
     const {count, version} = JSON.parse(text);
     show("count").textContent = count; show("version").textContent = version;
     show("version").className = version; show("error").textContent = "";
   } catch (error) { show("error").textContent = error.message; }
 }
 show("add").onclick = () => call("api/counter", {method: "POST"});
 call("api/counter"); setInterval(() => call("api/counter"), 1000);
</script></body></html>
"""


@click.group()
def main() -> None:
    """One of the demo's services."""


@main.command()
@click.option("--port", type=int, required=True)
@click.option("--api", required=True, help="where this service reaches the API")
def web(port: int, api: str) -> None:
    """The page; passes /api/ on to the API."""
    import httpx
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, PlainTextResponse, Response
    from starlette.routing import Route

    client = httpx.AsyncClient(base_url=api, timeout=10)

    async def page(_: Request) -> Response:
        return HTMLResponse(PAGE)

    async def forward(request: Request) -> Response:
        kept = {k: v for k, v in request.headers.items() if k.startswith("x-")}
        try:
            answer = await client.request(
                request.method, f"/{request.path_params['path']}", headers=kept
            )
        except httpx.HTTPError as error:
            return PlainTextResponse(f"the API does not answer: {error!r}", status_code=502)
        return Response(answer.content, answer.status_code, media_type="application/json")

    _serve(
        Starlette(
            routes=[Route("/", page), Route("/api/{path:path}", forward, methods=["GET", "POST"])]
        ),
        port,
    )


@main.command()
@click.option("--port", type=int, required=True)
@click.option("--version", required=True)
@click.option("--store", required=True, help="host:port where this service reaches the store")
def api(port: int, version: str, store: str) -> None:
    """The counter: GET /counter reads, POST /counter adds one."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    async def counter(request: Request) -> Response:
        command = "INCR" if request.method == "POST" else "GET"
        try:
            count = int(await _ask(store, f"{command} counter") or 0)
        except (OSError, ValueError, TimeoutError) as error:
            problem = f"the store does not answer: {error!r}"
            return JSONResponse({"error": problem, "version": version}, status_code=503)
        return JSONResponse({"count": count, "version": version})

    _serve(
        Starlette(routes=[Route("/counter", counter, methods=["GET", "POST"])]),
        port,
    )


@main.command()
@click.option("--port", type=int, required=True)
def kv(port: int) -> None:
    """The store: a line `GET key`, `SET key value` or `INCR key` gives a line with the value."""
    values: dict[str, str] = {}

    def answer(line: str) -> str:
        match line.split(" ", 2):
            case ["GET", key]:
                return values.get(key, "")
            case ["SET", key, text]:
                values[key] = text
                return text
            case ["INCR", key]:
                values[key] = str(int(values.get(key) or 0) + 1)
                return values[key]
            case _:
                return "error: GET key, SET key value, INCR key"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            async for line in reader:
                writer.write(f"{answer(line.decode().strip())}\n".encode())
                await writer.drain()
        writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", port)
        await server.serve_forever()

    with suppress(KeyboardInterrupt):
        asyncio.run(listen())


async def _ask(address: str, line: str) -> str:
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(5), _connected(host, int(port)) as (reader, writer):
        writer.write(f"{line}\n".encode())
        answer = await reader.readline()
        if not answer:
            raise ConnectionError("the connection was closed")
        return answer.decode().strip()


@asynccontextmanager
async def _connected(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()


def _serve(app: Callable[..., Awaitable[None]], port: int) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
