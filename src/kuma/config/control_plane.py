"""All settings of kuma-cp: the names, defaults and variables of Kuma 2.14.

Which of them already do something is in `availability.py`; how they are read is in `load.py`.
Source: https://kuma.io/docs/2.14.x/reference/kuma-cp/
"""

from datetime import timedelta
from typing import Literal

from kuma.config.access import AccessSettings
from kuma.config.forms import Bool, Duration, Number, Port, Text, Texts
from kuma.config.multizone import Multizone
from kuma.config.runtime import Defaults, General, Metrics, Reports, Runtime
from kuma.config.section import Section, section, setting
from kuma.config.servers import (
    ApiServer,
    BootstrapServer,
    Diagnostics,
    DpServer,
    InterCp,
    MonitoringAssignmentServer,
    XdsServer,
)
from kuma.config.store import Store

PLUGIN_POLICIES = (
    "meshaccesslogs",
    "meshcircuitbreakers",
    "meshfaultinjections",
    "meshhealthchecks",
    "meshhttproutes",
    "meshloadbalancingstrategies",
    "meshmetrics",
    "meshpassthroughs",
    "meshproxypatches",
    "meshratelimits",
    "meshretries",
    "meshtcproutes",
    "meshtimeouts",
    "meshtlses",
    "meshtraces",
    "meshtrafficpermissions",
)
CORE_RESOURCES = (
    "hostnamegenerators",
    "meshexternalservices",
    "meshidentities",
    "meshmultizoneservices",
    "meshopentelemetrybackends",
    "meshservices",
    "meshtrusts",
    "meshzoneaddresses",
    "workloads",
)
INTERNAL_CIDRS = (
    "10.0.0.0/8",
    "192.168.0.0/16",
    "172.16.0.0/12",
    "fc00::/7",
    "fd00::/8",
    "127.0.0.1/32",
    "::1/128",
)


class DnsServer(Section):
    domain: Text = setting("mesh", "Domain of services.")
    cidr: Text = setting("240.0.0.0/4", "Range of virtual addresses.", key="CIDR")
    service_vip_enabled: Bool = setting(True, "Give each service a virtual address.")
    service_vip_port: Port = setting(
        80,
        "Port of these addresses.",
        also=("KUMA_DNS_SERVICE_SERVICE_VIP_PORT",),
    )


class EventBasedWatchdog(Section):
    enabled: Bool = setting(False, "Synchronize zones on changes.")
    flush_interval: Duration = setting(timedelta(seconds=5), "Pause between two flushes.")
    full_resync_interval: Duration = setting(timedelta(minutes=1), "How often all is synchronized.")
    delay_full_resync: Bool = setting(False, "Delay the first synchronization by a random time.")


class Experimental(Section):
    kube_outbounds_as_vips: Bool = setting(
        True,
        "Keep outbounds of Kubernetes out of the Dataplane.",
        key="kubeOutboundsAsVIPs",
        env="KUMA_EXPERIMENTAL_KUBE_OUTBOUNDS_AS_VIPS",
    )
    use_tag_first_virtual_outbound_model: Bool = setting(False, "Compress the virtual outbounds.")
    ingress_tag_filters: Texts = setting((), "Prefixes of tags that a zone ingress offers.")
    expose_zone_proxy_metrics: Bool = setting(
        False, "Serve the metrics of zone proxies without a client certificate."
    )
    kds_event_based_watchdog: EventBasedWatchdog = section(
        EventBasedWatchdog, "Synchronization by events."
    )
    auto_reachable_services: Bool = setting(
        False, "Give a dataplane the services that it may reach, as MeshTrafficPermissions say."
    )
    sidecar_containers: Bool = setting(True, "Use native sidecars of Kubernetes.")
    delta_xds: Bool = setting(False, "Use incremental xDS.")
    inbound_tags_disabled: Bool = setting(False, "Take the tags off inbounds.")


class Gateway(Section):
    global_downstream_max_connections: Number = setting(
        50000, "Most connections to a builtin gateway."
    )


class Proxy(Section):
    gateway: Gateway = section(Gateway, "Builtin gateways.")


class OpenTelemetryTracing(Section):
    enabled: Bool = setting(False, "Trace the control plane.")
    endpoint: Text = setting("", "Collector of traces, `host:4317`.")


class Tracing(Section):
    open_telemetry: OpenTelemetryTracing = section(
        OpenTelemetryTracing, "OpenTelemetry.", env="KUMA_TRACING_OPENTELEMETRY"
    )


class EventBus(Section):
    buffer_size: Number = setting(100, "Events that may wait.")


class Policies(Section):
    plugin_policies_enabled: Texts = setting(
        PLUGIN_POLICIES, "Policies that can be used.", env="KUMA_PLUGIN_POLICIES_ENABLED"
    )


