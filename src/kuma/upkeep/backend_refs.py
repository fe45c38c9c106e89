"""Tells in the status of policies whether the MeshOpenTelemetryBackends that they name exist, and in
the status of those who names them. A job of the leader.

    changes of the replica -> meshes to look at -> conditions -> writer (status.conditions)

What is as it should be is not written, so that its own writes end the job's work.
# Differs from Kuma: there all meshes are looked through every five seconds, and policies that name no
backend have a condition, too.
Source: Kuma, conditions BackendRefsResolved and ReferencedByPolicies.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from kuma.resources.backend_resource_ref import BackendResourceRef
from kuma.resources.errors import NotFound, ResourceError
from kuma.resources.kind import Kind
from kuma.resources.kinds.conditions import Condition, ConditionsStatus, ConditionStatus
from kuma.resources.kinds.mesh_open_telemetry_backend import (
    MESH_OPEN_TELEMETRY_BACKEND,
    find_backend,
)
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda

RESOLVED, REFERENCED = "BackendRefsResolved", "ReferencedByPolicies"


class BackendRefConditions:
    """`policies` are the kinds that may name backends."""

    def __init__(self, replica: Replica, writer: Writer, policies: Iterable[Kind[Any]]) -> None:
        self._replica = replica
        self._writer = writer
        self._policies = [kind for kind in policies if kind.backend_refs is not None]

    async def run(self) -> None:
        """Until cancelled."""
        kinds = [MESH_OPEN_TELEMETRY_BACKEND, *self._policies]
        touched = dict.fromkeys((kind.name for kind in kinds), _mesh_of)
        await Agenda[str]("backend references").run(self._replica, touched, self._keep)

    async def _keep(self, mesh: str) -> None:
        """All of the mesh, whatever becomes of one. Raises the first failure."""
        failure: ResourceError | None = None
        for resource in self._to_write(mesh):
            try:
                await self._writer.update(resource)
            except NotFound:
                continue
            except ResourceError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _to_write(self, mesh: str) -> Iterator[AnyResource]:
        backends = self._replica.list(MESH_OPEN_TELEMETRY_BACKEND, mesh)
        counts = Counter[str]()
        for kind in self._policies:
            for policy in self._replica.list(kind, mesh):
                refs = refs_of(policy)
                found = [find_backend(backends, ref) for ref in refs]
                counts.update(each.name for each in found if each is not None)
                missing = {ref for ref, each in zip(refs, found, strict=True) if each is None}
                yield from _with_condition(policy, _resolved(refs, missing), is_new=bool(refs))
        for backend in backends:
            yield from _with_condition(backend, _referenced(counts[backend.name]), is_new=True)


def _mesh_of(change: Change) -> list[str]:
    return [change.key.mesh]


def refs_of(policy: AnyResource) -> list[BackendResourceRef]:
    """One for each backend that is named, so maybe several times the same."""
    refs = policy.kind.backend_refs
    return [] if refs is None else [ref for _, ref in refs(policy.spec)]


def _with_condition(
    resource: AnyResource, condition: Condition, *, is_new: bool
) -> Iterator[AnyResource]:
    """The resource to write, if any. `is_new`: the condition is told also where there is none."""
    status = resource.status if isinstance(resource.status, ConditionsStatus) else None
    known = None if status is None else status.find(condition.type)
    if known == condition or (known is None and not is_new):
        return
    yield replace(resource, status=(status or ConditionsStatus()).with_condition(condition))


def _resolved(refs: Sequence[BackendResourceRef], missing: set[BackendResourceRef]) -> Condition:
    what = f"{MESH_OPEN_TELEMETRY_BACKEND.name} references"
    if missing:
        return Condition(
            type=RESOLVED,
            status=ConditionStatus.FALSE,
            reason="UnresolvedBackendRefs",
            message=f"Unresolved {what}: {', '.join(sorted(map(str, missing)))}",
        )
    message = f"All {what} are resolved" if refs else f"No {what} configured"
    return Condition(
        type=RESOLVED,
        status=ConditionStatus.TRUE,
        reason="AllBackendRefsResolved",
        message=message,
    )


def _referenced(count: int) -> Condition:
    return Condition(
        type=REFERENCED,
        status=ConditionStatus.TRUE if count else ConditionStatus.FALSE,
        reason="Referenced" if count else "NotReferenced",
        message=f"Referenced by {count} policy backend(s)"
        if count
        else "Not referenced by any observability policy",
    )
