"""What a proxy calls itself in what it reports of its traffic."""

from kuma.kit.value import value


@value
class Reporter:
    """`service`: the first of the proxy's services by name. `workload`: the KRI of its workload,
    empty if it has none."""

    mesh: str
    zone: str
    service: str
    workload: str = ""
