"""Makes MeshIdentities work: their authorities, their MeshTrusts, their status. A job of the leader.

    MeshIdentity -> authority -> MeshTrust -> Preparing: all hear of it -> Ready: proxies get theirs

Woken by what a MeshIdentity depends on, and by the end of its preparation; it looks only at the
meshes that a change may touch.

# Differs from Kuma: there all are looked through every five seconds, and proxies may get certificates
before others trust them. And an identity that is ready stays so while its authority cannot be read:
its proxies keep their certificates, rather than to fall back to plaintext.
Source: reference 8.
"""

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from kuma.kit.clock import Clock
from kuma.pipeline.credentials import SPREAD
from kuma.resolve.workload_identity import NoSpiffeId, trust_domain_of
from kuma.resources.admission import spec_as
from kuma.resources.kinds.conditions import Condition
from kuma.resources.kinds.mesh import MESH, MeshServicesMode, MeshSpec
from kuma.resources.kinds.mesh_identity import (
    MESH_IDENTITY,
    MeshIdentitySpec,
    MeshIdentityStatus,
)
from kuma.resources.kinds.mesh_identity.model import (
    DEPENDENCIES_READY,
    PARTIALLY_READY,
    PREPARING,
    READY,
    SPIFFE_ID_PROVIDER,
)
from kuma.resources.kinds.mesh_trust import (
    MESH_TRUST,
)
from kuma.resources.kinds.secret import SECRET
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import Resource
from kuma.resources.store import Store
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda, Touched
from kuma.upkeep.identity_authorities import (
    Failed,
    Identity,
    IdentityAuthorities,
    done,
    undone,
)

log = structlog.get_logger("mesh-identities")

Place = tuple[str, str]
"""(mesh, name)"""


class MeshIdentityUpkeep:
    def __init__(
        self, store: Store, replica: Replica, writer: Writer, clock: Clock, *, zone: str
    ) -> None:
        self._authorities = IdentityAuthorities(store, replica, writer, clock, zone=zone)
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._zone = zone
        self._prepared_at: dict[Place, datetime] = {}
        self._agenda = Agenda[Place]("mesh-identities")

    async def run(self) -> None:
        """Until cancelled."""
        touched: Touched[Place] = {
            MESH_IDENTITY.name: lambda change: [(change.key.mesh, change.key.name)],
            MESH.name: lambda change: self._places_in(change.key.name),
            MESH_TRUST.name: lambda change: self._places_in(change.key.mesh),
            SECRET.name: lambda change: self._places_in(change.key.mesh),
        }
        await self._agenda.run(self._replica, touched, self._keep)

    def _places_in(self, mesh: str) -> list[Place]:
        return [(mesh, each.name) for each in self._replica.list(MESH_IDENTITY, mesh)]

    async def _keep(self, place: Place) -> None:
        mesh_name, name = place
        mesh = spec_as(MeshSpec, self._replica.find(ResourceKey(MESH.name, "", mesh_name)))
        identity = self._find(place)
        if mesh is None or identity is None:
            self._prepared_at.pop(place, None)
            return
        conditions = await self._conditions(place, identity, mesh)
        status = MeshIdentityStatus(conditions=conditions)
        if identity.status != status:
            await self._writer.update(replace(identity, status=status))
            log.info("MeshIdentity", mesh=mesh_name, name=name, state=conditions[-1].reason)

    def _find(self, place: Place) -> Identity | None:
        found = self._replica.find(ResourceKey(MESH_IDENTITY.name, *place))
        spec = spec_as(MeshIdentitySpec, found)
        if found is None or spec is None:
            return None
        return Resource(MESH_IDENTITY, found.meta, spec, found.status)

    async def _conditions(
        self, place: Place, identity: Identity, mesh: MeshSpec
    ) -> tuple[Condition, ...]:
        """What became of each step, and last whether it is ready."""
        services = mesh.mesh_services
        if services is None or services.mode is not MeshServicesMode.EXCLUSIVE:
            self._prepared_at.pop(place, None)
            return (_NEEDS_SERVICES, _not_ready("Failure", _STEP_FAILED))
        if identity.spec.provider is None:
            self._prepared_at.pop(place, None)
            return self._only_ids(identity)
        found: list[Condition] = []
        try:
            await self._authorities.make(identity, tell=found.append)
        except Failed as failure:
            return (*found, failure.condition, self._ready_after_failure(identity))
        return (*found, self._ready(place, identity))

    def _only_ids(self, identity: Identity) -> tuple[Condition, ...]:
        try:
            trust_domain_of(identity, self._zone)
        except NoSpiffeId as error:
            failed = undone(SPIFFE_ID_PROVIDER, "SpiffeIDError", str(error))
            return (failed, _not_ready("Failure", _STEP_FAILED))
        provided = "Providing only SpiffeIDs for services."
        partly = "Running in SpiffeID providing only mode."
        return (
            done(SPIFFE_ID_PROVIDER, "SpiffeIDProvided", provided),
            _not_ready(PARTIALLY_READY, partly),
        )

    def _ready(self, place: Place, identity: Identity) -> Condition:
        if _is_ready(identity):
            return _READY
        left = self._prepared_at.setdefault(place, self._clock.now()) + SPREAD - self._clock.now()
        if left <= timedelta(0):
            del self._prepared_at[place]
            return _READY
        self._agenda.add_later(place, left)
        return _not_ready(PREPARING, "Proxies hear of the identity before any of them gets it")

    def _ready_after_failure(self, identity: Identity) -> Condition:
        if not _is_ready(identity):
            return _not_ready("Failure", _STEP_FAILED)
        return done(READY, "Ready", f"{_STEP_FAILED}; proxies keep the certificates they have")


_STEP_FAILED = "One of initialization steps failed"


def _is_ready(identity: Identity) -> bool:
    return isinstance(identity.status, MeshIdentityStatus) and identity.status.is_ready


def _not_ready(reason: str, message: str) -> Condition:
    return undone(READY, reason, message)


_READY = done(READY, "Ready", "Successfully initialized")
_NEEDS_SERVICES = undone(
    DEPENDENCIES_READY,
    "MeshServicesDisabled",
    "MeshIdentity needs the MeshServices of the mesh: set meshServices.mode to Exclusive",
)
