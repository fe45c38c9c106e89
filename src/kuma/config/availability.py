"""Which settings are read but do nothing, and why: the one table of them.

A setting that is not listed is live. The longest key that matches decides, so that a single setting
of a section can be live (`None`) while the rest of it is not. When a part comes into being, its
lines here go. Settings that will never do anything stay, with the reason.
"""

from collections.abc import Mapping

_NOTHING_POLLS = "has no effect: nothing is computed on a timer here, only when something changes"
_MEMORY = "has no effect: reads come from memory, which every change reaches at once"

CONTROL_PLANE: Mapping[str, str | None] = {
    "store.kubernetes": "is not available yet: the Kubernetes store",
    "store.postgres.driverName": "has no effect: there is one driver",
    "store.postgres.healthCheckInterval": "has no effect: dead connections are noticed at once",
    "store.postgres.maxIdleConnections": (
        "has no effect: maxConnectionIdleTime says when an idle connection is closed"
    ),
    "store.postgres.maxListQueryElements": _MEMORY,
    "store.postgres.readReplica": _MEMORY,
    "store.postgres.tls.disableSSLSNI": "is not available: the server's name is always sent",
    "store.cache": _MEMORY,
    "store.upsert": "is not available yet: the repetition of conflicting writes is not adjustable",
    "bootstrapServer.params.corefileTemplatePath": "is not available yet: DNS",
    "monitoringAssignmentServer": "is not available yet: targets for Prometheus",
    "xdsServer.dataplaneConfigurationRefreshInterval": _NOTHING_POLLS,
    "apiServer.auth.clientCertsDir": "is not available: use apiServer.https.tlsCaFile",
    "apiServer.gui": "is not available yet: the web interface",
    "xdsServer.nackBackoff": (
        "has no effect: what a proxy has rejected is not sent again before it changes"
    ),
    "runtime.kubernetes": "is not available yet: Kubernetes",
    "runtime.universal.zoneResourceCleanupAge": "is not available yet: zone proxies",
    "runtime.universal.vipRefreshInterval": _NOTHING_POLLS,
    "runtime.universal.workload": _NOTHING_POLLS,
    "defaults.createMeshRoutingResources": "is not available yet: TrafficPermission, TrafficRoute",
    "metrics.zone": "is not available yet: several zones",
    "metrics.mesh": _NOTHING_POLLS,
    "metrics.controlPlane.reportResourcesCount": "is not available yet: counts of resources",
    "metrics.openTelemetry": "is not available yet: metrics by OpenTelemetry",
    "reports": "has no effect: nothing is ever reported",
    "general.resilientComponentBaseBackoff": "is not available yet: pauses of components",
    "general.resilientComponentMaxBackoff": "is not available yet: pauses of components",
    "general.certGenerationCircuitBreakerMinProxies": (
        "has no effect: the CAs that there are need no network, and a failure holds nobody up"
    ),
    "dnsServer.domain": "is not available yet: DNS",
    "multizone": "is not available yet: several zones",
    "multizone.zone.name": None,
    "diagnostics.debugEndpoints": "is not available yet: endpoints for debugging",
    "dpServer.hds": "is not available yet: health discovery",
    "interCp": "has no effect: instances talk to each other through the database",
    "experimental": "is not available yet",
    "experimental.autoReachableServices": None,
    "experimental.deltaXds": "has no effect: incremental xDS is used where the proxy can",
    "proxy.gateway": "is not available yet: builtin gateways",
    "tracing": "is not available yet: traces of the control plane",
    "eventBus": "has no effect: events do not wait in buffers",
    "policies": "is not available yet: switching policies off",
    "coreResources": "is not available yet: switching kinds off",
    "coreResources.status": _NOTHING_POLLS,
    "ipam.allocationInterval": _NOTHING_POLLS,
    "meshService.generationInterval": _NOTHING_POLLS,
}

DATA_PLANE: Mapping[str, str | None] = {
    "dataplane.resilientComponentBaseBackoff": "has no effect: no component restarts by itself",
    "dataplane.resilientComponentMaxBackoff": "has no effect: no component restarts by itself",
    "dataplaneRuntime.configDir": "is deprecated, use dataplaneRuntime.workDir",
    "dataplaneRuntime.socketDir": "is deprecated, use dataplaneRuntime.workDir",
    "dataplaneRuntime.transparentProxy": "is not available yet: transparent proxying",
    "dns": "is not available yet: DNS",
    "dns.enabled": None,
    "applicationProbeProxyServer": "is not available yet: probes of applications",
}


def unavailable(key: str, table: Mapping[str, str | None]) -> str | None:
    """Why the setting does nothing, to follow its name; None if it is live."""
    parts = key.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in table:
            return table[prefix]
    return None
