"""From the resources to the proxies, put together: which part gets which.

replica -> names of addresses -> index -> engine -> compiler -> fan-out -> hub
                                             ^                    |
                                             +--- certificates <--+--> tracker (insights)
"""

from kuma.app.control_plane.state import State
from kuma.identity.dataplane_auth import authenticate_dataplane
from kuma.identity.static_keys import load_trust
from kuma.identity.token_validator import TokenValidator
from kuma.kit.incremental import Engine
from kuma.pipeline.brought import Dataplane
from kuma.pipeline.certificates import Certificates
from kuma.pipeline.compile import Compiler, Outcome
from kuma.pipeline.envoy_admin import EnvoyAdmin
from kuma.pipeline.failures import Failures
from kuma.pipeline.fanout import Fanout, ProxyKey
from kuma.pipeline.hub import Hub
from kuma.pipeline.index import Index
from kuma.pipeline.insights import Tracker
from kuma.pipeline.lingering import Lingering
from kuma.pipeline.lookup import AddressLookup, DnsNames
from kuma.pipeline.registration import Registrar
from kuma.pipeline.view import TrackedView
from kuma.pipeline.workloads import is_known_by_workload
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS


class Pipeline:
    def __init__(self, state: State) -> None:
        self._state = state
        settings, replica = state.settings, state.replica
        self.engine = Engine()
        self.failures = Failures(SHAPERS, PLACEMENTS, internal=settings.ipam.known_internal_cidrs)
        self._views: dict[str, TrackedView] = {}
        self._feed()
        renderer = self.failures.renderer
        self.admin = EnvoyAdmin(self.engine, state.store, replica, renderer, state.clock)
        self.compiler = Compiler(self.engine, renderer, self.view_of, self.admin.resources)
        self.fanout = Fanout(self.engine, self.compiler.outcome, self._prepare, self.compiler.ahead)
        self.tracker = _tracker(state)
        self._certificates = Certificates(
            self.engine,
            state.clock,
            refresh=self.fanout.refresh,
            tell=self.tracker.issued,
            base_backoff=settings.general.cert_generation_base_backoff,
            max_backoff=settings.general.cert_generation_max_backoff,
        )
        self._registrar = Registrar(
            state.writer,
            replica,
            instance=state.instance,
            delay=settings.xds_server.dataplane_deregistration_delay,
            is_connected=self._is_connected,
            is_alone=state.database.is_connected is None,
        )
        self.validator = _validator(state)
        self.hub = Hub(
            engine=self.engine,
            replica=replica,
            registry=REGISTRY,
            fanout=self.fanout,
            certificates=self._certificates,
            tracker=self.tracker,
            registrar=self._registrar,
            authenticate=self._authenticate,
            held=self._index.held,
            zone=state.zone,
        )

    def view_of(self, mesh: str) -> TrackedView:
        view = self._views.get(mesh)
        if view is None:
            settings = self._state.settings
            view = self._views[mesh] = TrackedView(
                self.engine,
                mesh=mesh,
                zone=self._state.zone,
                placements=self.failures.placements,
                service_vip_port=settings.dns_server.service_vip_port,
                reaches_permitted_only=settings.experimental.auto_reachable_services,
                spire_socket=settings.runtime.universal.spire.socket_path,
            )
        return view

    def close(self) -> None:
        """Begin nothing more; proxies are still served."""
        self._lookup.close()
        self._dns.close()
        self._registrar.close()
        self._certificates.close()

    def _feed(self) -> None:
        """The index hears of a change before all others."""
        self._index = Index(self.engine, (kind.name for kind in POLICIES))
        every = self._state.settings.general.dns_cache_ttl
        self._dns = DnsNames()
        self._lookup = AddressLookup(self._index.changed, self._dns.resolve, every=every)
        self._state.replica.subscribe(self._lookup.changed)
        self._state.replica.subscribe(Lingering(self.engine).changed)

    def _prepare(self, key: ProxyKey, outcome: Outcome) -> bool:
        self.tracker.piped(key, outcome.piped)
        return self._certificates.ensure(
            key,
            outcome.wanted,
            lambda: self.compiler.authority(key),
            not_before=outcome.not_before,
        )

    def _is_connected(self, key: ProxyKey) -> bool:
        return self.hub.is_connected(key)

    def _authenticate(
        self, credential: str, *, dataplane: Dataplane, existing: Dataplane | None
    ) -> None:
        if self._state.settings.dp_server.authn.dp_proxy.type == "none":
            return
        replica, zone = self._state.replica, self._state.zone
        authenticate_dataplane(
            self.validator,
            credential,
            dataplane=dataplane,
            existing=existing,
            identity_from_workload=is_known_by_workload(replica, dataplane, zone),
        )


def _tracker(state: State) -> Tracker:
    return Tracker(
        state.store,
        state.replica,
        state.clock,
        instance=state.instance,
        flush_interval=state.settings.xds_server.dataplane_status_flush_interval,
        subscription_limit=state.settings.metrics.dataplane.subscription_limit,
    )


def _validator(state: State) -> TokenValidator:
    authn = state.settings.dp_server.authn
    return TokenValidator(
        state.replica,
        clock=state.clock,
        dataplane_trust=load_trust(authn.dp_proxy.dp_token.validator),
        zone_trust=load_trust(authn.zone_proxy.zone_token.validator),
        user_trust=load_trust(state.settings.api_server.authn.tokens.validator),
    )
