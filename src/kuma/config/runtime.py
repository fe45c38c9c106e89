"""Settings of the environment, of what is made at the first start, and of the process itself."""

from datetime import timedelta
from typing import Literal

from kuma.config.forms import Bool, Duration, Number, Text
from kuma.config.kubernetes import Kubernetes
from kuma.config.section import Section, section, setting
from kuma.config.servers import ServerTls

SPIRE_SOCKET = "/tmp/spire-agent/public/api.sock"  # noqa: S108  the default of SPIRE


class UniversalSpire(Section):
    socket_path: Text = setting(
        SPIRE_SOCKET,
        "Socket of the SPIRE agent, on machines of proxies that do not name another.",
    )


class UniversalWorkload(Section):
    generation_interval: Duration = setting(
        timedelta(seconds=2), "How often Workloads are computed anew."
    )


class Universal(Section):
    dataplane_cleanup_age: Duration = setting(
        timedelta(hours=72), "A dataplane that is offline for this time is deleted."
    )
    zone_resource_cleanup_age: Duration = setting(
        timedelta(hours=72), "A zone proxy that is offline for this time is deleted."
    )
    vip_refresh_interval: Duration = setting(
        timedelta(milliseconds=500), "How often virtual addresses are computed anew."
    )
    spire: UniversalSpire = section(UniversalSpire, "SPIRE.")
    workload: UniversalWorkload = section(UniversalWorkload, "Workloads.")


class Runtime(Section):
    kubernetes: Kubernetes = section(Kubernetes, "On Kubernetes.")
    universal: Universal = section(Universal, "On universal.")


class Defaults(Section):
    skip_mesh_creation: Bool = setting(False, "Do not create the mesh `default`.")
    skip_tenant_resources: Bool = setting(False, "Create nothing at the first start.")
    create_mesh_routing_resources: Bool = setting(
        False, "Create a TrafficPermission and a TrafficRoute with each mesh."
    )
    skip_hostname_generators: Bool = setting(False, "Do not create HostnameGenerators.")


class DataplaneMetrics(Section):
    subscription_limit: Number = setting(
        2, "Connections of a dataplane that its DataplaneInsight remembers."
    )
    idle_timeout: Duration = setting(
        timedelta(minutes=5), "A dataplane whose connection died silently is offline then."
    )


class ZoneMetrics(Section):
    subscription_limit: Number = setting(10, "Connections of a zone that are remembered.")
    idle_timeout: Duration = setting(
        timedelta(minutes=5), "A zone whose connection died silently is offline then."
    )
    compact_finished_subscriptions: Bool = setting(
        False, "Forget the details of finished connections."
    )


class MeshMetrics(Section):
    min_resync_interval: Duration = setting(
        timedelta(seconds=1), "Least time between two computations of an insight."
    )
    full_resync_interval: Duration = setting(
        timedelta(seconds=20), "How often all insights are computed anew."
    )
    min_resync_timeout: Duration = setting(timedelta(0), "Deprecated, see `minResyncInterval`.")
    max_resync_timeout: Duration = setting(timedelta(0), "Deprecated, see `fullResyncInterval`.")
    buffer_size: Number = setting(1000, "Events that may wait.")
    event_processors: Number = setting(1, "Workers that process events.")


class ControlPlaneMetrics(Section):
    report_resources_count: Bool = setting(True, "Report the number of resources.")


class OpenTelemetryMetrics(Section):
    enabled: Bool = setting(True, "Push metrics if OTEL_EXPORTER_OTLP_ENDPOINT is set.")


class Metrics(Section):
    dataplane: DataplaneMetrics = section(DataplaneMetrics, "Insights of dataplanes.")
    zone: ZoneMetrics = section(ZoneMetrics, "Insights of zones.")
    mesh: MeshMetrics = section(MeshMetrics, "Insights of meshes and services.")
    control_plane: ControlPlaneMetrics = section(ControlPlaneMetrics, "The control plane itself.")
    open_telemetry: OpenTelemetryMetrics = section(
        OpenTelemetryMetrics, "Metrics by OpenTelemetry.", env="KUMA_METRICS_OPENTELEMETRY"
    )


class Reports(Section):
    enabled: Bool = setting(False, "Report usage to the project. Nothing is ever sent.")


class General(ServerTls):
    tls_cert_file: Text = setting(
        "", "Certificate of all servers, PEM. Empty: one is made in the work directory."
    )
    tls_key_file: Text = setting("", "Key of the certificate, PEM.")
    dns_cache_ttl: Duration = setting(
        timedelta(seconds=10),
        "After how long a name that is the address of a dataplane is looked up again.",
        key="dnsCacheTTL",
    )
    work_dir: Text = setting(
        "", "Directory of the database and of generated certificates. Empty: `~/.kuma`."
    )
    # Differs from Kuma: there the two are flags, and the format is always that of a terminal.
    log_format: Literal["auto", "text", "json"] = setting(
        "auto", "Form of the log. `auto`: text on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "What is logged at least."
    )
    resilient_component_base_backoff: Duration = setting(
        timedelta(seconds=5), "First pause before a failed component is started again."
    )
    resilient_component_max_backoff: Duration = setting(
        timedelta(minutes=1), "Longest pause before a failed component is started again."
    )
    cert_generation_base_backoff: Duration = setting(
        timedelta(seconds=5), "First pause after a certificate could not be made."
    )
    cert_generation_max_backoff: Duration = setting(
        timedelta(minutes=5), "Longest pause after a certificate could not be made."
    )
    cert_generation_circuit_breaker_min_proxies: Number = setting(
        10, "A CA that fails for so many proxies is left alone for a while. 0: never."
    )
