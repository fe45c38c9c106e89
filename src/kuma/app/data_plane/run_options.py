"""RunOptions from the merged values: checked as Kuma does, with what is odd logged."""

from collections.abc import Collection
from pathlib import Path

from kuma.app.data_plane.flags import Values
from kuma.app.data_plane.go_style import parse_pairs
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

_ENVOY_LEVELS = ("trace", "debug", "info", "warning", "warn", "error", "critical", "off")


def build_options(values: Values, log: Log) -> RunOptions:
    """Raises DataPlaneError that names the flag."""
    if values["transparent_proxy"] or values["transparent_proxy_config"]:
        raise DataPlaneError(
            "--transparent-proxy is not available yet: "
            "list the services to be called under networking.outbound of the Dataplane"
        )
    for part, asking in values.absent_parts().items():
        log.warning("not available yet, goes without it", part=part, settings=", ".join(asking))
    _check(values)
    return RunOptions(
        name=values["name"],
        mesh=values["mesh"],
        proxy_type=ProxyType(values["proxy_type"]),
        control_plane=_control_plane(values, log),
        definition=DefinitionOptions(
            values["dataplane_file"], values["dataplane"], _variables(values)
        ),
        envoy=_envoy(values, log),
        features=_features(values),
        token=values["dataplane_token"],
        token_path=_path(values["dataplane_token_file"]),
        readiness_port=values["readiness_port"],
        ipv6_enabled=values["ipv6_enabled"],
        max_memory_bytes=values["dataplane_resources_max_memory_bytes"],
        metrics_cert_path=values["metrics_cert_path"],
        metrics_key_path=values["metrics_key_path"],
        system_ca_path=values["dynamic_system_ca_path"],
        spire_socket_path=values["spire_socket_path"],
        host_ip=values["host_ip"],
    )


def _check(values: Values) -> None:
    _one_of("--proxy-type", values["proxy_type"], tuple(ProxyType))
    _one_of("--envoy-log-level", values["envoy_log_level"], ("", *_ENVOY_LEVELS))
    for flag in ("drain_time", "control_plane_retry_backoff", "control_plane_retry_max_duration"):
        if values[flag].total_seconds() <= 0:
            raise DataPlaneError(f"{flag.replace('_', ' ')} must be a positive duration")
    named = [flag for flag in ("name", "mesh") if values[flag]]
    if values["dataplane_file"] or values["dataplane"]:
        if named:
            raise DataPlaneError(
                "--name and --mesh cannot be given with a dataplane definition, which has its own"
            )
        return
    needed = ["name"] if values["proxy_type"] != ProxyType.DATAPLANE else ["name", "mesh"]
    if missing := [f"--{flag}" for flag in needed if flag not in named]:
        raise DataPlaneError(
            f"{' and '.join(missing)} must be given, or a definition with --dataplane-file"
        )


def _one_of(flag: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        known = ", ".join(each for each in allowed if each)
        raise DataPlaneError(f'{flag} "{value}" must be one of: {known}')


def _control_plane(values: Values, log: Log) -> ControlPlaneOptions:
    if values["skip_verify"]:
        log.warning("the control plane's certificate is not verified (--skip-verify)")
    return ControlPlaneOptions(
        url=values["cp_address"],
        ca_cert=values["control_plane_ca_cert"] or _read(values["ca_cert_file"]),
        skip_verify=values["skip_verify"],
        retry_backoff=values["control_plane_retry_backoff"],
        retry_max_duration=values["control_plane_retry_max_duration"],
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except UnicodeDecodeError as error:
        raise DataPlaneError(f"--ca-cert-file {path}: is not a PEM certificate") from error
    except OSError as error:
        raise DataPlaneError(f"--ca-cert-file {path}: cannot be read: {error.strerror}") from error


def _envoy(values: Values, log: Log) -> EnvoyOptions:
    for old in ("config_dir", "socket_dir"):
        if values[old]:
            log.warning("deprecated: use --work-dir", setting=old)
    work_dir = values["work_dir"] or values["config_dir"] or values["socket_dir"]
    return EnvoyOptions(
        binary_path=values["binary_path"],
        work_dir=_path(work_dir),
        concurrency=values["concurrency"],
        log_level=values["envoy_log_level"] or log.level.name.lower(),
        component_log_level=values["envoy_component_log_level"],
        drain_time=values["drain_time"],
    )


def _features(values: Values) -> FeatureOptions:
    return FeatureOptions(
        delta_xds=values["envoy_xds_transport_protocol_variant"] == "DELTA_GRPC",
        reuse_port=values["reuse_port_enabled"],
        strict_inbound_ports=values["strict_inbound_ports_enabled"],
        bind_outbounds=values["bind_outbounds"],
        unified_resource_naming=values["unified_resource_naming_enabled"],
        spire=values["spire_supported"],
    )


def _variables(values: Values) -> dict[str, str]:
    try:
        return parse_pairs(values["dataplane_var"])
    except ValueError as error:
        raise DataPlaneError(f"--dataplane-var: {error}") from error


def _path(text: str) -> Path | None:
    return Path(text) if text else None
