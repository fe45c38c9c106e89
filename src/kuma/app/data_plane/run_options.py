"""RunOptions from the merged values: checked as Kuma does, with what is odd logged."""

from collections.abc import Collection, Mapping
from pathlib import Path

from kuma.app.data_plane.flags import Values
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.log import Log
from kuma.dataplane.options import (
    ControlPlaneOptions,
    DefinitionOptions,
    EnvoyOptions,
    FeatureOptions,
    ProxyType,
    RunOptions,
)
from kuma.dataplane.otel.environment import read_environment
from kuma.kit.go_flags import parse_pairs

_ENVOY_LEVELS = ("trace", "debug", "info", "warning", "warn", "error", "critical", "off")
_POSITIVE = (
    "dataplane.drainTime",
    "controlPlane.retry.backoff",
    "controlPlane.retry.maxDuration",
    "dataplaneRuntime.dynamicConfiguration.refreshInterval",
)


def build_options(values: Values, environment: Mapping[str, str], *, log: Log) -> RunOptions:
    """Raises DataPlaneError that names the flag."""
    _check(values)
    otel = read_environment(environment)
    for warning in otel.warnings():
        log.warning(warning)
    for setting, reason in values.without_effect().items():
        log.warning("a setting does nothing", setting=setting, reason=reason)
    if values["dns.enabled"]:
        log.warning("DNS is not available yet: goes without (--dns-enabled=false says so)")
    if values["controlPlane.tlsSkipVerify"]:
        log.warning("the control plane's certificate is not verified (--skip-verify)")
    return RunOptions(
        name=values["dataplane.name"],
        mesh=values["dataplane.mesh"],
        proxy_type=ProxyType(values["dataplane.proxyType"]),
        control_plane=_control_plane(values),
        definition=_definition(values),
        envoy=_envoy(values, log),
        features=_features(values),
        token=values["dataplaneRuntime.dataplaneToken"],
        token_path=_path(values["dataplaneRuntime.dataplaneTokenPath"]),
        readiness_port=values["dataplane.readinessPort"],
        ipv6_enabled=values["dataplaneRuntime.IPv6Enabled"],
        max_memory_bytes=values["dataplaneRuntime.resources.maxMemoryBytes"],
        refresh_interval=values["dataplaneRuntime.dynamicConfiguration.refreshInterval"],
        metrics_cert_path=values["dataplaneRuntime.metrics.metricsCertPath"],
        metrics_key_path=values["dataplaneRuntime.metrics.metricsKeyPath"],
        system_ca_path=values["dataplaneRuntime.systemCaPath"],
        spire_socket_path=values["dataplaneRuntime.spire.socketPath"],
        host_ip=environment.get("HOST_IP", ""),
        otel=otel,
    )


def _check(values: Values) -> None:
    if any(values[key] for key in ("transparentProxy", "transparentProxyConfig")):
        raise DataPlaneError(
            "--transparent-proxy is not available yet: "
            "list the services to be called under networking.outbound of the Dataplane"
        )
    _one_of("--proxy-type", values["dataplane.proxyType"], tuple(ProxyType))
    _one_of("--envoy-log-level", values["dataplaneRuntime.envoyLogLevel"], ("", *_ENVOY_LEVELS))
    for key in _POSITIVE:
        if values[key].total_seconds() <= 0:
            raise DataPlaneError(f"{key} must be a positive duration")
    _check_names(values)


def _check_names(values: Values) -> None:
    """Either a definition, or a name (and a mesh) of what exists already."""
    given = [flag for flag in ("name", "mesh") if values[f"dataplane.{flag}"]]
    if values["dataplaneRuntime.resourcePath"] or values["dataplaneRuntime.resource"]:
        if given:
            raise DataPlaneError(
                "--name and --mesh cannot be given with a dataplane definition, which has its own"
            )
        return
    is_dataplane = values["dataplane.proxyType"] == ProxyType.DATAPLANE
    needed = ("name", "mesh") if is_dataplane else ("name",)
    if missing := [f"--{flag}" for flag in needed if flag not in given]:
        raise DataPlaneError(
            f"{' and '.join(missing)} must be given, or a definition with --dataplane-file"
        )


def _one_of(flag: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        known = ", ".join(each for each in allowed if each)
        raise DataPlaneError(f'{flag} "{value}" must be one of: {known}')


def _control_plane(values: Values) -> ControlPlaneOptions:
    return ControlPlaneOptions(
        url=values["controlPlane.url"],
        ca_cert=values["controlPlane.caCert"] or _read(values["controlPlane.caCertFile"]),
        skip_verify=values["controlPlane.tlsSkipVerify"],
        retry_backoff=values["controlPlane.retry.backoff"],
        retry_max_duration=values["controlPlane.retry.maxDuration"],
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except UnicodeDecodeError as error:
        raise DataPlaneError(f"--ca-cert-file {path}: is not a PEM certificate") from error
    except OSError as error:
        raise DataPlaneError(f"--ca-cert-file {path}: cannot be read: {error.strerror}") from error


def _definition(values: Values) -> DefinitionOptions:
    try:
        variables = parse_pairs(values["dataplaneRuntime.resourceVars"])
    except ValueError as error:
        raise DataPlaneError(f"--dataplane-var: {error}") from error
    path, text = values["dataplaneRuntime.resourcePath"], values["dataplaneRuntime.resource"]
    return DefinitionOptions(path, text, variables)


def _envoy(values: Values, log: Log) -> EnvoyOptions:
    work_dirs = (values[f"dataplaneRuntime.{key}"] for key in ("workDir", "configDir", "socketDir"))
    return EnvoyOptions(
        binary_path=values["dataplaneRuntime.binaryPath"],
        work_dir=_path(next(filter(None, work_dirs), "")),
        concurrency=values["dataplaneRuntime.concurrency"],
        log_level=values["dataplaneRuntime.envoyLogLevel"] or log.level.name.lower(),
        component_log_level=values["dataplaneRuntime.envoyComponentLogLevel"],
        drain_time=values["dataplane.drainTime"],
    )


def _features(values: Values) -> FeatureOptions:
    return FeatureOptions(
        delta_xds=values["dataplaneRuntime.envoyXdsTransportProtocolVariant"] != "GRPC",
        reuse_port=values["dataplaneRuntime.reusePortEnabled"],
        strict_inbound_ports=values["dataplaneRuntime.strictInboundPortsEnabled"],
        bind_outbounds=values["dataplaneRuntime.bindOutbounds"],
        unified_resource_naming=values["dataplaneRuntime.unifiedResourceNamingEnabled"],
        spire=values["dataplaneRuntime.spire.supported"],
        otel_pipe=values["dataplaneRuntime.otelPipeEnabled"],
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None
