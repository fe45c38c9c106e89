"""Receives proxies: who are you, may you, here is your configuration, what became of it?

xds --connect--> Hub: authenticate, register, attach to the fan-out, record in the tracker
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import structlog

from kuma.envoy.snapshot import Snapshot, TypeUrl
from kuma.identity.errors import TokenRefused
from kuma.kit import aside
from kuma.kit.incremental import Engine
from kuma.pipeline.brought import Dataplane, brought_by, size_brought, version_said
from kuma.pipeline.certificates import Certificates
from kuma.pipeline.delivery import Connection, ProxyNode, ProxyRefused
from kuma.pipeline.fanout import Fanout, ProxyKey
from kuma.pipeline.held import HeldDataplanes
from kuma.pipeline.insights import Tracker
from kuma.pipeline.joining import Joining
from kuma.pipeline.registration import Registrar, not_ready
from kuma.pipeline.subscription import Subscription
from kuma.pipeline.traits import traits_input, traits_of
from kuma.pipeline.workloads import missing_workload
from kuma.resources.errors import MeshNotFound, ResourceError, Unavailable
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.store import Change

log = structlog.get_logger("pipeline.hub")

Refuse = Callable[[ProxyRefused], None]


class Authenticator(Protocol):
    """Raises TokenRefused unless `credential` covers the dataplane (and the stored one)."""

    def __call__(
        self, credential: str, *, dataplane: Dataplane, existing: Dataplane | None
    ) -> None: ...


@dataclass(eq=False)
class _Stream:
    """One connected stream; also what `connect` returns."""

    hub: "Hub"
    key: ProxyKey
    credential: str
    refuse: Refuse
    brings_dataplane: bool
    is_leaving: bool = False
    joining: Joining | None = None
    subscription: Subscription = field(init=False)
    detach: Callable[[], None] = field(default=lambda: None)

    def sent(self, type_url: TypeUrl) -> None:
        self.hub.tracker.sent(self.key, self.subscription, type_url)

    def acknowledged(self, type_url: TypeUrl) -> None:
        self.hub.tracker.acknowledged(self.key, self.subscription, type_url)
        if self.joining is not None:
            self.joining.acknowledged(type_url)

    def rejected(self, type_url: TypeUrl, error: str) -> None:
        log.warning(
            "a proxy rejected its configuration; it keeps the last one that it accepted",
            mesh=self.key.mesh,
            dataplane=self.key.name,
            type=type_url.rsplit(".", 1)[-1],
            reason=error,
        )
        self.hub.tracker.rejected(self.key, self.subscription, type_url, error)

    def closed(self) -> None:
        self.hub.disconnect(self)

    def stop_joining(self) -> None:
        if self.joining is not None:
            self.joining.cancel()
            self.joining = None


class Hub:
    def __init__(
        self,
        *,
        engine: Engine,
        replica: Replica,
        registry: Registry,
        fanout: Fanout[Any],
        certificates: Certificates,
        tracker: Tracker,
        registrar: Registrar,
        authenticate: Authenticator,
        held: HeldDataplanes,
        zone: str = "",
    ) -> None:
        self._zone = zone
        self._engine = engine
        self._replica = replica
        self._registry = registry
        self._fanout = fanout
        self._certificates = certificates
        self._registrar = registrar
        self._authenticate = authenticate
        self._held = held
        self.tracker = tracker
        self._streams: dict[ProxyKey, list[_Stream]] = {}
        replica.subscribe(self._recheck)

    def is_connected(self, key: ProxyKey) -> bool:
        return key in self._streams

    async def connect(
        self,
        node: ProxyNode,
        *,
        credential: str | None,
        sink: Callable[[Snapshot], None],
        refuse: Refuse,
    ) -> Connection:
        """See `ProxyHub.connect`."""
        key = ProxyKey(node.mesh, node.name)
        size = size_brought(node)
        brought = await aside.work(size, lambda: brought_by(node, self._registry))
        existing = self._find(key)
        dataplane = brought or existing
        if dataplane is None:
            raise ProxyRefused(
                "not_found",
                f'there is no Dataplane "{node.name}" in mesh "{node.mesh}"; create it first, or '
                "give it to kuma-dp run with --dataplane-file",
            )
        token = _bearer(credential)
        self._check(token, dataplane, existing)
        if missing := missing_workload(self._replica, dataplane, self._zone):
            raise ProxyRefused("invalid_argument", missing)
        stream = _Stream(self, key, token, refuse, brings_dataplane=brought is not None)
        if brought is None:
            self._attach(stream, node, sink)
        elif existing is not None and any(
            each.is_ready for each in existing.spec.networking.inbound
        ):
            await self._register(brought, size)
            self._attach(stream, node, sink)
        else:
            await self._register(not_ready(brought), size)
            joining = stream.joining = Joining(lambda: self._joined(stream, brought))
            self._attach(stream, node, _both(joining.configured, sink))
        return stream

    async def leave(self, mesh: str, name: str, *, credential: str | None) -> None:
        """See `Leaving`. A Dataplane that its proxy did not bring stays as it is: others decide when
        it is ready, and it would not become so again."""
        key = ProxyKey(mesh, name)
        existing = self._find(key)
        if existing is None:
            raise ProxyRefused("not_found", f'there is no Dataplane "{name}" in mesh "{mesh}"')
        self._check(_bearer(credential), existing, None)
        streams = self._streams.get(key, [])
        if streams and not any(stream.brings_dataplane for stream in streams):
            return
        for stream in streams:
            stream.is_leaving = True
            stream.stop_joining()
        with _refusing():
            await self._registrar.mark_leaving(existing)
        log.info("a proxy is about to end", mesh=mesh, dataplane=name)

    def disconnect(self, stream: _Stream) -> None:
        streams = self._streams.get(stream.key, [])
        if stream not in streams:
            return
        streams.remove(stream)
        stream.stop_joining()
        stream.detach()
        self.tracker.disconnected(stream.key, stream.subscription)
        if streams:
            return
        del self._streams[stream.key]
        self._held.let_go(_dataplane_key(stream.key))
        self._certificates.forget(stream.key)
        self._engine.set(traits_input(stream.key), None)
        if stream.brings_dataplane:
            self._registrar.release(stream.key, for_good=stream.is_leaving)

    def _joined(self, stream: _Stream, brought: Dataplane) -> None:
        stream.joining = None
        self._registrar.announce(brought)

    def _attach(self, stream: _Stream, node: ProxyNode, sink: Callable[[Snapshot], None]) -> None:
        key = stream.key
        self._registrar.keep(key)
        self._held.hold(_dataplane_key(key))
        self._engine.set(traits_input(key), traits_of(node.metadata))
        self._streams.setdefault(key, []).append(stream)
        stream.subscription = self.tracker.connected(
            key, version_said(node.metadata), node.metadata
        )
        if (issued := self._certificates.find(key)) is not None:
            self.tracker.certified(key, issued)
        stream.detach = self._fanout.attach(key, sink)

    async def _register(self, dataplane: Dataplane, size: int) -> None:
        with _refusing():
            await self._registrar.register(dataplane, size=size)

    def _check(self, token: str, dataplane: Dataplane, existing: Dataplane | None) -> None:
        try:
            self._authenticate(token, dataplane=dataplane, existing=existing)
        except TokenRefused as error:
            raise ProxyRefused("unauthenticated", str(error)) from error

    def _find(self, key: ProxyKey) -> Dataplane | None:
        return cast("Dataplane | None", self._replica.find(_dataplane_key(key)))

    def _recheck(self, changes: Sequence[Change]) -> None:
        """A changed Dataplane, a changed secret (a revocation, a signing key) or a MeshIdentity that
        makes identities of what the token does not prove may end streams."""
        keys: dict[ProxyKey, None] = {}
        for change in changes:
            if change.key.kind == DATAPLANE.name and change.resource is not None:
                keys[ProxyKey(change.key.mesh, change.key.name)] = None
            elif change.key.kind == GLOBAL_SECRET.name or _is_signing_key(change.key):
                keys |= dict.fromkeys(self._streams)
            elif change.key.kind == MESH_IDENTITY.name:
                keys |= dict.fromkeys(e for e in self._streams if e.mesh == change.key.mesh)
        for key in keys:
            dataplane = self._find(key) or self._held.find(_dataplane_key(key))
            if dataplane is not None:
                self._recheck_streams(key, dataplane)

    def _recheck_streams(self, key: ProxyKey, dataplane: Dataplane) -> None:
        for stream in tuple(self._streams.get(key, ())):
            try:
                self._check(stream.credential, dataplane, None)
            except ProxyRefused as refusal:
                log.warning("a proxy lost its right", dataplane=key.name, reason=str(refusal))
                stream.refuse(refusal)


def _both(
    first: Callable[[Snapshot], None], second: Callable[[Snapshot], None]
) -> Callable[[Snapshot], None]:
    def sink(snapshot: Snapshot) -> None:
        first(snapshot)
        second(snapshot)

    return sink


@contextmanager
def _refusing() -> Iterator[None]:
    """Tells the proxy why its Dataplane was not written."""
    try:
        yield
    except MeshNotFound as error:
        raise ProxyRefused("not_found", str(error)) from error
    except Unavailable as error:
        raise ProxyRefused("unavailable", str(error)) from error
    except ResourceError as error:
        raise ProxyRefused("invalid_argument", f"the Dataplane was refused: {error}") from error


def _dataplane_key(key: ProxyKey) -> ResourceKey:
    return ResourceKey(DATAPLANE.name, key.mesh, key.name)


def _is_signing_key(key: ResourceKey) -> bool:
    return key.kind == SECRET.name and key.name.startswith("dataplane-token-")


def _bearer(credential: str | None) -> str:
    """The token, with or without the scheme in front of it."""
    text = (credential or "").strip()
    return text[7:].strip() if text[:7].lower() == "bearer " else text
