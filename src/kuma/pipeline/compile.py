"""One proxy's configuration, as a query: plan -> parts -> shared bytes -> snapshot.

    inbounds, certificates, admin -> own layer                        one for each proxy
    sender -> sending side -> parts -> one mapping for each type      one for each class of proxies

Every part of a plan is rendered by a query of its own, keyed by the part's value: proxies whose
plans share a part share the serialized resource, and a part that is in no plan any more is
forgotten with its last reader. Proxies that send alike share the whole layer, so what a change costs
for each of them does not grow with the number of their outbounds.
"""

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource, Named, Snapshot, TypeUrl, layered
from kuma.identity.key_pair import CertificateAuthority
from kuma.kit.incremental import Engine
from kuma.kit.slots import Slots
from kuma.kit.value import value
from kuma.pipeline import parts
from kuma.pipeline.certificates import Issued, Wanted, certificate_input
from kuma.pipeline.credentials import (
    identity_authority,
    identity_of_proxy,
    mesh_authority,
    trust,
    trusted_from,
    wanted_certificate,
)
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.parts import Rendered
from kuma.pipeline.traits import Traits, traits_input
from kuma.pipeline.view import TrackedView
from kuma.plan.piped import Piped
from kuma.plan.proxy import (
    Admin,
    Destination,
    Diagnostic,
    Eds,
    Identity,
)
from kuma.resolve.naming import UNIFIED_NAMES, is_unified, named_conf, named_identity
from kuma.resolve.outbounds import endpoints_of, reached, sending
from kuma.resolve.proxy import Sender, conf_of, own_conf, piped_of, sender_of
from kuma.resolve.proxy_identity import identity
from kuma.resolve.received import received_by, receivings
from kuma.resolve.subject import subject_of
from kuma.resolve.view import MeshView

T = TypeVar("T")
FEW = 16
"""Inbounds, or outbounds, that are made in one go."""
SHARED = (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.LISTENER, TypeUrl.ROUTE)
"""Types of which proxies that send alike share a layer."""


@value
class Outcome:
    """`wanted`: the certificate that the proxy should have, None if it needs none. `not_before`: the
    time from which all trust the authority that signs it; None: they do. `piped`: what its kuma-dp
    sends on to collectors."""

    snapshot: Snapshot
    wanted: Wanted | None
    not_before: datetime | None = None
    piped: Piped | None = None


