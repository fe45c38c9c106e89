"""Meshes at random, for a naive reading of them: one proxy that calls destinations of every kind, the
policies that may be about it, and the routes that policies may name.

Zones, namespaces, names and labels are few, so that what is meant and what is not are often alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_policy
from tests.support.builders import a_dataplane, a_resource, an_inbound

Raw = Mapping[str, Any]
NS, ZONE, ORIGIN = "k8s.kuma.io/namespace", "kuma.io/zone", "kuma.io/origin"
ROLE, EFFECT, DISPLAY = "kuma.io/policy-role", "kuma.io/effect", "kuma.io/display-name"
SERVICE = "kuma.io/service"
ROLES = ("system", "producer", "consumer", "workload-owner")
IDS = ("spiffe://default", "spiffe://default/web", "spiffe://default/web/a", "spiffe://other")
HERE = {NS: "shop", ZONE: "east"}
PATHS = ("/x", "/y", "/")


def maybe(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def of_kind(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind)}, optional=fields)


def named(
    kind: str, *names: str, **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "name": one_of(*names)}, optional=more)


# What is called


def a_destination(kind: Any, name: str, spec: Raw, display: str = "", **labels: str) -> AnyResource:
    where = HERE if name.endswith("here") else {}
    known = {"id": name, DISPLAY: display or name, **where, **labels}
    return a_resource(kind, name, spec, labels=known)


TWO_PORTS = {
    "ports": [
        {"port": 80, "targetPort": 8080, "name": "main", "appProtocol": "http"},
        {"port": 81, "targetPort": 8081},
    ]
}
OUTSIDE = {
    "match": {"port": 443, "protocol": "http"},
    "endpoints": [{"address": "192.0.2.1", "port": 1}],
}
ALL_ZONES = {
    "selector": {"meshService": {"matchLabels": {"app": "a"}}},
    "ports": [{"port": 80, "name": "main", "appProtocol": "http"}, {"port": 81}],
}
DESTINATIONS = {
    each.name: each
    for each in (
        a_destination(MESH_SERVICE, "web", TWO_PORTS, app="a"),
        a_destination(MESH_SERVICE, "web-here", TWO_PORTS, "web", app="b"),
        a_destination(MESH_SERVICE, "api-here", TWO_PORTS, "api"),
        a_destination(MESH_EXTERNAL_SERVICE, "web-out", OUTSIDE, "web", app="a"),
        a_destination(MESH_EXTERNAL_SERVICE, "out-here", OUTSIDE, "web", app="b"),
        a_destination(MESH_MULTI_ZONE_SERVICE, "web-all", ALL_ZONES, "web", app="a"),
        a_destination(MESH_MULTI_ZONE_SERVICE, "all-here", ALL_ZONES, "api", app="b"),
    )
}
BY_TAG = {9000: "web", 9001: "db"}
BY_PORT = {
    9100 + at: place
    for at, place in enumerate(
        (name, port)
        for name, each in DESTINATIONS.items()
        for port in (80, 81)
        if each.kind is not MESH_EXTERNAL_SERVICE or port == 80
    )
}
"""Outbounds by where they listen: to a service by its tag, to a port of a resource."""

SERVERS = a_dataplane(
    "servers", address="192.0.2.9", inbounds=[an_inbound("web"), an_inbound("db", 8082)]
)


def section_of(name: str, port: int) -> str:
    if DESTINATIONS[name].kind is MESH_EXTERNAL_SERVICE:
        return ""
    return "main" if port == 80 else str(port)


# Who calls

TAGS = maybe(version=one_of("v1", "v2", "*"), team=one_of("a", "b", "*"))
PLAIN_TAGS = maybe(version=one_of("v1", "v2"), team=one_of("a", "b"))


@st.composite
def dataplanes(draw: st.DrawFn, *, calls: bool = False, **options: Any) -> AnyResource:
    """`calls`: it has all of the outbounds."""
    anywhere = maybe(
        **{
            "app": one_of("a", "b"),
            NS: one_of("shop", "bank"),
            ZONE: one_of("east", "west"),
            ORIGIN: one_of("global", "zone"),
        }
    )
    labels = draw(st.just({**HERE, "app": "a", ORIGIN: "zone"}) | anywhere)
    outbounds = [
        *({"port": at, "tags": {SERVICE: service}} for at, service in BY_TAG.items()),
        *(
            {"port": at, "backendRef": {**_by_id(name), "port": port}}
            for at, (name, port) in BY_PORT.items()
        ),
    ]
    options |= {"outbounds": outbounds if calls else (), "labels": labels}
    if draw(st.integers(0, 5)) == 0:
        return a_dataplane("dp", gateway="edge", tags=draw(PLAIN_TAGS), **options)
    inbounds = [
        an_inbound(service, 8080 + at, tags=tags, **({"name": "main"} if named and at == 0 else {}))
        for at, (service, tags, named) in enumerate(
            draw(st.lists(st.tuples(one_of("web", "api"), PLAIN_TAGS, st.booleans()), max_size=3))
        )
    ]
    return a_dataplane("dp", inbounds=inbounds, **options)


def _by_id(name: str) -> dict[str, Any]:
    return {"kind": DESTINATIONS[name].kind.name, "labels": {"id": name}}


# What policies say, and of whom

SECTION = one_of("main", "8081", "other")
TYPES = one_of(["Sidecar"], ["Gateway"], ["Sidecar", "Gateway"])
NAMESPACES = one_of("shop", "bank")
PROXIES = st.one_of(
    st.none(),
    of_kind("Mesh", proxyTypes=TYPES),
    of_kind("MeshSubset", tags=TAGS, proxyTypes=TYPES),
    named("MeshService", "web", "api", "db"),
    named("MeshServiceSubset", "web", "api", tags=TAGS),
    of_kind("Dataplane", sectionName=SECTION),
    named("Dataplane", "dp", "other", namespace=NAMESPACES, sectionName=SECTION),
    st.fixed_dictionaries(
        {
            "kind": st.just("Dataplane"),
            "labels": one_of({"app": "a"}, {"app": "b"}, {"app": "a", ZONE: "east"}),
        },
        optional={"sectionName": SECTION},
    ),
    named("MeshGateway", "edge"),
)
ROUTE = named("MeshHTTPRoute", "on-web", "on-all", "missing")
TOPS = PROXIES | ROUTE
EASY = one_of(None, {"kind": "Mesh"}, {"kind": "Dataplane"}, {"kind": "Dataplane", "name": "dp"})
"""They select most proxies."""
CLOSE = one_of(
    {"kind": "Dataplane"},
    {"kind": "Dataplane", "name": "dp"},
    {"kind": "Dataplane", "name": "dp", "sectionName": "main"},
    {"kind": "Dataplane", "sectionName": "main"},
    {"kind": "Dataplane", "labels": {"app": "a"}},
    {"kind": "Dataplane", "labels": {"app": "a"}, "sectionName": "main"},
)
"""Alike but for what decides between them."""
ANY_LABELS = maybe(
    **{
        ORIGIN: one_of("zone", "zone", "global"),
        ZONE: one_of("east", "east", "west"),
        NS: one_of("shop", "shop", "bank"),
        ROLE: one_of(*ROLES),
        DISPLAY: one_of("k", "z"),
        EFFECT: one_of("none", "none", "none", "shadow"),
    }
)
LABELS = st.one_of(
    st.just({}),
    one_of(*ROLES).map(lambda role: {**HERE, ORIGIN: "zone", ROLE: role}),
    one_of("global", "zone").map(lambda origin: {ORIGIN: origin}),
    ANY_LABELS,
)


def resources(kind: str, *names: str, ports: bool = True) -> st.SearchStrategy[Any]:
    """By name or by labels, with a port or without."""
    sections = {"sectionName": one_of("main", "81", "80")} if ports else {}
    labels = one_of({"app": "a"}, {"app": "b"}, {"app": "a", DISPLAY: "web"}, {ZONE: "east"})
    by_labels = {"kind": st.just(kind), "labels": labels}
    return named(kind, *names, namespace=NAMESPACES, **sections) | st.fixed_dictionaries(
        by_labels, optional=sections
    )


SERVICES = st.one_of(
    resources("MeshService", "web", "api", "db"),
    named(
        "MeshService",
        *("web_shop_svc", "web_shop_svc_80", "api_shop_svc_81", "web_bank_svc_80"),
        sectionName=one_of("main", "81"),
    ),
    resources("MeshExternalService", "web", "out-here", "web_shop_svc", ports=False),
    resources("MeshMultiZoneService", "web", "api"),
)
NAMED_ROUTES = resources("MeshHTTPRoute", "on-web", "on-all", "r0", ports=False)
TO = st.one_of(st.just({"kind": "Mesh"}), SERVICES, NAMED_ROUTES)
FROM = st.one_of(
    st.just({"kind": "Mesh"}),
    st.fixed_dictionaries({"kind": st.just("MeshSubset"), "tags": PLAIN_TAGS}),
    named("MeshService", "web", "api"),
    named("MeshServiceSubset", "web", "api", tags=PLAIN_TAGS),
)
SECONDS = st.integers(1, 99).map(lambda seconds: f"{seconds}s")
TIMEOUT = st.fixed_dictionaries(
    {"idleTimeout": SECONDS},
    optional={
        "connectionTimeout": SECONDS,
        "http": maybe(requestTimeout=SECONDS, streamIdleTimeout=SECONDS),
    },
)
CLIENT = st.fixed_dictionaries(
    {}, optional={"spiffeID": st.builds(dict, type=one_of("Exact", "Prefix"), value=one_of(*IDS))}
)
MATCH = st.one_of(
    CLIENT.filter(bool),
    CLIENT.map(lambda client: {**client, "sni": {"type": "Exact", "value": "a.mesh"}}),
)


def listed(target: st.SearchStrategy[Any], conf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    entry = st.fixed_dictionaries({"targetRef": target, "default": conf})
    return st.lists(entry, min_size=1, max_size=3)


TIMEOUT_RULES = st.lists(
    st.fixed_dictionaries({"matches": st.lists(MATCH, max_size=2), "default": TIMEOUT}),
    min_size=1,
    max_size=3,
)
MATCHES = st.lists(MATCH | st.just({}), max_size=2)
PERMISSION_RULES = st.lists(
    st.fixed_dictionaries(
        {"default": maybe(deny=MATCHES, allow=MATCHES, allowWithShadowDeny=MATCHES)}
    ),
    min_size=1,
    max_size=2,
)
PASSTHROUGH = maybe(
    passthroughMode=one_of("All", "None", "Matched"),
    appendMatch=st.lists(
        st.builds(dict, type=st.just("IP"), value=one_of("192.0.2.1", "192.0.2.2")), max_size=2
    ),
)


Shape = Mapping[str, st.SearchStrategy[Any]]


def policies(
    kind: str, *shapes: Shape, tops: st.SearchStrategy[Any] = TOPS
) -> st.SearchStrategy[list[AnyResource]]:
    """Each has one of the shapes. Often they are close to each other."""
    far, near = (
        st.lists(
            st.tuples(
                st.one_of(
                    *(st.fixed_dictionaries({"targetRef": top, **shape}) for shape in shapes)
                ),
                LABELS,
            ),
            min_size=1,
            max_size=6,
        )
        for top in (EASY | tops, CLOSE)
    )
    return (far | near).map(
        lambda drawn: [
            a_policy(kind, f"p{at}", {k: v for k, v in raw.items() if v}, labels=labels)
            for at, (raw, labels) in enumerate(drawn)
        ]
    )


def _as_rule(path: str) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "default": {}}


ROUTES = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {
                "to": st.lists(
                    st.fixed_dictionaries(
                        {
                            "targetRef": SERVICES,
                            "rules": st.lists(
                                one_of(*map(_as_rule, PATHS)), min_size=1, max_size=2
                            ),
                        }
                    ),
                    min_size=1,
                    max_size=3,
                )
            },
            optional={"targetRef": (EASY | PROXIES).filter(bool)},
        ),
        LABELS,
        maybe(app=one_of("a", "b"), **{DISPLAY: one_of("on-web", "on-web", "on-all")}),
    ),
    max_size=4,
).map(
    lambda drawn: [
        a_policy("MeshHTTPRoute", f"r{at}", raw, labels={**labels, **own})
        for at, (raw, labels, own) in enumerate(drawn)
    ]
)


@dataclass(frozen=True)
class Drawn:
    """A mesh: a proxy, policies of one kind, and the routes that there are."""

    dataplane: AnyResource
    policies: list[AnyResource]
    routes: list[AnyResource]

    @property
    def resources(self) -> list[AnyResource]:
        return [self.dataplane, *self.policies, *self.routes, *DESTINATIONS.values(), SERVERS]


def meshes(found: st.SearchStrategy[list[AnyResource]], **options: Any) -> st.SearchStrategy[Drawn]:
    return st.builds(Drawn, dataplanes(**options), found, ROUTES)
