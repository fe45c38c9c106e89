"""Large documents hold nobody up: a real control plane goes on answering others meanwhile."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest

from kuma.api.body import MAX_BODY
from tests.support.mesh import a_control_plane


def _policy() -> dict[str, Any]:
    def to(at: int) -> dict[str, Any]:
        match = {"path": {"type": "PathPrefix", "value": f"/{at}"}}
        rules = [{"matches": [match], "default": {}}]
        return {"targetRef": {"kind": "MeshService", "name": f"service-{at}"}, "rules": rules}

    spec = {"to": [to(at) for at in range(6_500)]}
    return {"type": "MeshHTTPRoute", "mesh": "default", "name": "large", "spec": spec}


def _dataplane() -> dict[str, Any]:
    outbound = [
        {"port": 1_024 + at, "tags": {"kuma.io/service": f"service-{at}"}} for at in range(17_000)
    ]
    networking = {"address": "127.0.0.1", "inbound": [{"port": 80}], "outbound": outbound}
    return {"type": "Dataplane", "mesh": "default", "name": "large", "networking": networking}


async def _gaps(url: str, until: asyncio.Future[Any]) -> list[float]:
    """Between two answers to somebody who always asks for the next at once."""
    found = []
    async with httpx.AsyncClient(trust_env=False) as client:
        await client.get(url)
        last = perf_counter()
        while not until.done():
            (await client.get(url)).raise_for_status()
            found.append(perf_counter() - last)
            last = perf_counter()
    return found


async def _put(url: str, content: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        return await client.put(url, content=content, headers={"content-type": "application/json"})


@pytest.mark.parametrize("document", [_policy(), _dataplane()], ids=["policy", "dataplane"])
async def test_others_are_answered_while_a_large_document_is_written(
    tmp_path: Path, document: Mapping[str, Any]
) -> None:
    """Where the loop is held, one gap is nearly as long as all of the write, each time. The bound is a
    share of it, since both grow alike on a machine that is busy, which may hold up one of them."""
    content = json.dumps(document, separators=(",", ":"))
    assert 0.7 * MAX_BODY < len(content) < MAX_BODY
    async with a_control_plane(tmp_path) as control_plane:
        url = f"{control_plane.url}{control_plane.path(document)}"
        held = []
        for status in (201, 200, 200, 200):
            began = perf_counter()
            put = asyncio.ensure_future(_put(url, content))
            gaps = await _gaps(f"{control_plane.url}/", put)
            took = perf_counter() - began
            answer = await put
            assert answer.status_code == status, answer.text
            held.append(max(gaps) / took)
        assert min(held) < 1 / 2
