"""Who a proxy is to collectors and in access logs. Read only where a policy asks for it, since it sets
proxies apart that else share all that is made of them.

Source: reference 12, and tags and service names as seen in Kuma's configuration.
"""

from kuma.kit.derived import derived
from kuma.plan.reporter import Reporter
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kri import Kri

UNKNOWN_SERVICE = "unknown"


@derived
def reporter_of(view: MeshView, name: str) -> Reporter:
    """The Dataplane `name`; without a service, the unknown one."""
    dataplane = view.dataplane(name)
    labels = {} if dataplane is None else dataplane.labels
    tag_sets = () if dataplane is None else dataplane.spec.tag_sets()
    services = {tags[well_known.SERVICE_TAG] for tags in tag_sets if well_known.SERVICE_TAG in tags}
    zone = labels.get(well_known.ZONE) or view.zone
    workload = labels.get(well_known.WORKLOAD, "")
    namespace = labels.get(well_known.K8S_NAMESPACE, "")
    machine = view.machine(name)
    return Reporter(
        mesh=view.mesh_name,
        zone=zone,
        service=min(services, default=UNKNOWN_SERVICE),
        workload=str(Kri("wl", view.mesh_name, zone, namespace, workload)) if workload else "",
        host_ip=machine.host_ip,
        pipes=machine.otel is not None,
    )
