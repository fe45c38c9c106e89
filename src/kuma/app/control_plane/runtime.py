"""The control plane, put together: which part gets which, in which order they start and stop.

    store -> replica -> index -> engine -> fan-out -> data plane server (5678)
              |                     ^
              +-> REST API (5681, 5682) -> writer -> store

Start: store, leader's jobs, fan-out, data plane server, API; then /ready says so. Stop: readiness,
API, proxies (which reconnect elsewhere), insights, store. Nothing here decides anything.
"""

import asyncio
import socket
import uuid
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import REGISTRY as METRICS
from prometheus_client import CollectorRegistry

from kuma.api.app import build_api
from kuma.api.connection import Deadlines
from kuma.api.dependencies import ApiDependencies
from kuma.api.ports import InstanceFacts
from kuma.api.serve import ApiServer, Listener
from kuma.app.control_plane.backend_refs import BackendRefConditions
from kuma.app.control_plane.checks import CHECKS
from kuma.app.control_plane.cleanup import Cleanup
from kuma.app.control_plane.defaults import CLUSTER_ID, Defaults, Wanted, secrets_of_mesh
from kuma.app.control_plane.diagnostics import build_diagnostics
from kuma.app.control_plane.hostnames import HostnameUpkeep
from kuma.app.control_plane.mesh_identities import MeshIdentityUpkeep
from kuma.app.control_plane.mesh_services import MeshServiceUpkeep
from kuma.app.control_plane.multi_zone_services import MultiZoneServiceUpkeep
from kuma.app.control_plane.stores import choose_database
from kuma.app.control_plane.tls import ServerCertificates
from kuma.app.control_plane.vips import VipAllocation
from kuma.app.control_plane.virtual_outbounds import VirtualOutbounds
from kuma.app.control_plane.workloads import WorkloadUpkeep
from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.errors import BadConfig
from kuma.identity.dataplane_auth import authenticate_dataplane
from kuma.identity.static_keys import load_trust
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import TokenIssuer
from kuma.kit.clock import Clock, SystemClock
from kuma.kit.incremental import Engine
from kuma.kit.version import PRODUCT, program_version
from kuma.pipeline.aggregates import Aggregates
from kuma.pipeline.certificates import Certificates
from kuma.pipeline.compile import Compiler, Outcome
from kuma.pipeline.envoy_admin import EnvoyAdmin
from kuma.pipeline.failures import Failures
from kuma.pipeline.fanout import Fanout, ProxyKey
from kuma.pipeline.hub import Dataplane, Hub
from kuma.pipeline.index import Index
from kuma.pipeline.insights import Tracker
from kuma.pipeline.inspect import Inspection
from kuma.pipeline.left_open import LeftOpen
from kuma.pipeline.lingering import Lingering
from kuma.pipeline.lookup import AddressLookup, DnsNames
from kuma.pipeline.propagated_labels import Propagation
from kuma.pipeline.registration import Registrar
from kuma.pipeline.view import TrackedView
from kuma.pipeline.workloads import is_known_by_workload
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.defaults import default_policies
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resources.kinds.config import ConfigSpec
from kuma.resources.kinds.mesh import MESH
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.writer import Writer
from kuma.xds.bootstrap import BootstrapDeps, ReplicaProxies, bootstrap_endpoint
from kuma.xds.leave import leave_endpoint
from kuma.xds.server import DataplaneServer

log = structlog.get_logger("kuma-cp")

STOP_WITHIN = timedelta(seconds=8)


