"""What follows from the settings of a control plane, and which of them cannot go together."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import combinations
from typing import TypeVar

from kuma.config.control_plane import RESERVED_LABELS, ControlPlaneSettings
from kuma.config.section import Section
from kuma.config.servers import ServerTls
from kuma.config.tls import cipher_problems

S = TypeVar("S", bound=Section)
T = TypeVar("T", bound=ServerTls)
_ALL = "0.0.0.0"  # noqa: S104  a name for it, not a listener


def complete(settings: ControlPlaneSettings, environ: Mapping[str, str]) -> ControlPlaneSettings:
    """Fill in what is left empty and follows from something else."""
    general = settings.general
    home = environ.get("HOME") or "."
    work_dir = general.work_dir or f"{home}/.kuma"
    store, sqlite = settings.store, settings.store.sqlite
    params = settings.bootstrap_server.params
    xds_port = params.xds_port or settings.dp_server.port
    settings = _with(
        settings,
        mode="zone" if settings.mode == "standalone" else settings.mode,
        general=_with(general, work_dir=work_dir),
        store=_with(store, sqlite=_with(sqlite, path=sqlite.path or f"{work_dir}/kuma.db")),
        bootstrap_server=_with(settings.bootstrap_server, params=_with(params, xds_port=xds_port)),
        dp_server=_with(settings.dp_server, authn=_proxy_authn(settings)),
    )
    return _with_shared_tls(settings)


def _proxy_authn(settings: ControlPlaneSettings) -> Section:
    authn = settings.dp_server.authn
    on_kubernetes = settings.environment == "kubernetes"
    dp_proxy, zone_proxy = authn.dp_proxy, authn.zone_proxy
    sidecar = dp_proxy.type or ("serviceAccountToken" if on_kubernetes else "dpToken")
    zone = zone_proxy.type or ("serviceAccountToken" if on_kubernetes else "zoneToken")
    return _with(
        authn,
        dp_proxy=_with(dp_proxy, type=sidecar),
        zone_proxy=_with(zone_proxy, type=zone),
    )


def _with_shared_tls(settings: ControlPlaneSettings) -> ControlPlaneSettings:
    """What `general` says of TLS holds for every server: the certificate where it has none of its
    own, the versions and cipher suites in any case."""
    shared = settings.general
    kds = settings.multizone.global_.kds
    multizone = _with(
        settings.multizone,
        global_=_with(settings.multizone.global_, kds=_with_tls_of(kds, shared)),
    )
    inter_cp = _with(settings.inter_cp, server=_with(settings.inter_cp.server, **_limits(shared)))
    https = _with_tls_of(settings.api_server.https, shared)
    return _with(
        settings,
        api_server=_with(settings.api_server, https=https),
        dp_server=_with_tls_of(settings.dp_server, shared),
        diagnostics=_with_tls_of(settings.diagnostics, shared),
        monitoring_assignment_server=_with_tls_of(settings.monitoring_assignment_server, shared),
        multizone=multizone,
        inter_cp=inter_cp,
    )


def _with_tls_of(server: T, shared: ServerTls) -> T:
    if not server.tls_cert_file:
        server = _with(server, tls_cert_file=shared.tls_cert_file, tls_key_file=shared.tls_key_file)
    return _with(server, **_limits(shared))


def _limits(shared: ServerTls) -> dict[str, object]:
    names = ("tls_min_version", "tls_max_version", "tls_cipher_suites")
    return {name: getattr(shared, name) for name in names if getattr(shared, name)}


def _with(model: S, **changes: object) -> S:
    """Unchecked: only settings that were checked already are put together anew."""
    return model.model_copy(update=changes)


def problems(settings: ControlPlaneSettings) -> tuple[str, ...]:
    return (
        *_unavailable_choices(settings),
        *_store_problems(settings),
        *_server_problems(settings),
        *_positive_problems(settings),
        *_range_problems(settings),
        *_label_problems(settings),
    )


def _unavailable_choices(settings: ControlPlaneSettings) -> Iterator[str]:
    if settings.environment == "kubernetes":
        yield 'environment: "kubernetes" is not available yet, must be "universal"'
    if settings.store.type == "kubernetes":
        yield 'store.type: "kubernetes" is not available yet, must be sqlite, postgres or memory'
    if settings.mode == "global":
        yield 'mode: "global" is not available yet, must be "zone"'
    authn = settings.dp_server.authn
    for key, kind in (("dpProxy", authn.dp_proxy.type), ("zoneProxy", authn.zone_proxy.type)):
        if kind == "serviceAccountToken" and settings.environment == "universal":
            yield f'dpServer.authn.{key}.type: "serviceAccountToken" exists on Kubernetes alone'


def _store_problems(settings: ControlPlaneSettings) -> Iterator[str]:
    if settings.store.type != "postgres":
        return
    postgres, tls = settings.store.postgres, settings.store.postgres.tls
    for key in ("host", "user", "db_name"):
        if not getattr(postgres, key):
            yield f"store.postgres.{key.replace('_n', 'N')}: must be set"
    most = postgres.max_open_connections
    if most and postgres.min_open_connections > most:
        yield f"store.postgres.minOpenConnections: must not exceed maxOpenConnections, {most}"
    if tls.mode in {"verifyCa", "verifyFull"} and not tls.ca_path:
        yield f"store.postgres.tls.caPath: must be set with tls.mode {tls.mode}"
    if bool(tls.cert_path) != bool(tls.key_path):
        yield "store.postgres.tls.certPath and keyPath: must be set together"


def _server_problems(settings: ControlPlaneSettings) -> Iterator[str]:
    api = settings.api_server
    servers: tuple[tuple[str, ServerTls], ...] = (
        ("general", settings.general),
        ("apiServer.https", api.https),
        ("dpServer", settings.dp_server),
        ("diagnostics", settings.diagnostics),
    )
    for key, server in servers:
        if bool(server.tls_cert_file) != bool(server.tls_key_file):
            yield f"{key}.tlsCertFile and tlsKeyFile: must be set together"
        if server.tls_max_version and server.tls_max_version < server.tls_min_version:
            yield f"{key}.tlsMaxVersion: must not be older than tlsMinVersion"
        yield from cipher_problems(f"{key}.tlsCipherSuites", server.tls_cipher_suites)
    if not (api.http.enabled or api.https.enabled):
        yield "apiServer: http and https must not both be disabled"
    if api.https.require_client_cert and not api.https.tls_ca_file:
        yield "apiServer.https.tlsCaFile: must be set with requireClientCert"
    yield from _port_clashes(settings)
    if not settings.multizone.zone.name:
        yield "multizone.zone.name: must be set"


def _port_clashes(settings: ControlPlaneSettings) -> Iterator[str]:
    """0 means any free port. What has no setting for its interface listens on all of them."""
    http, https = settings.api_server.http, settings.api_server.https
    listeners = [
        ("dpServer.port", settings.dp_server.port, _ALL),
        ("diagnostics.serverPort", settings.diagnostics.server_port, _ALL),
        *([("apiServer.http.port", http.port, http.interface)] if http.enabled else []),
        *([("apiServer.https.port", https.port, https.interface)] if https.enabled else []),
    ]
    for (one, port, here), (other, same, there) in combinations(listeners, 2):
        if port and port == same and (here == there or _ALL in {here, there}):
            yield f"{other}: must not be the port of {one}, {port}"


def _positive_problems(settings: ControlPlaneSettings) -> Iterator[str]:
    """Durations that make no sense at or below zero."""
    xds, metrics = settings.xds_server, settings.metrics
    checked = (
        ("xdsServer.dataplaneStatusFlushInterval", xds.dataplane_status_flush_interval),
        ("metrics.dataplane.idleTimeout", metrics.dataplane.idle_timeout),
        (
            "runtime.universal.dataplaneCleanupAge",
            settings.runtime.universal.dataplane_cleanup_age,
        ),
    )
    for key, duration in checked:
        if duration <= timedelta(0):
            yield f"{key}: must be longer than 0s"
    if xds.dataplane_deregistration_delay < timedelta(0):
        yield "xdsServer.dataplaneDeregistrationDelay: must not be below 0s"


def _label_problems(settings: ControlPlaneSettings) -> Iterator[str]:
    for index, key in enumerate(settings.mesh_service.label_propagation.allowed_label_keys):
        if key.startswith(RESERVED_LABELS):
            where = f"meshService.labelPropagation.allowedLabelKeys[{index}]"
            yield f'{where}: "{key}" must not be reserved'


def _range_problems(settings: ControlPlaneSettings) -> Iterator[str]:
    """The range of services by tags may contain the others: it is that of all reserved addresses."""
    ipam = settings.ipam
    ranges = {
        "ipam.meshService.cidr": ipam.mesh_service.cidr,
        "ipam.meshExternalService.cidr": ipam.mesh_external_service.cidr,
        "ipam.meshMultiZoneService.cidr": ipam.mesh_multi_zone_service.cidr,
    }
    parsed = {key: _network(text) for key, text in ranges.items()}
    others = {"dnsServer.CIDR": settings.dns_server.cidr}
    others |= {
        f"ipam.knownInternalCIDRs[{index}]": text
        for index, text in enumerate(ipam.known_internal_cidrs)
    }
    for key, text in (ranges | others).items():
        if _network(text) is None:
            yield f'{key}: "{text}" is no range of addresses, must be like "240.0.0.0/4"'
    for (one, here), (other, there) in combinations(parsed.items(), 2):
        if here and there and here.version == there.version and here.overlaps(there):
            yield f"{other}: must not overlap with {one}, {ranges[one]}"


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None
