"""Makes MeshIdentities work: their authorities, their MeshTrusts, their status. A job of the leader.

    MeshIdentity -> authority -> MeshTrust -> Preparing: all hear of it -> Ready: proxies get theirs

Woken by what a MeshIdentity depends on, and by the end of its preparation; it looks only at the
meshes that a change may touch.

# Differs from Kuma: there all are looked through every five seconds, and proxies may get certificates
before others trust them. And an identity that is ready stays so while its authority cannot be read:
its proxies keep their certificates, rather than to fall back to plaintext.
Source: reference 8.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from kuma.app.control_plane.agenda import Agenda, Touched
from kuma.identity import bundled as authorities
from kuma.identity.builtin import generate_root
from kuma.identity.errors import IdentityError
from kuma.identity.key_pair import KeyPair
from kuma.identity.secret_source import new_secret
from kuma.kit.clock import Clock
from kuma.pipeline.credentials import SPREAD
from kuma.resolve.workload_identity import NoSpiffeId, trust_domain_of
from kuma.resources.admission import spec_as
from kuma.resources.errors import AlreadyExists, ResourceError
from kuma.resources.kinds.conditions import Condition, ConditionStatus
from kuma.resources.kinds.mesh import MESH, MeshServicesMode, MeshSpec
from kuma.resources.kinds.mesh_identity import (
    MESH_IDENTITY,
    MeshIdentitySpec,
    MeshIdentityStatus,
)
from kuma.resources.kinds.mesh_identity.model import (
    DEPENDENCIES_READY,
    MESH_TRUST_CREATED,
    PARTIALLY_READY,
    PREPARING,
    PROVIDER,
    READY,
    SPIFFE_ID_PROVIDER,
    Bundled,
)
from kuma.resources.kinds.mesh_trust import (
    MESH_TRUST,
    BundleType,
    CaBundle,
    MeshTrustSpec,
    MeshTrustStatus,
    Origin,
    Pem,
)
from kuma.resources.kinds.secret import SECRET
from kuma.resources.kri import kri_of
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Create, Store
from kuma.resources.writer import Writer

log = structlog.get_logger("mesh-identities")

Place = tuple[str, str]
"""(mesh, name)"""
Identity = Resource[MeshIdentitySpec]


class _Failed(Exception):
    """A step that could not be done: the condition that says so."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.message)
        self.condition = condition


