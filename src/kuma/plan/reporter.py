"""What a proxy calls itself in what it reports of its traffic."""

from kuma.kit.value import value
from kuma.plan.machine import LOCAL


@value
class Reporter:
    """`service`: the first of the proxy's services by name. `workload`: the KRI of its workload,
    empty if it has none. `host_ip`: where collectors on the same machine are. `pipes`: its kuma-dp
    takes OTLP, and sends it on."""

    mesh: str
    zone: str
    service: str
    workload: str = ""
    host_ip: str = LOCAL
    pipes: bool = False
