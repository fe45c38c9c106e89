"""One of the two control planes: it is put resources, and asked."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from tests.compare.chance import Json


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Side:
    """`xds_port` is where proxies connect; 0: none can."""

    def __init__(self, name: str, address: str, xds_port: int = 0) -> None:
        self.name = name
        self.xds_port = xds_port
        self.rest = httpx.AsyncClient(base_url=address, timeout=60)
        self._paths: dict[str, str] = {}

    async def learn(self) -> None:
        answer = await self.rest.get("/_resources")
        self._paths = {each["name"]: each["path"] for each in answer.json()["resources"]}

    @property
    def kinds(self) -> set[str]:
        return set(self._paths)

    def path(self, document: Json) -> str:
        own = f"/{self._paths[document['type']]}/{document['name']}"
        return f"/meshes/{document['mesh']}{own}" if "mesh" in document else own

    def collection(self, kind: str, mesh: str) -> str:
        return f"/meshes/{mesh}/{self._paths[kind]}"

    async def put(self, document: Json) -> Answer:
        return _answer(await self.rest.put(self.path(document), json=document))

    async def delete(self, document: Json) -> Answer:
        """What is still being made may not be deleted yet."""
        for _ in range(5):
            answer = _answer(await self.rest.delete(self.path(document)))
            if answer.is_success or answer.status == HTTPStatus.NOT_FOUND:
                break
            await asyncio.sleep(0.3)
        return answer

    async def token(self, dataplane: Json) -> str:
        """With which its proxy may connect."""
        workload = (dataplane.get("labels") or {}).get("kuma.io/workload")
        bound = {"workload": workload} if workload else {}
        wanted = {"mesh": dataplane["mesh"], "name": dataplane["name"], "validFor": "1h", **bound}
        return (await self.rest.post("/tokens/dataplane", json=wanted)).text

    async def ask(self, path: str) -> Answer:
        """A connection may have been idle for too long; whoever closes a second one has failed."""
        for _ in range(2):
            try:
                return _answer(await self.rest.get(path))
            except httpx.RemoteProtocolError:
                continue
        return Answer(0, "the connection was closed")


def _answer(response: httpx.Response) -> Answer:
    try:
        return Answer(response.status_code, response.json())
    except ValueError:
        return Answer(response.status_code, response.text)
