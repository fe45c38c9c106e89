"""Who a proxy is in its access logs. Read only where a policy logs, since it is the proxy's own.

Source: reference 12.
"""

from kuma.kit.derived import derived
from kuma.plan.logged import LoggedAs
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kri import Kri

UNKNOWN_SERVICE = "unknown"


@derived
def logged_as(view: MeshView, name: str) -> LoggedAs | None:
    """None: there is no such Dataplane."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return None
    tag_sets = dataplane.spec.tag_sets()
    services = {tags[well_known.SERVICE_TAG] for tags in tag_sets if well_known.SERVICE_TAG in tags}
    labels = dataplane.labels
    zone = labels.get(well_known.ZONE) or view.zone
    workload = labels.get(well_known.WORKLOAD, "")
    namespace = labels.get(well_known.K8S_NAMESPACE, "")
    return LoggedAs(
        mesh=view.mesh_name,
        zone=zone,
        service=min(services, default=UNKNOWN_SERVICE),
        address=dataplane.spec.networking.address,
        workload=str(Kri("wl", view.mesh_name, zone, namespace, workload)) if workload else "",
    )
