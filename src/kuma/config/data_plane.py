"""All settings of kuma-dp: the names, defaults and variables of Kuma 2.14.

Flags win over variables, variables over the file. kuma-dp starts beside every service, so this
module does not know the control plane's settings.
Source: https://kuma.io/docs/2.14.x/reference/kuma-dp/ and the flags of `kuma-dp run`
"""

from datetime import timedelta
from typing import Literal

from kuma.config.forms import Bool, Duration, Number, Port, Text, TextMap
from kuma.config.section import Section, section, setting


class ControlPlaneRetry(Section):
    backoff: Duration = setting(timedelta(seconds=3), "Pause between attempts.")
    max_duration: Duration = setting(timedelta(minutes=5), "How long it is tried.")


class ControlPlane(Section):
    url: Text = setting("https://localhost:5678", "Address of the control plane.")
    retry: ControlPlaneRetry = section(ControlPlaneRetry, "While it does not answer.")
    ca_cert: Text = setting("", "CA of its certificate, as PEM; wins over `caCertFile`.")
    ca_cert_file: Text = setting("", "File of the CA of its certificate.")
    tls_skip_verify: Bool = setting(False, "Do not check its certificate. Insecure.")


class Dataplane(Section):
    mesh: Text = setting("", "Mesh of the dataplane.")
    name: Text = setting("", "Name of the dataplane.")
    proxy_type: Literal["dataplane", "ingress", "egress"] = setting("dataplane", "Kind of proxy.")
    drain_time: Duration = setting(
        timedelta(seconds=30), "Time for connections to end at shutdown."
    )
    readiness_port: Port = setting(
        9902, "Port on which kuma-dp tells whether it is ready.", env="KUMA_READINESS_PORT"
    )
    resilient_component_base_backoff: Duration = setting(
        timedelta(seconds=5), "First pause before a failed component is started again."
    )
    resilient_component_max_backoff: Duration = setting(
        timedelta(minutes=1), "Longest pause before a failed component is started again."
    )


class Resources(Section):
    max_memory_bytes: Number = setting(0, "Memory that Envoy may use. 0: what there is.")


class AppMetrics(Section):
    cert_path: Text = setting(
        "",
        "Certificate of the metrics listener.",
        key="metricsCertPath",
        env="KUMA_DATAPLANE_RUNTIME_METRICS_CERT_PATH",
    )
    key_path: Text = setting(
        "",
        "Key of that certificate.",
        key="metricsKeyPath",
        env="KUMA_DATAPLANE_RUNTIME_METRICS_KEY_PATH",
    )


class DynamicConfiguration(Section):
    refresh_interval: Duration = setting(
        timedelta(seconds=1), "How often dynamic configuration is read."
    )


class Spire(Section):
    supported: Bool = setting(False, "The socket of the SPIRE agent is mounted.")
    socket_path: Text = setting("", "Socket of the SPIRE agent.")


class DataplaneRuntime(Section):
    binary_path: Text = setting(
        "envoy", "Envoy. Without a slash: looked for in PATH, then the one that is installed along."
    )
    config_dir: Text = setting("", "Deprecated, see `workDir`.")
    work_dir: Text = setting("", "Directory for files of this proxy. Empty: a temporary one.")
    concurrency: Number = setting(0, "Threads of Envoy. 0: as Envoy decides.")
    token_path: Text = setting(
        "",
        "File of the dataplane token.",
        key="dataplaneTokenPath",
        env="KUMA_DATAPLANE_RUNTIME_TOKEN_PATH",
    )
    token: Text = setting(
        "",
        "The dataplane token itself.",
        key="dataplaneToken",
        env="KUMA_DATAPLANE_RUNTIME_TOKEN",
        secret=True,
    )
    resource: Text = setting("", "The Dataplane, as YAML or JSON, perhaps a template.")
    resource_path: Text = setting("", "File of the Dataplane.")
    resource_vars: TextMap = setting({}, "Variables of the template.", file_only=True)
    envoy_log_level: Text = setting("", "Log level of Envoy. Empty: as kuma-dp logs.")
    envoy_component_log_level: Text = setting("", "Log levels of parts of Envoy.")
    resources: Resources = section(Resources, "What Envoy may use.", env="KUMA_DATAPLANE_RESOURCES")
    socket_dir: Text = setting("", "Deprecated, see `workDir`.")
    metrics: AppMetrics = section(AppMetrics, "The metrics listener.")
    dynamic_configuration: DynamicConfiguration = section(
        DynamicConfiguration, "Configuration beside xDS."
    )
    system_ca_path: Text = setting(
        "",
        "File of the CAs of the system. Empty: found out.",
        env="KUMA_DATAPLANE_RUNTIME_DYNAMIC_SYSTEM_CA_PATH",
    )
    transparent_proxy: Text = setting("", "Configuration of the transparent proxy.")
    bind_outbounds: Bool = setting(False, "Listen for outbounds on their own addresses.")
    envoy_xds_transport_protocol_variant: Literal["", "DELTA_GRPC", "GRPC"] = setting(
        "", "How Envoy gets its configuration. Empty: as the control plane says."
    )
    unified_resource_naming_enabled: Bool = setting(False, "Use the unified names in Envoy.")
    ipv6_enabled: Bool = setting(
        True,
        "The machine has IPv6.",
        key="IPv6Enabled",
        env="KUMA_DATAPLANE_RUNTIME_IPV6_ENABLED",
    )
    spire: Spire = section(Spire, "SPIRE.")
    strict_inbound_ports_enabled: Bool = setting(
        True, "Refuse traffic to ports that are no inbounds."
    )
    otel_pipe_enabled: Bool = setting(True, "Send OpenTelemetry data through kuma-dp.")
    reuse_port_enabled: Bool = setting(True, "Each thread of Envoy has its own listening socket.")


class Dns(Section):
    enabled: Bool = setting(True, "Resolve names of the mesh.")
    proxy_port: Port = setting(0, "Port of the DNS server of kuma-dp. 0: none.")
    core_dns_port: Port = setting(15053, "Port of CoreDNS.")
    envoy_dns_port: Port = setting(15054, "Port of Envoy's DNS filter.")
    core_dns_binary_path: Text = setting("coredns", "CoreDNS.")
    core_dns_config_template_path: Text = setting("", "Template of its configuration.")
    config_dir: Text = setting("", "Directory of its configuration.")
    prometheus_port: Port = setting(19153, "Port of its metrics.")
    core_dns_logging: Bool = setting(
        False, "Log queries.", key="coreDNSLogging", env="KUMA_DNS_ENABLE_LOGGING"
    )


class ApplicationProbeProxy(Section):
    port: Port = setting(0, "Port of the proxy. 0: none.")


class DataPlaneSettings(Section):
    """Read them with `load.load_data_plane`."""

    control_plane: ControlPlane = section(ControlPlane, "The control plane.")
    dataplane: Dataplane = section(Dataplane, "The dataplane.")
    dataplane_runtime: DataplaneRuntime = section(DataplaneRuntime, "Envoy and its surroundings.")
    dns: Dns = section(Dns, "DNS.")
    application_probe_proxy_server: ApplicationProbeProxy = section(
        ApplicationProbeProxy, "Probes of applications.", env="KUMA_APPLICATION_PROBE_PROXY"
    )
