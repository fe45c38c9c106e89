"""Port 5680: is the process alive, is it ready, what does it count?

GET /healthy   200 while the process runs
GET /ready     200 once everything is started and the store answers, else 503 with the reason
GET /metrics   Prometheus
"""

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

NotReady = str


def build_diagnostics(not_ready: Callable[[], NotReady | None]) -> Starlette:
    """`not_ready` gives the reason for people why the control plane is not ready, or None."""

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_: Request) -> Response:
        reason = not_ready()
        if reason is not None:
            return PlainTextResponse(f"not ready: {reason}\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(REGISTRY), headers={"content-type": CONTENT_TYPE_LATEST})

    return Starlette(
        routes=[
            Route("/healthy", healthy),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ]
    )
