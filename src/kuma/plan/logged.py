"""Who a proxy is in the access logs that it writes, and from where it writes them."""

from kuma.kit.value import value
from kuma.plan.machine import Machine


@value
class LoggedAs:
    """`service`: the first of the proxy's services by name. `address`: where others reach it.
    `workload`: the KRI of its workload, empty if it has none."""

    mesh: str
    zone: str
    service: str
    address: str
    workload: str = ""
    machine: Machine = Machine()
