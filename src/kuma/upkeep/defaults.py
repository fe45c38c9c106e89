"""What a new control plane starts with, and what every new mesh gets.

The leader runs `ensure` at its start. Keys, tokens and certificates are made if there is none; mesh
`default` only once in the life of a store, so that one deleted on purpose stays deleted.
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from kuma.identity import builtin
from kuma.identity.key_pair import TEN_YEARS, KeyPair
from kuma.identity.secret_source import new_secret
from kuma.identity.signing_keys import (
    ADMIN_USER_TOKEN,
    USER_FAMILY,
    ZONE_FAMILY,
    KeyFamily,
    dataplane_family,
    generate_signing_key,
    has_signing_key,
    latest_signing_key,
    signing_key_secret,
)
from kuma.identity.tokens import UserIdentity, sign_token
from kuma.kit.clock import Clock
from kuma.resources import labels as well_known
from kuma.resources.computed_labels import ORIGIN_ZONE
from kuma.resources.errors import AlreadyExists
from kuma.resources.kinds.config import CONFIG, ConfigSpec
from kuma.resources.kinds.hostname_generator import (
    HOSTNAME_GENERATOR,
    HostnameGeneratorSpec,
    ServiceSelector,
)
from kuma.resources.kinds.mesh import MESH, CertificateAuthorityBackend, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import parse_expiration
from kuma.resources.kinds.service_status import MatchLabels
from kuma.resources.kinds.zone import ZONE, ZoneSpec
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.names import DEFAULT_MESH
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.store import Create, Store
from kuma.resources.writer import Writer

log = structlog.get_logger("defaults")

CLUSTER_ID = ResourceKey(CONFIG.name, "", "kuma-cluster-id")
_LOCAL = MatchLabels(match_labels=((well_known.ORIGIN, ORIGIN_ZONE),))
LOCAL_GENERATORS = {
    "local-mesh-external-service": HostnameGeneratorSpec(
        selector=ServiceSelector(mesh_external_service=_LOCAL),
        template="{{ .DisplayName }}.extsvc.mesh.local",
    ),
    "local-universal-mesh-service": HostnameGeneratorSpec(
        selector=ServiceSelector(mesh_service=_LOCAL),
        template="{{ .DisplayName }}.svc.mesh.local",
    ),
}
"""The names of the services of a zone within it."""
_MESH_WAS_MADE = ResourceKey(CONFIG.name, "", "kuma-default-mesh-created")


@dataclass(frozen=True)
class Wanted:
    """Which defaults the settings ask for."""

    zone: str
    mesh: bool = True
    hostname_generators: bool = True
    admin_token: bool = True


class Defaults:
    def __init__(self, store: Store, replica: Replica, writer: Writer, clock: Clock) -> None:
        self._store = store
        self._replica = replica
        self._writer = writer
        self._clock = clock

    async def ensure(self, wanted: Wanted) -> None:
        await self._ensure_config(CLUSTER_ID, str(uuid.uuid4()))
        await self._ensure_signing_key(USER_FAMILY)
        await self._ensure_signing_key(ZONE_FAMILY)
        if wanted.admin_token:
            await self._ensure_admin_token()
        await self._ensure_zone(wanted.zone)
        if wanted.mesh:
            await self._ensure_mesh()
        if wanted.hostname_generators:
            for name, spec in LOCAL_GENERATORS.items():
                await self._ensure_generator(name, spec)

    async def _ensure_mesh(self) -> None:
        if self._replica.find(_MESH_WAS_MADE) is not None:
            return
        if self._replica.find(ResourceKey(MESH.name, "", DEFAULT_MESH)) is None:
            await self._writer.put(Resource(MESH, self._meta(DEFAULT_MESH), MeshSpec()))
            log.info("created the default mesh", mesh=DEFAULT_MESH)
        await self._ensure_config(_MESH_WAS_MADE, "true")

    async def _ensure_generator(self, name: str, spec: HostnameGeneratorSpec) -> None:
        """Like Kuma's it says that it is of a zone, but not of which."""
        if self._replica.find(ResourceKey(HOSTNAME_GENERATOR.name, "", name)) is None:
            meta = replace(self._meta(name), labels={well_known.ORIGIN: ORIGIN_ZONE})
            await self._create(Resource(HOSTNAME_GENERATOR, meta, spec))

    async def _ensure_zone(self, zone: str) -> None:
        if self._replica.find(ResourceKey(ZONE.name, "", zone)) is None:
            await self._writer.put(Resource(ZONE, self._meta(zone), ZoneSpec()))

    async def _ensure_signing_key(self, family: KeyFamily) -> None:
        if not has_signing_key(self._replica, family):
            key = await asyncio.to_thread(generate_signing_key)
            await self._create(signing_key_secret(family, key, now=self._clock.now()))

    async def _ensure_admin_token(self) -> None:
        if self._replica.find(ADMIN_USER_TOKEN) is not None:
            return
        identity = UserIdentity("mesh-system:admin", ("mesh-system:admin",))
        key = latest_signing_key(self._replica, USER_FAMILY)
        token = sign_token(identity, key, valid_for=TEN_YEARS, clock=self._clock)
        await self._create(new_secret(ADMIN_USER_TOKEN, token.encode(), now=self._clock.now()))

    async def _ensure_config(self, key: ResourceKey, text: str) -> None:
        if self._replica.find(key) is None:
            await self._create(Resource(CONFIG, self._meta(key.name), ConfigSpec(config=text)))

    async def _create(self, resource: AnyResource) -> None:
        try:
            await self._store.commit([Create(resource)])
        except AlreadyExists:
            log.info("another instance was first", resource=str(resource.key))

    def _meta(self, name: str) -> ResourceMeta:
        now = self._clock.now()
        return ResourceMeta("", name, 0, now, now)


def secrets_of_mesh(
    mesh: Resource[Any], *, replica: Replica, clock: Clock
) -> Sequence[AnyResource]:
    """What must exist beside `mesh` once it is written: a key to sign its dataplane tokens, and the
    root of each builtin CA. Makes RSA keys, 50 ms and more each: call it off the event loop."""
    now, found = clock.now(), list[AnyResource]()
    family = dataplane_family(mesh.name)
    if not has_signing_key(replica, family):
        found.append(signing_key_secret(family, generate_signing_key(), now=now))
    spec: MeshSpec = mesh.spec
    for backend in spec.mtls.backends if spec.mtls else ():
        keys = (
            builtin.cert_secret_key(mesh.name, backend.name),
            builtin.key_secret_key(mesh.name, backend.name),
        )
        exists = all(replica.find(key) is not None for key in keys)
        if backend.type == "builtin" and not exists:
            pair = _new_root(mesh.name, backend, clock)
            found += builtin.secrets_for(mesh.name, backend.name, pair=pair, now=now)
    return found


def _new_root(mesh: str, backend: CertificateAuthorityBackend, clock: Clock) -> KeyPair:
    wanted = backend.builtin_conf().ca_cert
    bits = (wanted.rsa_bits if wanted else None) or builtin.DEFAULT_RSA_BITS
    text = wanted.expiration if wanted else ""
    lifetime = parse_expiration(text) if text else TEN_YEARS
    return builtin.generate_root(mesh, clock=clock, rsa_bits=bits, expiration=lifetime)
