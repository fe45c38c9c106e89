"""What MeshIdentities have to do with authorities: who issues, and who is trusted.

    Bundled -> the authority, made or given -> its MeshTrust
    Spire   -> nothing: the SPIRE agents on the machines of proxies have it

Source: reference 8.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import structlog

from kuma.identity import bundled as authorities
from kuma.identity.builtin import generate_root
from kuma.identity.errors import IdentityError
from kuma.identity.key_pair import KeyPair
from kuma.identity.secret_source import new_secret
from kuma.kit.clock import Clock
from kuma.resolve.workload_identity import NoSpiffeId, trust_domain_of
from kuma.resources.admission import spec_as
from kuma.resources.errors import AlreadyExists, ResourceError
from kuma.resources.kinds.conditions import Condition, ConditionStatus
from kuma.resources.kinds.mesh_identity import MeshIdentitySpec
from kuma.resources.kinds.mesh_identity.model import (
    DEPENDENCIES_READY,
    MESH_TRUST_CREATED,
    PROVIDER,
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
from kuma.resources.kri import kri_of
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Create, Store
from kuma.resources.writer import Writer

log = structlog.get_logger("mesh-identities")

Identity = Resource[MeshIdentitySpec]


class Failed(Exception):
    """A step that could not be done: the condition that says so."""

    def __init__(self, condition: Condition) -> None:
        super().__init__(condition.message)
        self.condition = condition


def done(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=ConditionStatus.TRUE, reason=reason, message=message)


def undone(kind: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=ConditionStatus.FALSE, reason=reason, message=message)


class IdentityAuthorities:
    def __init__(
        self, store: Store, replica: Replica, writer: Writer, clock: Clock, *, zone: str
    ) -> None:
        self._store = store
        self._replica = replica
        self._writer = writer
        self._clock = clock
        self._zone = zone

    async def make(self, identity: Identity, *, tell: Callable[[Condition], None]) -> None:
        """Tells of each step that is done. Raises Failed."""
        trust_domain, bundled = self._trust_domain(identity), identity.spec.bundled
        pair = None if bundled is None else await self._provide(identity, bundled, trust_domain)
        tell(done(PROVIDER, "ProviderInitialized", "Provider successfully initialized"))
        if bundled is not None and pair is not None:
            for step in await self._trust(identity, bundled, pair, trust_domain):
                tell(step)

    def _trust_domain(self, identity: Identity) -> str:
        """Raises Failed."""
        try:
            return trust_domain_of(identity, self._zone)
        except NoSpiffeId as error:
            message = str(error)
            raise Failed(undone(PROVIDER, "ProviderInitializationError", message)) from error

    async def _provide(self, identity: Identity, bundled: Bundled, trust_domain: str) -> KeyPair:
        """The authority, made if it has to be. Raises Failed."""
        try:
            pair = await self._find_or_make(identity, bundled, trust_domain)
        except IdentityError as error:
            message = str(error)
            raise Failed(undone(PROVIDER, "ProviderInitializationError", message)) from error
        if not bundled.insecure_allow_self_signed and authorities.is_self_signed(pair):
            message = "self-signed certificates are not allowed"
            raise Failed(undone(PROVIDER, "ProviderValidationError", message))
        if bundled.creates_trust and not authorities.has_root(pair):
            # Differs from Kuma: ready, and no proxy believes another.
            message = "the certificate must be followed by those that signed it, up to the root"
            raise Failed(undone(PROVIDER, "ProviderValidationError", message))
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

    async def _trust(
        self, identity: Identity, bundled: Bundled, pair: KeyPair, trust_domain: str
    ) -> list[Condition]:
        """Raises Failed."""
        if not bundled.creates_trust:
            known = (
                spec_as(MeshTrustSpec, e) for e in self._replica.list(MESH_TRUST, identity.mesh)
            )
            if any(each is not None and each.trust_domain == trust_domain for each in known):
                return []
            # Differs from Kuma: ready without, and proxies that trust nobody.
            message = f'there is no MeshTrust for the trust domain "{trust_domain}"'
            raise Failed(undone(DEPENDENCIES_READY, "MeshTrustMissing", message))
        try:
            await self._put_trust(identity, trust_domain, pair)
        except ResourceError as error:
            condition = undone(MESH_TRUST_CREATED, "MeshTrustCreationError", str(error))
            raise Failed(condition) from error
        message = "MeshTrust has been successfully created"
        return [done(MESH_TRUST_CREATED, "MeshTrustCreated", message)]

    async def _put_trust(self, identity: Identity, trust_domain: str, pair: KeyPair) -> None:
        """Adds the authority to those that are trusted; the others stay: certificates of theirs may
        be in use still. Raises ResourceError, Failed."""
        key = ResourceKey(MESH_TRUST.name, identity.mesh, identity.name)
        found = self._replica.find(key)
        spec = spec_as(MeshTrustSpec, found)
        if spec is not None and spec.trust_domain != trust_domain:
            # Differs from Kuma, which adds the authority to those of the other trust domain.
            message = f'the MeshTrust "{key.name}" is for the trust domain "{spec.trust_domain}"'
            raise Failed(undone(MESH_TRUST_CREATED, "MeshTrustCreationError", message))
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
