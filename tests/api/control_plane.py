"""A REST API over a real MemoryStore, for tests: everything behind it is real but the inspector."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from kuma.api.app import build_api
from kuma.api.dependencies import ApiDependencies
from kuma.api.ports import InstanceFacts
from kuma.config.control_plane import ControlPlaneSettings
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import TokenIssuer
from kuma.kit.clock import ManualClock
from kuma.pipeline.aggregates import Aggregates
from kuma.policies.catalogue import REGISTRY
from kuma.resources.errors import NotFound, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kri import Kri
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Create
from kuma.resources.writer import Writer
from kuma.stores.memory import MemoryStore

FACTS = InstanceFacts(
    hostname="host-1", instance_id="host-1-ab12", cluster_id="c-1", version="2.14.3"
)
LOCAL = ("127.0.0.1", 50000)
STRANGER = ("203.0.113.7", 50000)


class SketchedInspector:
    """Answers with what it was asked; a policy selects every dataplane of its mesh."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.unreachable = False
        self.parts: dict[str, Any] = {}

    def rules(self, mesh: str, name: str) -> dict[str, Any]:
        return {"asked": "rules", "mesh": mesh, "name": name}

    def config(self, mesh: str, name: str, *, shadow: bool, include_diff: bool) -> dict[str, Any]:
        if name == "never-connected":
            raise NotFound(ResourceKey("DataplaneInsight", mesh, name))
        return {"asked": "config", "shadow": shadow, "diff": include_diff}

    def policies(self, mesh: str, name: str) -> dict[str, Any]:
        return {"asked": "policies", "mesh": mesh, "name": name}

    def attached_rules(self, mesh: str, name: str) -> dict[str, Any]:
        return {"asked": "attached rules", "mesh": mesh, "name": name}

    def layout(self, mesh: str, name: str) -> dict[str, Any]:
        return {"asked": "layout", "name": name, **self.parts}

    def proxy_policies(self, mesh: str, name: str) -> dict[str, Any]:
        return {"asked": "proxy", "name": name}

    def inbound_policies(self, mesh: str, name: str, inbound: Kri) -> dict[str, Any] | None:
        return None if inbound.section == "gone" else {"asked": "inbound", "kri": str(inbound)}

    def outbound_policies(
        self, mesh: str, name: str, outbound: Kri, route: Kri | None = None
    ) -> dict[str, Any]:
        return {"asked": "outbound", "kri": str(outbound), "route": route and str(route)}

    def outbound_routes(self, mesh: str, name: str, outbound: Kri) -> dict[str, Any]:
        return {"asked": "routes", "kri": str(outbound)}

    def selected_dataplanes(
        self, policy: AnyResource, *, include_shadow: bool = True
    ) -> Sequence[AnyResource]:
        return self._replica.list(DATAPLANE, policy.mesh)

    async def envoy_admin(
        self,
        mesh: str,
        name: str,
        what: str,
        *,
        format: str,  # noqa: A002 - as the port has it
        include_eds: bool,
    ) -> bytes:
        if self.unreachable:
            raise Unavailable(f'dataplane "{name}" is not connected')
        return f"{what} {format} {include_eds}".encode()


@dataclass
class ControlPlane:
    """What a test needs to look behind the API."""

    app: FastAPI
    store: MemoryStore
    replica: Replica
    writer: Writer
    issuer: TokenIssuer
    inspector: SketchedInspector
    clock: ManualClock
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)

    def client(
        self,
        *,
        peer: tuple[str, int] = LOCAL,
        host: str = "localhost:5681",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.AsyncClient:
        """Whoever calls from `peer`; an administrator from this machine unless told otherwise."""
        transport = httpx.ASGITransport(app=self.app, client=peer)
        return httpx.AsyncClient(
            transport=transport, base_url=f"http://{host}", headers=dict(headers or {})
        )

    async def add(self, *resources: AnyResource) -> None:
        """Into the store, past admission; children of their mesh."""
        await self.store.commit([Create(each, owner=_owner(each)) for each in resources])


def _owner(resource: AnyResource) -> ResourceKey | None:
    return ResourceKey("Mesh", "", resource.mesh) if resource.mesh else None


@asynccontextmanager
async def a_control_plane(settings: Mapping[str, Any] | None = None) -> AsyncIterator[ControlPlane]:
    """`settings` in the form of the configuration file."""
    clock, replica = ManualClock(), Replica()
    store = MemoryStore(REGISTRY, clock)
    await store.start(replica)
    writer = Writer(store, replica, REGISTRY, clock, zone="default")
    inspector, metrics = SketchedInspector(replica), CollectorRegistry()
    issuer = TokenIssuer(replica, clock=clock)
    deps = ApiDependencies(
        replica=replica,
        writer=writer,
        registry=REGISTRY,
        settings=ControlPlaneSettings.model_validate(settings or {}),
        clock=clock,
        issuer=issuer,
        validator=TokenValidator(replica, clock=clock),
        inspector=inspector,
        insights=Aggregates(replica, REGISTRY, clock),
        facts=FACTS,
        metrics=metrics,
    )
    app = build_api(deps)
    yield ControlPlane(app, store, replica, writer, issuer, inspector, clock, metrics)
    await store.close()
