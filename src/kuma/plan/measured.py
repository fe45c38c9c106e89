"""Who a proxy is to those that measure it, and where it may be asked."""

from kuma.kit.value import value
from kuma.plan.machine import Machine
from kuma.plan.tags import Tags
from kuma.plan.tls import InboundTls


@value
class Measured:
    """`labels` are added to each of its metrics. `taken`: the ports of `address` that are in use.
    `tls`: how clients in the mesh show who they are; None: there is no mutual TLS."""

    mesh: str
    name: str
    address: str
    labels: Tags
    taken: tuple[int, ...] = ()
    machine: Machine = Machine()
    tls: InboundTls | None = None
    is_unified: bool = False
