"""Envoy's admin interface from afar: certificates for proxies' admin listeners, and the client.

GlobalSecret envoy-admin-ca -> signing authority (engine input) -> server certificate of each address
                                                                -> our client certificate
"""

import asyncio
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import structlog

from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource
from kuma.identity.admin_ca import (
    ADMIN_CA,
    admin_ca_secret,
    find_admin_ca,
    generate_admin_ca,
    issue_admin_client,
    issue_admin_server,
    signing_authority,
)
from kuma.identity.errors import IdentityError
from kuma.identity.key_pair import CertificateAuthority, KeyPair
from kuma.kit.clock import Clock
from kuma.kit.incremental import Engine
from kuma.plan import names
from kuma.resources.errors import AlreadyExists, Unavailable
from kuma.resources.replica import Replica
from kuma.resources.store import Change, Create, Store

log = structlog.get_logger("pipeline.envoy-admin")

TIMEOUT = 5.0
"""Seconds without a byte."""
TIME = 30.0
"""Seconds for a whole answer."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer: what answers may be something else than Envoy."""
_AUTHORITY = "envoy admin authority"


class EnvoyAdmin:
    """`resources` are read by queries of the engine; `get` asks a proxy."""

    def __init__(
        self, engine: Engine, store: Store, replica: Replica, renderer: Renderer, clock: Clock
    ) -> None:
        self._engine = engine
        self._store = store
        self._replica = replica
        self._renderer = renderer
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        replica.subscribe(self._changed)

    async def ensure_authority(self) -> None:
        """Create the CA if there is none in the store."""
        if self._replica.find(ADMIN_CA) is None:
            pair = await asyncio.to_thread(generate_admin_ca, self._clock)
            try:
                await self._store.commit([Create(admin_ca_secret(pair, now=self._clock.now()))])
            except AlreadyExists:
                log.info("another instance made the CA of Envoy's admin interface")

    def resources(self, address: str) -> tuple[EnvoyResource, ...]:
        """The secrets of the admin listener of a proxy at `address`; none while there is no CA."""
        authority: CertificateAuthority | None = self._engine.read(_AUTHORITY)
        if authority is None:
            return ()
        made: tuple[EnvoyResource, ...] = self._engine.query(_secrets, self, address)
        return made

    async def get(self, address: str, port: int, path: str) -> bytes:
        """What Envoy's admin interface answers. Raises Unavailable with the reason."""
        host = f"[{address}]" if ":" in address else address
        try:
            async with asyncio.timeout(TIME):
                return await _fetch(self._http(), f"https://{host}:{port}{path}")
        except (httpx.HTTPError, httpx.InvalidURL, IdentityError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"Envoy's admin interface at {host}:{port}: {reason}") from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def issue(self, address: str) -> KeyPair:
        authority: CertificateAuthority = self._engine.read(_AUTHORITY)
        return issue_admin_server(authority, (address,), clock=self._clock)

    def render(self, pair: KeyPair) -> tuple[EnvoyResource, ...]:
        authority: CertificateAuthority = self._engine.read(_AUTHORITY)
        return (
            self._renderer.certificate(names.ADMIN_IDENTITY, chain=pair.cert_pem, key=pair.key),
            self._renderer.ca(names.ADMIN_CA, ca=authority.bundle_pem),
        )

    def _changed(self, changes: Sequence[Change]) -> None:
        if not any(change.key == ADMIN_CA for change in changes):
            return
        try:
            root = find_admin_ca(self._replica)
            authority = None if root is None else signing_authority(root, clock=self._clock)
            self._engine.set(_AUTHORITY, authority)
        except IdentityError as error:
            log.error("the CA of Envoy's admin interface cannot be used", reason=str(error))  # noqa: TRY400
        self._client = None

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            authority: CertificateAuthority | None = self._engine.peek(_AUTHORITY)
            if authority is None:
                raise Unavailable("there is no CA for Envoy's admin interface yet")
            context = _client_context(authority, issue_admin_client(authority, clock=self._clock))
            self._client = httpx.AsyncClient(verify=context, timeout=TIMEOUT, trust_env=False)
        return self._client


async def _fetch(client: httpx.AsyncClient, url: str) -> bytes:
    body = bytearray()
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > LARGEST:
                raise httpx.DecodingError(f"the answer is larger than {LARGEST} bytes")
    return bytes(body)


def _secrets(admin: EnvoyAdmin, address: str) -> tuple[EnvoyResource, ...]:
    return admin.render(admin.issue(address))


def _client_context(authority: CertificateAuthority, client: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.bundle_pem.decode())
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # readable by us alone
        Path(file.name).write_bytes(client.cert_pem + client.key.reveal)
        context.load_cert_chain(file.name)
    return context
