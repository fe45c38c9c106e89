"""The status of policies says whether the backends that they name exist, without end or delay."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest_asyncio

from kuma.policies.catalogue import REGISTRY
from kuma.resources.kinds.conditions import ConditionsStatus
from kuma.resources.kinds.mesh_open_telemetry_backend import MESH_OPEN_TELEMETRY_BACKEND
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.upkeep.backend_refs import BackendRefConditions
from tests.support.builders import a_mesh, a_resource
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

MOTB = MESH_OPEN_TELEMETRY_BACKEND.name


class Job(AtWork):
    def __init__(self, site: Site) -> None:
        super().__init__(site, partial(BackendRefConditions, site.replica, site.writer, REGISTRY))

    def conditions(self, kind: str, name: str) -> list[tuple[str, str, str, str]]:
        found = self.site.replica.find(ResourceKey(kind, "default", name))
        status = found.status if found is not None else None
        known = status.conditions if isinstance(status, ConditionsStatus) else None
        return [(c.type, c.status.value, c.reason, c.message) for c in known or ()]


def a_backend(name: str = "main", **labels: str) -> AnyResource:
    return a_resource(MESH_OPEN_TELEMETRY_BACKEND, name, {}, labels=labels)


def otel(**labels: str) -> dict[str, Any]:
    ref = {"kind": MOTB, "labels": labels}
    return {"type": "OpenTelemetry", "openTelemetry": {"backendRef": ref}}


def a_trace(*backends: dict[str, Any]) -> AnyResource:
    spec = {"default": {"backends": list(backends)}}
    return a_resource(REGISTRY.kind("MeshTrace"), "spans", spec)


def a_log(*backends: dict[str, Any]) -> AnyResource:
    spec = {"rules": [{"default": {"backends": [each]}} for each in backends]}
    return a_resource(REGISTRY.kind("MeshAccessLog"), "logs", spec)


@pytest_asyncio.fixture
async def job(site: Site) -> AsyncIterator[Job]:
    await site.writer.put(a_mesh())
    job = Job(site)
    yield job
    await job.stop()


RESOLVED = (
    "BackendRefsResolved",
    "True",
    "AllBackendRefsResolved",
    "All MeshOpenTelemetryBackend references are resolved",
)


async def test_a_policy_says_what_is_missing_until_it_is_there(job: Job) -> None:
    put = job.site.writer.put
    await put(a_trace(otel(team="x")))
    missing = (
        "BackendRefsResolved",
        "False",
        "UnresolvedBackendRefs",
        "Unresolved MeshOpenTelemetryBackend references: labels:team=x",
    )
    await job.until(lambda: job.conditions("MeshTrace", "spans") == [missing])

    await put(a_backend(team="x"))
    await job.until(lambda: job.conditions("MeshTrace", "spans") == [RESOLVED])
    count = ("ReferencedByPolicies", "True", "Referenced", "Referenced by 1 policy backend(s)")
    await job.until(lambda: job.conditions(MOTB, "main") == [count])

    await job.site.writer.delete(a_backend().key)
    await job.until(lambda: job.conditions("MeshTrace", "spans") == [missing])


async def test_a_backend_counts_who_names_it(job: Job) -> None:
    put = job.site.writer.put
    await put(a_backend(team="x", tier="gold"))
    nobody = (
        "ReferencedByPolicies",
        "False",
        "NotReferenced",
        "Not referenced by any observability policy",
    )
    await job.until(lambda: job.conditions(MOTB, "main") == [nobody])
    await put(a_log(otel(team="x"), otel(tier="gold")))
    await put(a_trace(otel(team="x")))
    count = ("ReferencedByPolicies", "True", "Referenced", "Referenced by 3 policy backend(s)")
    await job.until(lambda: job.conditions(MOTB, "main") == [count])


async def test_a_policy_without_references_has_no_condition_unless_it_had_one(job: Job) -> None:
    put = job.site.writer.put
    file = {"type": "File", "file": {"path": "/tmp/log"}}
    await put(a_log(file))
    await put(a_trace(otel(team="x")))
    await job.until(lambda: job.conditions("MeshTrace", "spans"))
    assert job.conditions("MeshAccessLog", "logs") == []

    await put(a_trace())
    nothing = (*RESOLVED[:3], "No MeshOpenTelemetryBackend references configured")
    await job.until(lambda: job.conditions("MeshTrace", "spans") == [nothing])


async def test_what_is_told_already_is_not_written_again(job: Job) -> None:
    put = job.site.writer.put
    await put(a_backend(team="x"))
    await put(a_trace(otel(team="x")))
    await job.until(lambda: job.conditions("MeshTrace", "spans") == [RESOLVED])
    await job.until(lambda: job.conditions(MOTB, "main")[0][1] == "True")
    before = len(job.writes)
    await put(a_backend(team="x"))  # nothing new
    await put(a_log(otel(team="x")))  # the next round, which looks at all of the mesh
    await job.until(lambda: job.conditions("MeshAccessLog", "logs") == [RESOLVED])
    await job.until(lambda: "by 2 policy" in job.conditions(MOTB, "main")[0][3])
    assert len(job.writes) - before == 3  # the policy, its status, that of the backend
