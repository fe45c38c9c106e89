"""The servers of a control plane, put together: for proxies, for people, for probes."""

import socket
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from kuma.api.app import build_api
from kuma.api.connection import Deadlines
from kuma.api.dependencies import ApiDependencies
from kuma.api.ports import InstanceFacts
from kuma.api.serve import ApiServer, Listener
from kuma.app.control_plane.diagnostics import build_diagnostics
from kuma.app.control_plane.pipeline import Pipeline
from kuma.app.control_plane.state import State
from kuma.app.control_plane.tls import ServerCertificates
from kuma.config.servers import ApiServer as ApiSettings
from kuma.identity.tokens import TokenIssuer
from kuma.kit.version import PRODUCT, program_version
from kuma.pipeline.aggregates import Aggregates
from kuma.pipeline.inspect import Inspection
from kuma.policies.catalogue import REGISTRY
from kuma.resources.kinds.config import ConfigSpec
from kuma.upkeep.defaults import CLUSTER_ID
from kuma.xds.bootstrap import BootstrapDeps, ReplicaProxies, bootstrap_endpoint
from kuma.xds.leave import leave_endpoint
from kuma.xds.server import DataplaneServer


def data_plane_server(
    state: State, pipeline: Pipeline, certificates: ServerCertificates
) -> DataplaneServer:
    settings = state.settings
    bootstrap = BootstrapDeps(
        params=settings.bootstrap_server.params,
        dp_server=settings.dp_server,
        certificate=certificates.data_plane_server_pem,
        proxies=ReplicaProxies(state.replica, REGISTRY),
    )
    return DataplaneServer(
        pipeline.hub,
        bootstrap_endpoint(bootstrap),
        certificates.data_plane_server(),
        leave=leave_endpoint(pipeline.hub),
        port=settings.dp_server.port,
        control_plane=state.instance,
    )


def diagnostics_server(
    state: State, certificates: ServerCertificates, not_ready: Callable[[], str | None]
) -> ApiServer:
    settings = state.settings.diagnostics
    listener = Listener(
        "0.0.0.0",  # noqa: S104 probes and Prometheus come from other machines
        settings.server_port,
        "diagnostics.serverPort (KUMA_DIAGNOSTICS_SERVER_PORT)",
        certificates.diagnostics() if settings.tls_enabled else None,
    )
    return ApiServer(build_diagnostics(not_ready), [listener])


def api_server(
    state: State,
    pipeline: Pipeline,
    certificates: ServerCertificates,
    metrics: CollectorRegistry,
) -> ApiServer:
    """To be built after the defaults exist: the API tells the cluster's id."""
    api = state.settings.api_server
    deadlines = Deadlines(
        headers=api.read_header_timeout,
        request=api.read_timeout,
        response=api.write_timeout,
        idle=api.idle_timeout,
    )
    app = build_api(_dependencies(state, pipeline, metrics))
    return ApiServer(app, _listeners(api, certificates), deadlines=deadlines)


def _listeners(api: ApiSettings, certificates: ServerCertificates) -> list[Listener]:
    listeners = []
    if api.http.enabled:
        setting = "apiServer.http.port (KUMA_API_SERVER_HTTP_PORT)"
        listeners.append(Listener(api.http.interface, api.http.port, setting))
    if api.https.enabled:
        setting = "apiServer.https.port (KUMA_API_SERVER_HTTPS_PORT)"
        tls = certificates.api()
        listeners.append(Listener(api.https.interface, api.https.port, setting, tls))
    return listeners


def _dependencies(state: State, pipeline: Pipeline, metrics: CollectorRegistry) -> ApiDependencies:
    return ApiDependencies(
        replica=state.replica,
        writer=state.writer,
        registry=REGISTRY,
        settings=state.settings,
        clock=state.clock,
        issuer=TokenIssuer(state.replica, clock=state.clock),
        validator=pipeline.validator,
        inspector=Inspection(
            state.replica,
            REGISTRY,
            pipeline.compiler,
            pipeline.view_of,
            admin=pipeline.admin,
            failures=pipeline.failures,
        ),
        insights=Aggregates(state.replica, REGISTRY, state.clock),
        facts=InstanceFacts(
            hostname=socket.gethostname(),
            instance_id=state.instance,
            cluster_id=_cluster_id(state),
            version=program_version(),
            product=PRODUCT,
        ),
        metrics=metrics,
    )


def _cluster_id(state: State) -> str:
    found = state.replica.find(CLUSTER_ID)
    return found.spec.config if found and isinstance(found.spec, ConfigSpec) else ""