class ResourceStatus(Section):
    mesh_multi_zone_service_interval: Duration = setting(
        timedelta(seconds=5), "How often the status of a MeshMultiZoneService is computed anew."
    )
    mesh_service_interval: Duration = setting(
        timedelta(seconds=5), "How often the status of a MeshService is computed anew."
    )
    mesh_identity_interval: Duration = setting(
        timedelta(seconds=5), "How often the status of a MeshIdentity is computed anew."
    )
    workload_interval: Duration = setting(
        timedelta(seconds=5), "How often the status of a Workload is computed anew."
    )
    mesh_open_telemetry_backend_interval: Duration = setting(
        timedelta(seconds=5),
        "How often the status of a MeshOpenTelemetryBackend is computed anew.",
    )


class CoreResources(Section):
    status: ResourceStatus = section(ResourceStatus, "Status of resources.")
    enabled: Texts = setting(CORE_RESOURCES, "Kinds that can be used.")


class ServiceCidr(Section):
    cidr: Text = setting("241.0.0.0/8", "Range of addresses.")


class ExternalServiceCidr(Section):
    cidr: Text = setting("242.0.0.0/8", "Range of addresses.")


class MultiZoneServiceCidr(Section):
    cidr: Text = setting("243.0.0.0/8", "Range of addresses.")


class Ipam(Section):
    mesh_service: ServiceCidr = section(ServiceCidr, "Addresses of MeshServices.")
    mesh_external_service: ExternalServiceCidr = section(
        ExternalServiceCidr, "Addresses of MeshExternalServices."
    )
    mesh_multi_zone_service: MultiZoneServiceCidr = section(
        MultiZoneServiceCidr, "Addresses of MeshMultiZoneServices."
    )
    allocation_interval: Duration = setting(
        timedelta(seconds=5), "How often addresses are handed out."
    )
    known_internal_cidrs: Texts = setting(
        INTERNAL_CIDRS,
        "Clients in these ranges count as internal to Envoy.",
        key="knownInternalCIDRs",
        env="KUMA_IPAM_KNOWN_INTERNAL_CIDRS",
    )


RESERVED_LABELS = ("kuma.io/", "k8s.kuma.io/")


class LabelPropagation(Section):
    enabled: Bool = setting(
        False,
        "Copy labels and tags of Dataplanes to the MeshServices that are generated from them.",
    )
    allowed_label_keys: Texts = setting(
        (), "Keys that are copied, none of `kuma.io/` and `k8s.kuma.io/`. Empty: all the others."
    )


class MeshServices(Section):
    generation_interval: Duration = setting(
        timedelta(seconds=2), "How often MeshServices are generated from dataplanes."
    )
    deletion_grace_period: Duration = setting(
        timedelta(hours=1), "A MeshService without dataplanes is deleted after this time."
    )
    label_propagation: LabelPropagation = section(LabelPropagation, "Labels.")


class ControlPlaneSettings(Section):
    """Read them with `load.load_control_plane`."""

    environment: Literal["universal", "kubernetes"] = setting(
        "universal", "Where the control plane runs."
    )
    mode: Literal["zone", "global", "standalone"] = setting(
        "zone", "`zone`, `global`, or the old name `standalone` for a zone of its own."
    )
    general: General = section(General, "The process.")
    store: Store = section(Store, "Where resources are kept.")
    bootstrap_server: BootstrapServer = section(BootstrapServer, "The start of proxies.")
    monitoring_assignment_server: MonitoringAssignmentServer = section(
        MonitoringAssignmentServer, "Targets for Prometheus."
    )
    xds_server: XdsServer = section(XdsServer, "Configuration of proxies.")
    api_server: ApiServer = section(ApiServer, "The REST API.")
    runtime: Runtime = section(Runtime, "The environment.")
    defaults: Defaults = section(Defaults, "What is made at the first start and with each mesh.")
    metrics: Metrics = section(Metrics, "Insights and metrics.")
    reports: Reports = section(Reports, "Usage reports.")
    dns_server: DnsServer = section(DnsServer, "Names and virtual addresses.")
    multizone: Multizone = section(Multizone, "Zones.")
    diagnostics: Diagnostics = section(Diagnostics, "Health, readiness and metrics.")
    dp_server: DpServer = section(DpServer, "The server for proxies.")
    inter_cp: InterCp = section(InterCp, "Instances among themselves.")
    access: AccessSettings = section(AccessSettings, "Who may do what.")
    experimental: Experimental = section(Experimental, "What may change.")
    proxy: Proxy = section(Proxy, "Proxies.")
    tracing: Tracing = section(Tracing, "Traces of the control plane.")
    event_bus: EventBus = section(EventBus, "Events within an instance.")
    policies: Policies = section(Policies, "Policies.")
    core_resources: CoreResources = section(CoreResources, "Core resources.")
    ipam: Ipam = section(Ipam, "Addresses.")
    mesh_service: MeshServices = section(MeshServices, "MeshServices.")