class Compiler:
    """`admin_secrets` gives what the TLS of the admin listener at an address needs."""

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        view_of: Callable[[str], TrackedView],
        admin_secrets: Callable[[str], Rendered],
    ) -> None:
        self._engine = engine
        self._renderer = renderer
        self._view_of = view_of
        self._admin_secrets = admin_secrets
        self._going: WeakValueDictionary[Hashable, Generator[None, None, None]]
        self._going = WeakValueDictionary()
        """What proxies are about to make together, for as long as one of them is."""

    def rendering(self, renderer: Renderer) -> "Compiler":
        """The same with another renderer."""
        return Compiler(self._engine, renderer, self._view_of, self._admin_secrets)

    def outcome(self, key: ProxyKey) -> Outcome:
        """The query of one proxy."""
        view = self._view_of(key.mesh)
        traits: Traits = self._engine.read(traits_input(key)) or Traits()
        own: Outcome = self._engine.query(Compiler._own, self, key)
        sender = sender_of(view, key.name, traits.said)
        if sender is None:
            return own
        shared: Snapshot = self._engine.query(
            Compiler._shared, self, view, sender, traits.system_ca_path
        )
        return Outcome(_over(own.snapshot, shared), own.wanted, own.not_before, own.piped)

    def ahead(self, key: ProxyKey) -> Iterator[None]:
        """Makes anew, part by part, what is out of date: work that may take long for many inbounds or
        outbounds, and may be interrupted between the parts. A few are made in one go, later."""
        view = self._view_of(key.mesh)
        traits: Traits = self._engine.peek(traits_input(key)) or Traits()
        subject = subject_of(view, key.name)
        if subject is None:
            return
        if len(subject.inbounds) > FEW:
            yield from self._own_ahead(view, key, traits)
        sender = sender_of(view, key.name, traits.said)
        if sender is not None and len(sender.outbounds) > FEW:
            yield from self._shared_ahead(view, key, sender, traits.system_ca_path)

    def _own_ahead(self, view: MeshView, key: ProxyKey, traits: Traits) -> Iterator[None]:
        if not self._engine.is_current(Compiler._own, self, key):
            for _ in receivings(view, key.name):
                yield
            for _ in self._made_received(view, key.name, traits):
                yield

    def _shared_ahead(
        self, view: MeshView, key: ProxyKey, sender: Sender, ca_path: str
    ) -> Iterator[None]:
        """All proxies that send alike go on with one, so that none does again what another did."""
        if self._engine.is_current(Compiler._shared, self, view, sender, ca_path):
            return
        place = key.mesh, sender, ca_path
        going = self._going.get(place) or self._sending_ahead(view, sender, ca_path)
        self._going[place] = going
        for _ in going:
            yield
        if self._going.get(place) is going:
            del self._going[place]

    def _sending_ahead(
        self, view: MeshView, sender: Sender, ca_path: str
    ) -> Generator[None, None, None]:
        for each in sender.outbounds:
            for target in sending(view, sender.client, each.target).targets:
                reached(view, sender.client, target)
            yield
        for _ in self._made_shared(view, sender, ca_path):
            yield

    def snapshot_over(self, view: MeshView, name: str, traits: Traits) -> Snapshot:
        """The configuration over another view ("what if"), without a certificate."""
        sender = sender_of(view, name, traits.said)
        made = self._made_own(view, name, traits, None)
        own = as_snapshot(self._resources(view, made, name, traits))
        if sender is None:
            return own
        made = self._made_shared(view, sender, traits.system_ca_path)
        return _over(own, as_snapshot(self._finished(view, made, sender.conf)))

    def problems(self, view: MeshView, name: str, traits: Traits) -> tuple[Diagnostic, ...]:
        """What policies on Envoy's resources ask for and could not be done."""
        sender = sender_of(view, name, traits.said)
        conf = own_conf(view, name, traits.said)
        if sender is None or not conf.items:
            return ()
        ca_path = traits.system_ca_path
        own = self._made_own(view, name, traits, None)
        made = chain(own, self._made_shared(view, sender, ca_path))
        finished = [*self._finish(view, sender.conf, made), self._added(view, conf, ca_path)]
        return tuple(dict.fromkeys(each for found in finished for each in found.problems))

    def authority(self, key: ProxyKey) -> CertificateAuthority:
        """The one that signs the certificate of a proxy. Raises IdentityError."""
        view = self._view_of(key.mesh)
        known = identity_of_proxy(view, key.name)
        return mesh_authority(view) if known is None else identity_authority(view, known.name)

    def _own(self, key: ProxyKey) -> Outcome:
        """The query of what is the proxy's alone."""
        view = self._view_of(key.mesh)
        traits: Traits = self._engine.read(traits_input(key)) or Traits()
        issued: Issued | None = self._engine.read(certificate_input(key))
        made = self._made_own(view, key.name, traits, issued)
        snapshot = as_snapshot(self._resources(view, made, key.name, traits))
        wanted = wanted_certificate(view, key.name)
        piped = piped_of(view, key.name, traits.said)
        return Outcome(snapshot, wanted, trusted_from(view, key.name), piped)

    def _resources(
        self, view: MeshView, made: Iterable[Made], name: str, traits: Traits
    ) -> Iterator[EnvoyResource]:
        """What is added by policies is the proxy's own, so that it comes over what is shared."""
        own = own_conf(view, name, traits.said)
        if not own.items:
            return (each.resource for each in made)
        added = (each.resource for each in self._added(view, own, traits.system_ca_path).made)
        conf = named_conf(conf_of(view, name), is_unified(view, traits.said.features))
        return chain(self._finished(view, made, conf), added)

    def _shared(self, view: TrackedView, sender: Sender, ca_path: str) -> Snapshot:
        """The query of what proxies that send alike have in common."""
        query = self._engine.query
        types = {kind: query(Compiler._type, self, view, sender, ca_path, kind) for kind in SHARED}
        return Snapshot(types)

    def _type(self, view: TrackedView, sender: Sender, ca_path: str, kind: TypeUrl) -> Named:
        """One type, apart, so that a change of another leaves it the object that it is."""
        types: Snapshot = self._engine.query(Compiler._types, self, view, sender, ca_path)
        return types.of(kind)

    def _types(self, view: TrackedView, sender: Sender, ca_path: str) -> Snapshot:
        made = self._made_shared(view, sender, ca_path)
        return as_snapshot(self._finished(view, made, sender.conf))

    def _made_own(
        self, view: MeshView, name: str, traits: Traits, issued: Issued | None
    ) -> Iterator[Made]:
        yield from self._made_received(view, name, traits)
        known = named_identity(view, identity(view, name), is_unified(view, traits.said.features))
        if known is not None and known.agent is not None:
            yield from _for(Purpose.SPIRE, self._query(view, parts.render_agent, known.agent))
        elif known is not None and (trusted := trust(view)):
            rendered = self._query(view, parts.render_trust, known.ca_secret, trusted)
            yield from _for(Purpose.SECRETS, rendered)
            if issued is not None:
                yield Made(Purpose.SECRETS, self._certificate(known, issued))
        if (admin := admin_of(view, name, traits)) is not None:
            yield from _for(Purpose.ADMIN, self._query(view, parts.render_admin, admin))
            yield from _for(Purpose.SECRETS, self._admin_secrets(admin.address))

    def _made_received(self, view: MeshView, name: str, traits: Traits) -> Iterator[Made]:
        received = received_by(view, name, traits.said)
        for inbound in received.inbounds:
            yield from _for(Purpose.INBOUND, self._query(view, parts.render_inbound, inbound))
        for passed in received.passed_in:
            yield from _for(Purpose.TRANSPARENT, self._query(view, parts.render_passed_in, passed))
        if received.direct is not None:
            rendered = self._query(view, parts.render_direct, received.direct)
            yield from _for(Purpose.DIRECT_ACCESS, rendered)

    def _made_shared(self, view: MeshView, sender: Sender, ca_path: str) -> Iterator[Made]:
        side = sender.side(view)
        for outbound in side.outbounds:
            yield from _for(Purpose.OUTBOUND, self._query(view, parts.render_outbound, outbound))
        for destination in side.destinations:
            yield from _for(Purpose.OUTBOUND, self._destination(view, destination, ca_path))
        for passed in sender.passed_out:
            found, added = self._query(view, parts.render_passed_out, passed)
            yield from _for(Purpose.TRANSPARENT, found)
            yield from _for(Purpose.MESH_PASSTHROUGH, added)

    def _destination(self, view: MeshView, destination: Destination, ca_path: str) -> Rendered:
        cluster = self._query(view, parts.render_destination, destination, ca_path)
        if not isinstance(destination.endpoints, Eds):
            return cluster
        endpoints = endpoints_of(view, destination)
        return cluster + self._query(view, parts.render_endpoints, destination.name, endpoints)

    def _finished(
        self, view: MeshView, made: Iterable[Made], conf: Slots
    ) -> Iterator[EnvoyResource]:
        if not conf.items:
            return (each.resource for each in made)
        found = self._finish(view, conf, made)
        return (each.resource for finished in found for each in finished.made)

    def _finish(self, view: MeshView, conf: Slots, made: Iterable[Made]) -> Iterator[Finished]:
        """Resource by resource; remembered by what each is and what the plan carries, so that a
        proxy whose plan carries nothing pays nothing."""
        for each in made:
            if each.purpose == Purpose.SECRETS:
                yield Finished((each,))
            else:
                yield self._query(view, parts.finish, each, conf)

    def _added(self, view: MeshView, conf: Slots, ca_path: str) -> Finished:
        return self._query(view, parts.add, conf, ca_path)

    def _certificate(self, identity: Identity, issued: Issued) -> EnvoyResource:
        """The proxy's own: shared with nobody, so not remembered apart."""
        certificate = issued.certificate
        return self._renderer.certificate(
            identity.identity_secret, chain=certificate.chain_pem, key=certificate.key
        )

    def _query(self, view: MeshView, compute: Callable[..., T], *part: Any) -> T:
        if not isinstance(view, TrackedView):
            return compute(self._renderer, *part)
        found: T = self._engine.query(compute, self._renderer, *part)
        return found


