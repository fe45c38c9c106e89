"""The ports of a MeshService that is made from dataplanes."""

from datetime import timedelta

from kuma.pipeline.mesh_services import generate_ports
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import Resource
from tests.support.builders import NOW, a_dataplane


def serving(name: str, port: int, age: int) -> Resource[DataplaneSpec]:
    return a_dataplane(name, service="api", port=port, created=NOW - timedelta(seconds=age))


def test_the_oldest_decides_until_ports_are_held_and_who_differs_is_named() -> None:
    dataplanes = [serving("a", 81, 1), serving("b", 80, 3), serving("c", 80, 2)]

    first = generate_ports("api", dataplanes, None)
    assert first is not None
    assert ([each.port for each in first.ports], first.conflicting) == ([80], ("a",))

    held = generate_ports("api", [dataplanes[0]], None)
    assert held is not None
    kept = generate_ports("api", dataplanes, held.ports)
    assert kept is not None
    assert ([each.port for each in kept.ports], kept.conflicting) == ([81], ("b", "c"))


def test_who_serves_something_else_has_no_say() -> None:
    assert generate_ports("web", [serving("a", 80, 1)], None) is None