class MeshIdentityUpkeep:
    def __init__(
        self, store: Store, replica: Replica, writer: Writer, clock: Clock, *, zone: str
    ) -> None:
        self._store = store
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
        if identity.spec.bundled is None:
            self._prepared_at.pop(place, None)
            return self._only_ids(identity)
        found: list[Condition] = []
        try:
            pair = await self._provide(identity, identity.spec.bundled)
            found.append(
                _done(PROVIDER, "ProviderInitialized", "Provider successfully initialized")
            )
            found += await self._trust(identity, identity.spec.bundled, pair)
        except _Failed as failure:
            return (*found, failure.condition, self._ready_after_failure(identity))
        return (*found, self._ready(place, identity))

    def _only_ids(self, identity: Identity) -> tuple[Condition, ...]:
        try:
            trust_domain_of(identity, self._zone)
        except NoSpiffeId as error:
            failed = _undone(SPIFFE_ID_PROVIDER, "SpiffeIDError", str(error))
            return (failed, _not_ready("Failure", _STEP_FAILED))
        provided = "Providing only SpiffeIDs for services."
        partly = "Running in SpiffeID providing only mode."
        return (
            _done(SPIFFE_ID_PROVIDER, "SpiffeIDProvided", provided),
            _not_ready(PARTIALLY_READY, partly),
        )

    async def _provide(self, identity: Identity, bundled: Bundled) -> KeyPair:
        """The authority, made if it has to be. Raises _Failed."""
        try:
            trust_domain = trust_domain_of(identity, self._zone)
            pair = await self._find_or_make(identity, bundled, trust_domain)
        except (IdentityError, NoSpiffeId) as error:
            message = str(error)
            raise _Failed(_undone(PROVIDER, "ProviderInitializationError", message)) from error
        if not bundled.insecure_allow_self_signed and authorities.is_self_signed(pair):
            message = "self-signed certificates are not allowed"
            raise _Failed(_undone(PROVIDER, "ProviderValidationError", message))
        if bundled.creates_trust and not authorities.has_root(pair):
            # Differs from Kuma: ready, and no proxy believes another.
            message = "the certificate must be followed by those that signed it, up to the root"
            raise _Failed(_undone(PROVIDER, "ProviderValidationError", message))
        return pair

    async def _find_or_make(
        self, identity: Identity, bundled: Bundled, trust_domain: str
    ) -> KeyPair:
        """Raises IdentityError, also for a made authority of which one part is gone: to delete both
        is how another is asked for."""
        mesh, name = identity.mesh, identity.display_name
        keys = authorities.cert_secret_key(mesh, name), authorities.key_secret_key(mesh, name)
        if not bundled.is_generated or any(self._replica.find(key) for key in keys):
            return authorities.find_pair(bundled, mesh, name=name, secrets=self._replica)
        pair = await asyncio.to_thread(generate_root, trust_domain, clock=self._clock)
        now = self._clock.now()
        parts = (pair.cert_pem, pair.key.reveal)
        made = [new_secret(key, data, now=now) for key, data in zip(keys, parts, strict=True)]
        try:
            await self._store.commit([Create(each, owner=identity.key) for each in made])
        except AlreadyExists:
            return authorities.find_pair(bundled, mesh, name=name, secrets=self._replica)
        return pair

    async def _trust(self, identity: Identity, bundled: Bundled, pair: KeyPair) -> list[Condition]:
        """Raises _Failed."""
        trust_domain = trust_domain_of(identity, self._zone)
        if not bundled.creates_trust:
            known = (
                spec_as(MeshTrustSpec, e) for e in self._replica.list(MESH_TRUST, identity.mesh)
            )
            if any(each is not None and each.trust_domain == trust_domain for each in known):
                return []
            # Differs from Kuma: ready without, and proxies that trust nobody.
            message = f'there is no MeshTrust for the trust domain "{trust_domain}"'
            raise _Failed(_undone(DEPENDENCIES_READY, "MeshTrustMissing", message))
        try:
            await self._put_trust(identity, trust_domain, pair)
        except ResourceError as error:
            condition = _undone(MESH_TRUST_CREATED, "MeshTrustCreationError", str(error))
            raise _Failed(condition) from error
        message = "MeshTrust has been successfully created"
        return [_done(MESH_TRUST_CREATED, "MeshTrustCreated", message)]

    async def _put_trust(self, identity: Identity, trust_domain: str, pair: KeyPair) -> None:
        """Adds the authority to those that are trusted; the others stay: certificates of theirs may
        be in use still. Raises ResourceError, _Failed."""
        key = ResourceKey(MESH_TRUST.name, identity.mesh, identity.name)
        found = self._replica.find(key)
        spec = spec_as(MeshTrustSpec, found)
        if spec is not None and spec.trust_domain != trust_domain:
            # Differs from Kuma, which adds the authority to those of the other trust domain.
            message = f'the MeshTrust "{key.name}" is for the trust domain "{spec.trust_domain}"'
            raise _Failed(_undone(MESH_TRUST_CREATED, "MeshTrustCreationError", message))
        bundle = CaBundle(type=BundleType.PEM, pem=Pem(value=pair.cert_pem.decode()))
        if found is None or spec is None:
            found = await self._create_trust(identity, trust_domain, bundle)
            spec = spec_as(MeshTrustSpec, found)
        elif not authorities.holds_certificate(spec.pems, pair):
            spec = spec.model_copy(update={"ca_bundles": (*spec.ca_bundles, bundle)})
        origin = MeshTrustStatus(origin=Origin(kri=str(kri_of(identity))))
        if spec is not None and (found.spec != spec or found.status != origin):
            await self._writer.update(replace(found, spec=spec, status=origin))

    async def _create_trust(
        self, identity: Identity, trust_domain: str, bundle: CaBundle
    ) -> AnyResource:
        now = self._clock.now()
        meta = ResourceMeta(identity.mesh, identity.name, 0, now, now)
        spec = MeshTrustSpec(trust_domain=trust_domain, ca_bundles=(bundle,))
        put = await self._writer.put(Resource(MESH_TRUST, meta, spec))
        log.info("created a MeshTrust", mesh=identity.mesh, name=identity.name)
        return put.resource

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
        return _done(READY, "Ready", f"{_STEP_FAILED}; proxies keep the certificates they have")


_STEP_FAILED = "One of initialization steps failed"


def _is_ready(identity: Identity) -> bool:
    return isinstance(identity.status, MeshIdentityStatus) and identity.status.is_ready


def _done(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=ConditionStatus.TRUE, reason=reason, message=message)


def _undone(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=ConditionStatus.FALSE, reason=reason, message=message)


def _not_ready(reason: str, message: str) -> Condition:
    return _undone(READY, reason, message)


_READY = _done(READY, "Ready", "Successfully initialized")
_NEEDS_SERVICES = _undone(
    DEPENDENCIES_READY,
    "MeshServicesDisabled",
    "MeshIdentity needs the MeshServices of the mesh: set meshServices.mode to Exclusive",
)