class ControlPlane:
    """Raises BadConfig, or what the store raises, from `start`; `stop` is idempotent."""

    def __init__(
        self,
        settings: ControlPlaneSettings,
        *,
        clock: Clock | None = None,
        metrics: CollectorRegistry = METRICS,
    ) -> None:
        self.settings = settings
        self._metrics = metrics
        self.clock = clock or SystemClock()
        self.instance = f"{socket.gethostname()}-{uuid.uuid4().hex[:4]}"
        self.work_dir = Path(settings.general.work_dir).expanduser()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = asyncio.Event()
        self._api: ApiServer | None = None
        self._starting: str | None = "it is starting"
        self._build()

    def not_ready(self) -> str | None:
        """Why the control plane should get no requests; None if it should."""
        if self._starting is not None:
            return self._starting
        return self.replica.unavailable_reason

    async def start(self) -> None:
        await self._diagnostics.start()
        await self._store.start(self.replica)
        led = asyncio.Event()
        self._spawn("leadership", self._database.leadership.run(lambda: self._lead(led)))
        await self._until_defaults_exist(led)
        await self._admin.ensure_authority()
        self._spawn("fan-out", self._fanout.run())
        self._spawn("insights", self._tracker.run())
        await self._start_data_plane_server()
        self._api = self._build_api()
        await self._api.start()
        self._starting = None
        api = self.settings.api_server
        log.info(
            "the control plane is ready",
            zone=self.settings.multizone.zone.name,
            store=self.settings.store.type,
            api=api.http.port if api.http.enabled else None,
            api_https=api.https.port if api.https.enabled else None,
            data_plane_server=self.settings.dp_server.port,
            diagnostics=self.settings.diagnostics.server_port,
        )

    async def _start_data_plane_server(self) -> None:
        try:
            await self._data_plane_server.start()
        except OSError as error:
            setting, port = "dpServer.port (KUMA_DP_SERVER_PORT)", self.settings.dp_server.port
            raise BadConfig((f"{setting}: cannot listen on {port}: {error.strerror}",)) from error

    async def failed(self) -> None:
        """Until a part that should run forever ended."""
        await self._failed.wait()

    async def stop(self) -> None:
        self._starting = "it is shutting down"
        self._lookup.close()
        self._dns.close()
        self._registrar.close()
        self._certificates.close()
        if self._api is not None:
            await self._api.stop()
        await self._data_plane_server.drain_and_stop(self._grace())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tracker.flush()
        await self._admin.close()
        await self._store.close()
        await self._diagnostics.stop()
        log.info("the control plane has stopped")

    def _build(self) -> None:
        settings, clock = self.settings, self.clock
        self._database = choose_database(
            settings, self.work_dir, REGISTRY, clock, instance=self.instance
        )
        self._store = self._database.store
        self.replica = Replica()
        self.engine = Engine()
        index = Index(self.engine, (kind.name for kind in POLICIES))
        self._dns = DnsNames()
        self._lookup = AddressLookup(
            index.changed, self._dns.resolve, every=settings.general.dns_cache_ttl
        )
        self.replica.subscribe(self._lookup.changed)
        self.replica.subscribe(Lingering(self.engine).changed)
        self._writer = Writer(
            self._store,
            self.replica,
            REGISTRY,
            clock,
            zone=settings.multizone.zone.name,
            environment=settings.environment,
            mode=settings.mode,
            companions={MESH.name: self._companions},
            checks=CHECKS,
            unsafe_delete=settings.store.unsafe_delete,
        )
        self._certs = ServerCertificates(settings, self.work_dir, clock)
        self._failures = Failures(SHAPERS, PLACEMENTS, internal=settings.ipam.known_internal_cidrs)
        renderer = self._failures.renderer
        self._admin = EnvoyAdmin(self.engine, self._store, self.replica, renderer, clock)
        self._compiler = Compiler(self.engine, renderer, self._view_of, self._admin.resources)
        self._views: dict[str, TrackedView] = {}
        self._build_pipeline()
        self._build_servers()

    def _build_pipeline(self) -> None:
        settings, clock = self.settings, self.clock
        compiler = self._compiler
        self._fanout = Fanout(self.engine, compiler.outcome, self._prepare, compiler.ahead)
        self._tracker = Tracker(
            self._store,
            self.replica,
            clock,
            instance=self.instance,
            flush_interval=settings.xds_server.dataplane_status_flush_interval,
            subscription_limit=settings.metrics.dataplane.subscription_limit,
        )
        self._certificates = Certificates(
            self.engine,
            clock,
            refresh=self._fanout.refresh,
            tell=self._tracker.issued,
            base_backoff=settings.general.cert_generation_base_backoff,
            max_backoff=settings.general.cert_generation_max_backoff,
        )
        self._registrar = Registrar(
            self._writer,
            self.replica,
            instance=self.instance,
            delay=settings.xds_server.dataplane_deregistration_delay,
            is_connected=self._is_connected,
        )
        authn = settings.dp_server.authn
        self._validator = TokenValidator(
            self.replica,
            clock=clock,
            dataplane_trust=load_trust(authn.dp_proxy.dp_token.validator),
            zone_trust=load_trust(authn.zone_proxy.zone_token.validator),
            user_trust=load_trust(settings.api_server.authn.tokens.validator),
        )
        self._hub = Hub(
            engine=self.engine,
            replica=self.replica,
            registry=REGISTRY,
            fanout=self._fanout,
            certificates=self._certificates,
            tracker=self._tracker,
            registrar=self._registrar,
            authenticate=self._authenticate,
            zone=settings.multizone.zone.name,
        )

    def _build_servers(self) -> None:
        settings = self.settings
        dp_server, diagnostics = settings.dp_server, settings.diagnostics
        bootstrap = BootstrapDeps(
            params=settings.bootstrap_server.params,
            dp_server=dp_server,
            certificate=self._certs.data_plane_server_pem,
            proxies=ReplicaProxies(self.replica, REGISTRY),
        )
        self._data_plane_server = DataplaneServer(
            self._hub,
            bootstrap_endpoint(bootstrap),
            self._certs.data_plane_server(),
            leave=leave_endpoint(self._hub),
            port=dp_server.port,
            control_plane=self.instance,
        )
        self._diagnostics = ApiServer(
            build_diagnostics(self.not_ready),
            [
                Listener(
                    "0.0.0.0",  # noqa: S104 probes and Prometheus come from other machines
                    diagnostics.server_port,
                    "diagnostics.serverPort (KUMA_DIAGNOSTICS_SERVER_PORT)",
                    self._certs.diagnostics() if diagnostics.tls_enabled else None,
                )
            ],
        )

    def _build_api(self) -> ApiServer:
        """After the defaults exist: the API tells the cluster's id."""
        deps = ApiDependencies(
            replica=self.replica,
            writer=self._writer,
            registry=REGISTRY,
            settings=self.settings,
            clock=self.clock,
            issuer=TokenIssuer(self.replica, clock=self.clock),
            validator=self._validator,
            inspector=Inspection(
                self.replica,
                REGISTRY,
                self._compiler,
                self._view_of,
                admin=self._admin,
                failures=self._failures,
            ),
            insights=Aggregates(self.replica, REGISTRY, self.clock),
            facts=InstanceFacts(
                hostname=socket.gethostname(),
                instance_id=self.instance,
                cluster_id=self._cluster_id(),
                version=program_version(),
                product=PRODUCT,
            ),
            metrics=self._metrics,
        )
        api, listeners = self.settings.api_server, []
        if api.http.enabled:
            setting = "apiServer.http.port (KUMA_API_SERVER_HTTP_PORT)"
            listeners.append(Listener(api.http.interface, api.http.port, setting))
        if api.https.enabled:
            setting = "apiServer.https.port (KUMA_API_SERVER_HTTPS_PORT)"
            tls = self._certs.api()
            listeners.append(Listener(api.https.interface, api.https.port, setting, tls))
        deadlines = Deadlines(
            headers=api.read_header_timeout,
            request=api.read_timeout,
            response=api.write_timeout,
            idle=api.idle_timeout,
        )
        return ApiServer(build_api(deps), listeners, deadlines=deadlines)

    async def _lead(self, led: asyncio.Event) -> None:
        """The jobs of the leader, for as long as it leads."""
        log.info("this instance leads", instance=self.instance)
        settings, defaults = (
            self.settings,
            Defaults(self._store, self.replica, self._writer, self.clock),
        )
        wanted = Wanted(
            zone=settings.multizone.zone.name,
            mesh=not settings.defaults.skip_mesh_creation,
            hostname_generators=not settings.defaults.skip_hostname_generators,
            admin_token=settings.api_server.authn.tokens.bootstrap_admin_token,
        )
        if not settings.defaults.skip_tenant_resources:
            await defaults.ensure(wanted)
        led.set()
        zone = settings.multizone.zone.name
        age = settings.runtime.universal.dataplane_cleanup_age
        left_open = LeftOpen(
            self._store,
            self.replica,
            self.clock,
            instance=self.instance,
            is_connected=self._database.is_connected,
            every=settings.metrics.dataplane.idle_timeout,
        )
        propagation = settings.mesh_service.label_propagation
        mesh_services = MeshServiceUpkeep(
            self.replica,
            self._writer,
            self.clock,
            zone=zone,
            grace=settings.mesh_service.deletion_grace_period,
            propagation=Propagation(propagation.enabled, frozenset(propagation.allowed_label_keys)),
        )
        ipam = settings.ipam
        ranges = {
            MESH_SERVICE.name: ipam.mesh_service.cidr,
            MESH_EXTERNAL_SERVICE.name: ipam.mesh_external_service.cidr,
            MESH_MULTI_ZONE_SERVICE.name: ipam.mesh_multi_zone_service.cidr,
        }
        virtual_outbounds = VirtualOutbounds(
            self._store,
            self.replica,
            self.clock,
            cidr=settings.dns_server.cidr,
            of_services=settings.dns_server.service_vip_enabled,
        )
        mesh_identities = MeshIdentityUpkeep(
            self._store,
            self.replica,
            self._writer,
            self.clock,
            zone=settings.multizone.zone.name,
        )
        async with asyncio.TaskGroup() as jobs:
            jobs.create_task(mesh_identities.run())
            jobs.create_task(mesh_services.run())
            jobs.create_task(virtual_outbounds.run())
            jobs.create_task(MultiZoneServiceUpkeep(self.replica, self._writer).run())
            jobs.create_task(HostnameUpkeep(self.replica, self._writer, zone=zone).run())
            jobs.create_task(
                WorkloadUpkeep(self.replica, self._writer, self.clock, zone=zone).run()
            )
            jobs.create_task(VipAllocation(self.replica, self._writer, ranges).run())
            jobs.create_task(Cleanup(self.replica, self._writer, self.clock, age=age).run())
            jobs.create_task(left_open.run())
            jobs.create_task(BackendRefConditions(self.replica, self._writer, REGISTRY).run())

    async def _until_defaults_exist(self, led: asyncio.Event) -> None:
        """They exist once this instance has led, or if another one made them."""
        if self.replica.find(CLUSTER_ID) is None:
            self._starting = "it waits for the leader to make the defaults"
            await led.wait()

    def _companions(self, mesh: AnyResource) -> list[AnyResource]:
        return [
            *secrets_of_mesh(mesh, replica=self.replica, clock=self.clock),
            *default_policies(mesh),
        ]

    def _prepare(self, key: ProxyKey, outcome: Outcome) -> bool:
        self._tracker.piped(key, outcome.piped)
        return self._certificates.ensure(
            key,
            outcome.wanted,
            lambda: self._compiler.authority(key),
            not_before=outcome.not_before,
        )

    def _authenticate(
        self, credential: str, *, dataplane: Dataplane, existing: Dataplane | None
    ) -> None:
        if self.settings.dp_server.authn.dp_proxy.type != "none":
            zone = self.settings.multizone.zone.name
            authenticate_dataplane(
                self._validator,
                credential,
                dataplane=dataplane,
                existing=existing,
                identity_from_workload=is_known_by_workload(self.replica, dataplane, zone),
            )

    def _view_of(self, mesh: str) -> TrackedView:
        view = self._views.get(mesh)
        if view is None:
            zone = self.settings.multizone.zone.name
            view = TrackedView(
                self.engine,
                mesh=mesh,
                zone=zone,
                placements=self._failures.placements,
                service_vip_port=self.settings.dns_server.service_vip_port,
                reaches_permitted_only=self.settings.experimental.auto_reachable_services,
                spire_socket=self.settings.runtime.universal.spire.socket_path,
            )
            self._views[mesh] = view
        return view

    def _cluster_id(self) -> str:
        found = self.replica.find(CLUSTER_ID)
        return found.spec.config if found and isinstance(found.spec, ConfigSpec) else ""

    def _is_connected(self, key: ProxyKey) -> bool:
        return self._hub.is_connected(key)

    def _grace(self) -> timedelta:
        return min(self.settings.dp_server.graceful_shutdown_timeout, STOP_WITHIN)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part that should run forever ended: say so, and let the process end."""
        self._tasks.discard(task)
        if task.cancelled():
            return
        log.critical(
            "a part of the control plane failed", part=task.get_name(), exc_info=task.exception()
        )
        self._failed.set()
