"""Who a proxy is in its access logs. Read only where a policy logs, since it is the proxy's own."""

from kuma.kit.derived import derived
from kuma.plan.logged import LoggedAs
from kuma.resolve.reporter import reporter_of
from kuma.resolve.view import MeshView


@derived
def logged_as(view: MeshView, name: str) -> LoggedAs | None:
    """None: there is no such Dataplane."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return None
    reporter, networking = reporter_of(view, name), dataplane.spec.networking
    return LoggedAs(
        mesh=reporter.mesh,
        zone=reporter.zone,
        service=reporter.service,
        address=networking.advertised_address or networking.address,
        workload=reporter.workload,
        machine=view.machine(name),
    )
