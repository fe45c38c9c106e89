"""Settings of a control plane that runs on Kubernetes."""

from datetime import timedelta

from kuma.config.forms import Bool, Duration, Number, Numbers, Port, Text, TextMap, Texts
from kuma.config.section import Section, section, setting


class NodeTaintController(Section):
    enabled: Bool = setting(False, "Keep Pods off a node until its CNI is ready.")
    cni_app: Text = setting("", "Label `app` of the CNI's Pods.")
    cni_namespace: Text = setting("kube-system", "Namespace of the CNI's Pods.")


class AdmissionServer(Section):
    address: Text = setting("", "Address to listen on.")
    port: Port = setting(5443, "Port to listen on.")
    cert_dir: Text = setting("", "Directory of `tls.crt` and `tls.key`.")


class InjectorExceptions(Section):
    labels: TextMap = setting(
        {"openshift.io/build.name": "*", "openshift.io/deployer-pod-for.name": "*"},
        "Pods with these labels get no sidecar; `*` is any value.",
        env="KUMA_RUNTIME_KUBERNETES_EXCEPTIONS_LABELS",
    )


class Probe(Section):
    initial_delay_seconds: Number = setting(60, "Seconds before the first probe.")
    timeout_seconds: Number = setting(3, "Seconds after which a probe has failed.")
    period_seconds: Number = setting(5, "Seconds between probes.")
    failure_threshold: Number = setting(12, "Failures that count.")


class StartupProbe(Probe):
    initial_delay_seconds: Number = setting(1, "Seconds before the first probe.")


class ReadinessProbe(StartupProbe):
    success_threshold: Number = setting(1, "Successes that count.")


class SidecarRequests(Section):
    cpu: Text = setting("50m", "CPU cores.")
    memory: Text = setting("64Mi", "Memory.")


class SidecarLimits(Section):
    cpu: Text = setting("0", "CPU cores. 0: no limit.")
    memory: Text = setting("512Mi", "Memory.")


class SidecarResources(Section):
    requests: SidecarRequests = section(SidecarRequests, "What the container gets at least.")
    limits: SidecarLimits = section(SidecarLimits, "What the container gets at most.")


class InitRequests(Section):
    cpu: Text = setting("20m", "CPU cores.")
    memory: Text = setting("20M", "Memory.")


class InitLimits(Section):
    cpu: Text = setting("0", "CPU cores. 0: no limit.")
    memory: Text = setting("50M", "Memory.")


class InitResources(Section):
    requests: InitRequests = section(InitRequests, "What the container gets at least.")
    limits: InitLimits = section(InitLimits, "What the container gets at most.")


class SidecarContainer(Section):
    image: Text = setting("kuma/kuma-dp:latest", "Image.")
    redirect_port_inbound: Port = setting(15006, "Port to which incoming traffic is redirected.")
    ip_family_mode: Text = setting("dualstack", "`dualstack` or `ipv4`.")
    redirect_port_outbound: Port = setting(15001, "Port to which outgoing traffic is redirected.")
    uid: Number = setting(5678, "User of the container.")
    gid: Number = setting(
        5678,
        "Group of the container.",
        env="KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_GUI",
        also=("KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_GID",),
    )
    admin_port: Port = setting(9901, "Port of Envoy's admin interface.")
    drain_time: Duration = setting(timedelta(seconds=30), "Time for connections to end.")
    readiness_probe: ReadinessProbe = section(ReadinessProbe, "Readiness.")
    liveness_probe: Probe = section(Probe, "Liveness.")
    startup_probe: StartupProbe = section(StartupProbe, "Start, for native sidecars.")
    resources: SidecarResources = section(
        SidecarResources, "CPU and memory.", env="KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES"
    )
    env_vars: TextMap = setting({}, "Further variables of the container.")
    wait_for_dataplane_ready: Bool = setting(
        False, "Start the other containers when Envoy is ready."
    )


class InitContainer(Section):
    image: Text = setting("kuma/kuma-init:latest", "Image.")
    resources: InitResources = section(InitResources, "CPU and memory.")


class ValidationContainer(Section):
    resources: InitResources = section(InitResources, "CPU and memory.")


class SidecarTraffic(Section):
    exclude_inbound_ports: Numbers = setting((), "Incoming ports that bypass the sidecar.")
    exclude_outbound_ports: Numbers = setting((), "Outgoing ports that bypass the sidecar.")
    exclude_inbound_ips: Texts = setting(
        (),
        "Sources that bypass the sidecar, as addresses or CIDRs.",
        key="excludeInboundIPs",
        env="KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_INBOUND_IPS",
    )
    exclude_outbound_ips: Texts = setting(
        (),
        "Destinations that bypass the sidecar, as addresses or CIDRs.",
        key="excludeOutboundIPs",
        env="KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_OUTBOUND_IPS",
    )


class BuiltinDns(Section):
    enabled: Bool = setting(True, "Resolve names of the mesh in the sidecar.")
    port: Port = setting(15053, "Port to which DNS is redirected.")
    logging: Bool = setting(False, "Log queries.")
    experimental_proxy: Bool = setting(True, "Use the DNS server of kuma-dp.")