def _over(own: Snapshot, shared: Snapshot) -> Snapshot:
    return Snapshot({kind: layered(own.of(kind), shared.of(kind)) for kind in TypeUrl})


def as_snapshot(resources: Iterable[EnvoyResource]) -> Snapshot:
    by_type: dict[TypeUrl, dict[str, EnvoyResource]] = {kind: {} for kind in TypeUrl}
    for resource in resources:
        by_type[resource.type_url][resource.name] = resource
    return Snapshot(by_type)


def admin_of(view: MeshView, name: str, traits: Traits) -> Admin | None:
    """The listener through which the control plane reaches Envoy's admin interface."""
    dataplane = view.dataplane(name)
    if dataplane is None or not traits.readiness_port:
        return None
    networking = dataplane.spec.networking
    port = (networking.admin.port if networking.admin else 0) or traits.admin_port
    return Admin(
        address=networking.address,
        port=port,
        readiness_port=traits.readiness_port,
        readiness_socket=traits.readiness_socket,
        socket=traits.admin_socket,
        tcp_port=0 if traits.admin_socket else traits.admin_port,
        is_unified=UNIFIED_NAMES in traits.said.features,
    )


def _for(purpose: Purpose, resources: Rendered) -> Iterator[Made]:
    return (Made(purpose, each) for each in resources)
