"""Workload: the Dataplanes with the same label `kuma.io/workload`, as a resource that counts them.

Made and kept by the control plane.
Source: https://kuma.io/docs/2.14.x/resources/workload
"""

from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.spec import Int32, SpecModel


class WorkloadSpec(SpecModel):
    """Nothing: a Workload is its name."""


class WorkloadProxies(SpecModel):
    connected: Int32 = 0
    """Proxies that are connected to a control plane."""
    healthy: Int32 = 0
    """Proxies with at least one inbound that is ready."""
    total: Int32 = 0
    """Proxies of the workload."""


class WorkloadStatus(SpecModel):
    dataplane_proxies: WorkloadProxies = WorkloadProxies()
    """The proxies of the workload, counted."""


WORKLOAD = Kind(
    name="Workload",
    plural="Workloads",
    scope=Scope.MESH,
    spec=WorkloadSpec,
    status=WorkloadStatus,
    path="workloads",
    argument="workload",
    short="wl",
    sync=Sync.ZONE_TO_GLOBAL,
)