class Ebpf(Section):
    enabled: Bool = setting(False, "Redirect traffic by eBPF.")
    instance_ip_env_var_name: Text = setting(
        "INSTANCE_IP",
        "Variable that holds the Pod's address.",
        key="instanceIPEnvVarName",
    )
    bpffs_path: Text = setting("/sys/fs/bpf", "Mount of the BPF file system.")
    cgroup_path: Text = setting("/sys/fs/cgroup", "Mount of cgroup2.")
    tc_attach_iface: Text = setting("", "Network interface. Empty: found out.")
    programs_source_path: Text = setting(
        "/tmp/kuma-ebpf",  # noqa: S108  the default of Kuma
        "Directory of the programs.",
    )


class SpireMount(Section):
    enabled: Bool = setting(False, "Mount the socket of the SPIRE agent.")
    mount_path: Text = setting("/run/spire/sockets", "Where it is mounted.")
    socket_file_name: Text = setting("socket", "Name of the socket.")


class Injector(Section):
    cni_enabled: Bool = setting(False, "A CNI redirects traffic instead of an init container.")
    exceptions: InjectorExceptions = section(InjectorExceptions, "Pods without sidecars.")
    virtual_probes_enabled: Bool = setting(
        False,
        "Deprecated, see `applicationProbeProxyPort`.",
        env="KUMA_RUNTIME_KUBERNETES_VIRTUAL_PROBES_ENABLED",
    )
    virtual_probes_port: Port = setting(
        9000,
        "Deprecated, see `applicationProbeProxyPort`.",
        env="KUMA_RUNTIME_KUBERNETES_VIRTUAL_PROBES_PORT",
    )
    application_probe_proxy_port: Port = setting(
        9001,
        "Port through which the kubelet probes applications. 0: none.",
        env="KUMA_RUNTIME_KUBERNETES_APPLICATION_PROBE_PROXY_PORT",
    )
    ca_cert_file: Text = setting("", "CA of the control plane's certificate.")
    sidecar_container: SidecarContainer = section(SidecarContainer, "The sidecar.")
    init_container: InitContainer = section(
        InitContainer, "The init container.", env="KUMA_INJECTOR_INIT_CONTAINER"
    )
    validation_container: ValidationContainer = section(
        ValidationContainer,
        "The container that checks the redirection.",
        env="KUMA_INJECTOR_VALIDATION_CONTAINER",
    )
    container_patches: Texts = setting((), "ContainerPatches for all Pods.")
    sidecar_traffic: SidecarTraffic = section(
        SidecarTraffic,
        "What is redirected.",
        env="KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC",
    )
    builtin_dns: BuiltinDns = section(BuiltinDns, "DNS.", key="builtinDNS")
    ebpf: Ebpf = section(Ebpf, "Redirection by eBPF.")
    ignored_service_selector_labels: Texts = setting(
        (), "Labels that do not count when a Service selects Pods."
    )
    node_labels_to_copy: Texts = setting(
        (
            "topology.kubernetes.io/zone",
            "topology.kubernetes.io/region",
            "kubernetes.io/hostname",
        ),
        "Labels of the node that its Pods get.",
    )
    transparent_proxy_config_map: Text = setting(
        "",
        "ConfigMap of the transparent proxy.",
        env="KUMA_RUNTIME_KUBERNETES_INJECTOR_TRANSPARENT_PROXY_CONFIGMAP_NAME",
    )
    unified_resource_naming_enabled: Bool = setting(False, "Use the unified names in Envoy.")
    otel_pipe_enabled: Bool = setting(True, "Send OpenTelemetry data through kuma-dp.")
    spire: SpireMount = section(SpireMount, "SPIRE.")


class ControllersConcurrency(Section):
    pod_controller: Number = setting(10, "Pods at a time.")


class KubernetesClient(Section):
    qps: Number = setting(100, "Requests a second.")
    burst_qps: Number = setting(100, "Requests a second in a burst.")


class LeaderElection(Section):
    lease_duration: Duration = setting(timedelta(seconds=15), "Time of a lease.")
    renew_deadline: Duration = setting(timedelta(seconds=10), "Time to renew it.")


class Kubernetes(Section):
    control_plane_service_name: Text = setting(
        "kuma-control-plane", "Service through which sidecars reach the control plane."
    )
    node_taint_controller: NodeTaintController = section(NodeTaintController, "Taints of nodes.")
    admission_server: AdmissionServer = section(AdmissionServer, "The webhooks.")
    injector: Injector = section(Injector, "The injection of sidecars.")
    marshaling_cache_expiration_time: Duration = setting(
        timedelta(minutes=5), "How long a converted object is used."
    )
    controllers_concurrency: ControllersConcurrency = section(
        ControllersConcurrency, "Concurrency of controllers."
    )
    client_config: KubernetesClient = section(KubernetesClient, "Limits towards the API server.")
    leader_election: LeaderElection = section(LeaderElection, "Election of the leader.")
    skip_mesh_owner_reference: Bool = setting(
        False, "Deleting a mesh leaves what belongs to it in place."
    )
    support_gateway_secrets_in_all_namespaces: Bool = setting(
        False, "Read TLS secrets of gateways in every namespace."
    )
    workload_labels: Texts = setting(
        (), "Labels of a Pod that name its workload; the first that there is counts."
    )
    disallow_multiple_meshes_per_namespace: Bool = setting(
        False, "A namespace belongs to one mesh."
    )
    allowed_users: Texts = setting((), "Users that may change what the control plane manages.")
