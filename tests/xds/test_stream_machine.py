"""Whatever happens to the mesh and to the proxy, the proxy ends on the newest snapshot.

A Hypothesis state machine changes a small mesh at random while a client that behaves as Envoy does
reads, rejects, loses its stream and comes back. `tests.xds.world.Client` asserts on the way: order,
no repetition, no loop, one outstanding answer of a type.
"""

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from tests.xds.world import (
    CLUSTER,
    ENDPOINT,
    LISTENER,
    ROUTE,
    SECRET,
    SECRET_NAME,
    Client,
    DeltaWire,
    StateWire,
    a_resource,
    a_snapshot,
)

CLUSTERS = [f"c{number}" for number in range(5)]
LISTENERS = [f"l{number}" for number in range(3)]
clusters = st.sampled_from(CLUSTERS)
listeners = st.sampled_from(LISTENERS)
goodness = st.sampled_from([True, True, True, False])


class Mesh:
    """Clusters with endpoints, a route for each listener, a secret; always consistent."""

    def __init__(self) -> None:
        self.count = 0
        self.clusters: dict[str, str] = {}
        self.endpoints: dict[str, str] = {}
        self.listeners: dict[str, str] = {}
        self.routes: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.secret = "1"

    def version(self, *, good: bool = True) -> str:
        self.count += 1
        return f"{self.count}{'' if good else '!'}"

    def remove_cluster(self, name: str) -> None:
        self.clusters.pop(name, None)
        self.endpoints.pop(name, None)
        for route, (_, used) in list(self.routes.items()):
            if name in used:
                self.routes[route] = (self.version(), tuple(each for each in used if each != name))

    def resources(self) -> list[EnvoyResource]:
        return [
            *[a_resource(CLUSTER, name, version) for name, version in self.clusters.items()],
            *[a_resource(ENDPOINT, name, version) for name, version in self.endpoints.items()],
            *[
                a_resource(LISTENER, name, version, [f"route-{name}"])
                for name, version in self.listeners.items()
            ],
            *[a_resource(ROUTE, name, *rest) for name, rest in self.routes.items()],
            a_resource(SECRET, SECRET_NAME, self.secret),
        ]


class ClientMachine(RuleBasedStateMachine):
    wire: ClassVar[DeltaWire | StateWire]

    @initialize()
    def start(self) -> None:
        self.mesh = Mesh()
        self.client = Client(self.wire)

    @rule(name=clusters, good=goodness, publish=st.booleans())
    def change_cluster(self, name: str, good: bool, publish: bool) -> None:
        self.mesh.clusters[name] = self.mesh.version(good=good)
        self.mesh.endpoints.setdefault(name, self.mesh.version())
        self._publish(publish)

    @rule(name=clusters, publish=st.booleans())
    def remove_cluster(self, name: str, publish: bool) -> None:
        self.mesh.remove_cluster(name)
        self._publish(publish)

    @rule(name=clusters, good=goodness, publish=st.booleans())
    def change_endpoints(self, name: str, good: bool, publish: bool) -> None:
        if name in self.mesh.endpoints:
            self.mesh.endpoints[name] = self.mesh.version(good=good)
            self._publish(publish)

    @rule(name=listeners, good=goodness, publish=st.booleans())
    def change_listener(self, name: str, good: bool, publish: bool) -> None:
        self.mesh.listeners[name] = self.mesh.version(good=good)
        self.mesh.routes.setdefault(f"route-{name}", (self.mesh.version(), ()))
        self._publish(publish)

    @rule(name=listeners, publish=st.booleans())
    def remove_listener(self, name: str, publish: bool) -> None:
        self.mesh.listeners.pop(name, None)
        self.mesh.routes.pop(f"route-{name}", None)
        self._publish(publish)

    @rule(name=listeners, used=st.sets(clusters), good=goodness, publish=st.booleans())
    def change_route(self, name: str, used: set[str], good: bool, publish: bool) -> None:
        if f"route-{name}" in self.mesh.routes:
            refers = tuple(sorted(used & self.mesh.clusters.keys()))
            self.mesh.routes[f"route-{name}"] = (self.mesh.version(good=good), refers)
            self._publish(publish)

    @rule(publish=st.booleans())
    def rotate_secret(self, publish: bool) -> None:
        self.mesh.secret = self.mesh.version()
        self._publish(publish)

    @rule()
    def publish_the_same(self) -> None:
        self._publish(True)

    @rule(count=st.integers(1, 6))
    def read(self, count: int) -> None:
        for _ in range(count):
            self.client.read_one()

    @rule()
    def read_all(self) -> None:
        self.client.settle()

    @rule(name=clusters)
    def resubscribe(self, name: str) -> None:
        self.client.resubscribe(name)

    @rule()
    def reconnect(self) -> None:
        self.client.connect()

    @rule()
    def lose_patience(self) -> None:
        self.client.lose_patience()

    def teardown(self) -> None:
        if not hasattr(self, "client"):
            return
        self._publish(True)
        self.client.settle()
        self._check_rest()
        before = len(self.client.log.lines)
        self._publish(True)
        assert len(self.client.log.lines) == before, "equal content sends nothing"
        self._mend()
        self._publish(True)
        self.client.settle()
        assert self._held() == self._wanted()

    def _publish(self, really: bool) -> None:
        if really:
            self.client.publish(a_snapshot(*self.mesh.resources()))

    def _check_rest(self) -> None:
        """All that is good has arrived, whatever is bad beside it (in the whole states of the
        state-of-the-world variant, a bad resource holds up the others)."""
        held, wanted = self._held(), self._wanted()
        for type_url in TypeUrl:
            bad = any(version.endswith("!") for version in wanted[type_url].values())
            if bad and type_url in {CLUSTER, LISTENER} and not self.wire.is_delta:
                continue
            for name, version in wanted[type_url].items():
                if version.endswith("!"):
                    assert held[type_url].get(name) != version
                elif self._is_asked(type_url, name):
                    assert held[type_url].get(name) == version

    def _is_asked(self, type_url: TypeUrl, name: str) -> bool:
        return type_url in {CLUSTER, LISTENER} or name in self.client.asked[type_url]

    def _mend(self) -> None:
        for good in (self.mesh.clusters, self.mesh.endpoints, self.mesh.listeners):
            for name, version in good.items():
                if version.endswith("!"):
                    good[name] = self.mesh.version()
        for name, (version, used) in self.mesh.routes.items():
            if version.endswith("!"):
                self.mesh.routes[name] = (self.mesh.version(), used)

    def _held(self) -> dict[TypeUrl, dict[str, str]]:
        has = self.client.has
        held = {t: {name: each.version for name, each in has[t].items()} for t in TypeUrl}
        for type_url in (ENDPOINT, ROUTE):
            names = self.client.asked[type_url]
            held[type_url] = {n: v for n, v in held[type_url].items() if n in names}
        return held

    def _wanted(self) -> dict[TypeUrl, dict[str, str]]:
        wanted: dict[TypeUrl, dict[str, str]] = {each: {} for each in TypeUrl}
        for resource in self.mesh.resources():
            wanted[resource.type_url][resource.name] = resource.version
        return wanted


class DeltaMachine(ClientMachine):
    wire = DeltaWire()


class StateMachine(ClientMachine):
    wire = StateWire()


CHECKED = settings(
    max_examples=100, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)

TestDelta = DeltaMachine.TestCase
TestDelta.settings = CHECKED
TestStateOfTheWorld = StateMachine.TestCase
TestStateOfTheWorld.settings = CHECKED
