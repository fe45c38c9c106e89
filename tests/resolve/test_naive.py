"""Resolution against a naive reading of the rules: every policy is asked about this one proxy, in no
clever way, and what the plan says must be that. Written from reference 14, not from `resolve`.

    policies of the mesh -> selects? -> sorted, weakest first -> entries that hold -> merged
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kuma.plan.proxy import Inbound, ProxyPlan
from kuma.policies.meshtimeout.model import ConditionalTimeouts, TimeoutConf
from kuma.policies.meshtrafficpermission.model import Action, PermissionConf
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_policy, an_http_route, plan_of
from tests.support.builders import a_dataplane, a_resource, an_inbound

Raw = Mapping[str, Any]
CASES = int(os.environ.get("KUMA_FUZZ_CASES", "150"))
NS, ZONE, ORIGIN = "k8s.kuma.io/namespace", "kuma.io/zone", "kuma.io/origin"
ROLE, EFFECT, DISPLAY = "kuma.io/policy-role", "kuma.io/effect", "kuma.io/display-name"
SERVICE = "kuma.io/service"
KINDS = (
    *("Mesh", "Dataplane", "MeshSubset", "MeshGateway", "MeshService", "MeshExternalService"),
    *("MeshMultiZoneService", "MeshServiceSubset", "MeshHTTPRoute"),
)
"""Weakest first."""
ROLES = ("system", "producer", "consumer", "workload-owner")
IDS = ("spiffe://default", "spiffe://default/web", "spiffe://default/web/a", "spiffe://other")
HERE = {NS: "shop", ZONE: "east"}

PORTS = {9002: ("web", 80), 9003: ("web", 81), 9004: ("api", 80)}
"""Outbounds to ports of MeshServices; port 80 is called "main"."""
SCOPES: dict[str, dict[str, str]] = {"web": {}, "api": HERE}

# What there may be


def maybe(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def named(
    kind: str, *names: str, **more: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"kind": st.just(kind), "name": one_of(*names)}, optional=more)


TAGS = maybe(version=one_of("v1", "v2", "*"), team=one_of("a", "b", "*"))
PLAIN_TAGS = maybe(version=one_of("v1", "v2"), team=one_of("a", "b"))
SECTION = one_of("main", "8081", "other")
TYPES = one_of(["Sidecar"], ["Gateway"], ["Sidecar", "Gateway"])
TOPS = st.one_of(
    st.none(),
    st.fixed_dictionaries({"kind": st.just("Mesh")}, optional={"proxyTypes": TYPES}),
    st.fixed_dictionaries(
        {"kind": st.just("MeshSubset")}, optional={"tags": TAGS, "proxyTypes": TYPES}
    ),
    named("MeshService", "web", "api", "db"),
    named("MeshServiceSubset", "web", "api", tags=TAGS),
    st.fixed_dictionaries({"kind": st.just("Dataplane")}, optional={"sectionName": SECTION}),
    named("Dataplane", "dp", "other", namespace=one_of("shop", "bank"), sectionName=SECTION),
    st.fixed_dictionaries(
        {
            "kind": st.just("Dataplane"),
            "labels": one_of({"app": "a"}, {"app": "b"}, {"app": "a", ZONE: "east"}),
        },
        optional={"sectionName": SECTION},
    ),
    named("MeshHTTPRoute", "on-web", "on-all", "missing"),
    named("MeshGateway", "edge"),
)
CLOSE = one_of(
    {"kind": "Dataplane"},
    {"kind": "Dataplane", "name": "dp"},
    {"kind": "Dataplane", "name": "dp", "sectionName": "main"},
    {"kind": "Dataplane", "sectionName": "main"},
    {"kind": "Dataplane", "labels": {"app": "a"}},
    {"kind": "Dataplane", "labels": {"app": "a"}, "sectionName": "main"},
)
"""Alike but for what decides between them."""
LABELS = st.fixed_dictionaries(
    {},
    optional={
        ORIGIN: one_of("zone", "zone", "global"),
        ZONE: one_of("east", "east", "west"),
        NS: one_of("shop", "shop", "bank"),
        ROLE: one_of(*ROLES),
        DISPLAY: one_of("k", "z"),
        EFFECT: one_of("none", "none", "none", "shadow"),
    },
)
SECONDS = st.integers(1, 99).map(lambda seconds: f"{seconds}s")
CONF = st.fixed_dictionaries(
    {"idleTimeout": SECONDS},
    optional={
        "connectionTimeout": SECONDS,
        "http": maybe(requestTimeout=SECONDS, streamIdleTimeout=SECONDS),
    },
)
MATCHES = st.lists(
    st.one_of(
        st.builds(
            lambda t, v: {"spiffeID": {"type": t, "value": v}},
            one_of("Exact", "Prefix"),
            one_of(*IDS),
        ),
        one_of({"sni": {"type": "Exact", "value": "a.mesh"}}),
        st.builds(
            lambda t, v: {
                "spiffeID": {"type": t, "value": v},
                "sni": {"type": "Exact", "value": "a.mesh"},
            },
            one_of("Exact", "Prefix"),
            one_of(*IDS),
        ),
    ),
    max_size=2,
)
TO = st.one_of(
    st.just({"kind": "Mesh"}),
    named("MeshService", "web", "api", "db"),
    st.builds(
        lambda name, port: {"kind": "MeshService", "name": name, "sectionName": port},
        one_of("web", "api"),
        one_of("main", "81", "80"),
    ),
    st.just({"kind": "MeshService", "labels": {"app": "a"}}),
)
FROM = st.one_of(
    st.just({"kind": "Mesh"}),
    st.fixed_dictionaries({"kind": st.just("MeshSubset"), "tags": PLAIN_TAGS}),
    named("MeshService", "web", "api"),
    named("MeshServiceSubset", "web", "api", tags=PLAIN_TAGS),
)


def listed(target: st.SearchStrategy[Any], conf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    entry = st.fixed_dictionaries({"targetRef": target, "default": conf})
    return st.lists(entry, min_size=1, max_size=3)


RULES = st.lists(
    st.fixed_dictionaries({"matches": MATCHES, "default": CONF}), min_size=1, max_size=3
)


def policies(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[AnyResource]]:
    """Each has one of the lists, or several, in any combination."""
    far, near = (
        st.lists(
            st.tuples(st.fixed_dictionaries({"targetRef": top}, optional=fields), LABELS),
            max_size=6,
        )
        for top in (TOPS, CLOSE)
    )
    return (far | near).map(
        lambda drawn: [
            a_policy(kind, f"p{at}", {k: v for k, v in raw.items() if v}, labels=labels)
            for at, (raw, labels) in enumerate(drawn)
        ]
    )


@st.composite
def dataplanes(draw: st.DrawFn) -> AnyResource:
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
        {"port": 9000, "tags": {SERVICE: "web"}},
        {"port": 9001, "tags": {SERVICE: "db"}},
        *(
            {
                "port": at,
                "backendRef": {"kind": "MeshService", "labels": {"id": name}, "port": port},
            }
            for at, (name, port) in PORTS.items()
        ),
    ]
    if draw(st.integers(0, 5)) == 0:
        tags = draw(PLAIN_TAGS)
        return a_dataplane("dp", gateway="edge", tags=tags, outbounds=outbounds, labels=labels)
    inbounds = [
        an_inbound(service, 8080 + at, tags=tags, **({"name": "main"} if named and at == 0 else {}))
        for at, (service, tags, named) in enumerate(
            draw(st.lists(st.tuples(one_of("web", "api"), PLAIN_TAGS, st.booleans()), max_size=3))
        )
    ]
    return a_dataplane("dp", inbounds=inbounds, outbounds=outbounds, labels=labels)


EVERYTHING = {"matches": [{"path": {"type": "PathPrefix", "value": "/x"}}], "default": {}}
ROUTES = [
    an_http_route("on-all", "other", EVERYTHING),
    a_policy(
        "MeshHTTPRoute",
        "on-web",
        {
            "targetRef": {"kind": "MeshService", "name": "web"},
            "to": [{"targetRef": {"kind": "MeshService", "name": "other"}, "rules": [EVERYTHING]}],
        },
    ),
]
SERVICES = [
    a_resource(
        MESH_SERVICE,
        name,
        {
            "ports": [
                {"port": 80, "targetPort": 8080, "name": "main"},
                {"port": 81, "targetPort": 8081},
            ]
        },
        labels={"id": name, **labels, **SCOPES[name]},
    )
    for name, labels in (("web", {"app": "a"}), ("api", {}))
]


# The naive reading


def top(policy: AnyResource) -> Raw:
    return policy.spec.to_json().get("targetRef") or {"kind": "Mesh"}


def selects(policy: AnyResource, dataplane: AnyResource) -> tuple[list[int], bool]:
    """The positions of inbounds, and whether it selects the delegated gateway that it is."""
    target, scope = top(policy), policy
    if not applies(policy, dataplane):
        return [], False
    if target["kind"] == "MeshHTTPRoute":
        found = [route for route in ROUTES if route.name == target["name"]]
        if not found:
            return [], False
        scope, target = found[0], top(found[0])
    networking = dataplane.spec.to_json()["networking"]
    inbounds, gateway = networking.get("inbound", []), networking.get("gateway")
    mine = "Gateway" if gateway else "Sidecar"
    if mine not in target.get("proxyTypes", [mine]):
        return [], False
    if target["kind"] == "Dataplane":
        section = target.get("sectionName")
        if not is_named(target, scope, dataplane):
            return [], False
        sections = [each.get("name") or str(each["port"]) for each in inbounds]
        return [at for at, each in enumerate(sections) if section in {None, each}], bool(gateway)
    if target["kind"] not in {"Mesh", "MeshSubset", "MeshService", "MeshServiceSubset"}:
        return [], False
    wanted = dict(target.get("tags", {}))
    if target["kind"].startswith("MeshService"):
        wanted[SERVICE] = target["name"]
    chosen = [at for at, each in enumerate(inbounds) if has(each["tags"], wanted)]
    return chosen, bool(gateway) and has(gateway["tags"], wanted)


def has(tags: Raw, wanted: Raw) -> bool:
    return all(key in tags and text in {"*", tags[key]} for key, text in wanted.items())


def applies(policy: AnyResource, dataplane: AnyResource) -> bool:
    mine, its = policy.labels, dataplane.labels
    role = mine.get(ROLE, "system")
    if mine.get(EFFECT) == "shadow":
        return False
    elsewhere = mine.get(ORIGIN) == "zone" and mine.get(ZONE, its.get(ZONE)) != its.get(ZONE)
    if elsewhere and role != "producer" and its.get(ORIGIN) == "zone":
        return False
    if role in {"consumer", "workload-owner"}:
        return NS in mine and mine[NS] == its.get(NS)
    return True


def is_named(target: Raw, policy: AnyResource, dataplane: AnyResource) -> bool:
    mine, its = policy.labels, dataplane.labels
    if "name" in target:
        return (
            target["name"] == dataplane.name
            and target.get("namespace", mine.get(NS)) == its.get(NS)
            and mine.get(ZONE) == its.get(ZONE)
        )
    return target.get("labels", {}).items() <= its.items()


def strength(policy: AnyResource, other: AnyResource) -> list[int]:
    """What is compared first to last; positive: `policy` is the stronger."""
    mine, its = top(policy), top(other)
    dataplane = 0
    if mine["kind"] == its["kind"] == "Dataplane":
        dataplane = ("name" in mine and "labels" in its) - ("name" in its and "labels" in mine)
        dataplane = dataplane or ("sectionName" in mine) - ("sectionName" in its)

    def origin(one: AnyResource) -> int:
        return ["global", None, "zone"].index(one.labels.get(ORIGIN))

    def role(one: AnyResource) -> int:
        return ROLES.index(one.labels.get(ROLE, "system"))

    return [
        KINDS.index(mine["kind"]) - KINDS.index(its["kind"]),
        dataplane,
        origin(policy) - origin(other),
        role(policy) - role(other),
    ]


def by_name(one: AnyResource, other: AnyResource) -> list[int]:
    """The alphabetically first is the strongest."""
    mine, its = ((each.labels.get(DISPLAY, each.name), each.name) for each in (one, other))
    return [(mine < its) - (mine > its)]


def first_difference(differences: Sequence[int]) -> int:
    return next((each for each in differences if each), 0)


def weakest_first(found: Sequence[AnyResource]) -> list[AnyResource]:
    def compare(one: AnyResource, other: AnyResource) -> int:
        return first_difference([*strength(one, other), *by_name(one, other)])

    return sorted(sorted(found, key=lambda each: each.name), key=cmp_to_key(compare))


def merged(confs: Sequence[Raw]) -> TimeoutConf | None:
    """What is said later replaces what was said before, field by field."""
    if not confs:
        return None
    together: dict[str, Any] = {}
    for conf in confs:
        http = {**together.get("http", {}), **conf.get("http", {})}
        together = {**together, **conf, **({"http": http} if "http" in conf else {})}
    return TimeoutConf.model_validate(together)


def entries(policy: AnyResource, field: str) -> list[Raw]:
    found: list[Raw] = policy.spec.to_json().get(field, [])
    return found


def to_service(found: Sequence[AnyResource], service: str) -> TimeoutConf | None:
    """A destination that is known by its tag."""
    return merged(
        [
            entry["default"]
            for policy in weakest_first(found)
            if top(policy)["kind"] != "MeshHTTPRoute"
            for entry in entries(policy, "to")
            if entry["targetRef"] == {"kind": "Mesh"}
            or (
                entry["targetRef"]["kind"] == "MeshService"
                and entry["targetRef"].get("name") == service
            )
        ]
    )


def to_port(found: Sequence[AnyResource], service: str, port: int) -> TimeoutConf | None:
    """A port of a MeshService. Entries of all policies are sorted, not the policies."""
    items = [
        (policy, entry)
        for policy in weakest_first(found)
        if top(policy)["kind"] != "MeshHTTPRoute"
        for entry in entries(policy, "to")
        if means(entry["targetRef"], policy, service, "main" if port == 80 else str(port))
    ]

    def compare(one: tuple[AnyResource, Raw], other: tuple[AnyResource, Raw]) -> int:
        mine, its = one[1]["targetRef"], other[1]["targetRef"]
        return first_difference(
            [
                *strength(one[0], other[0]),
                KINDS.index(mine["kind"]) - KINDS.index(its["kind"]),
                ("sectionName" in mine) - ("sectionName" in its),
                *by_name(one[0], other[0]),
            ]
        )

    return merged([entry["default"] for _, entry in sorted(items, key=cmp_to_key(compare))])


def means(target: Raw, policy: AnyResource, service: str, section: str) -> bool:
    """A name is one within the zone and namespace of the policy."""
    if target["kind"] == "Mesh":
        return True
    if "labels" in target:
        return service == "web"
    if {key: text for key, text in policy.labels.items() if key in HERE} != SCOPES[service]:
        return False
    return target["name"] == service and target.get("sectionName") in {None, section}


def received(
    found: Sequence[AnyResource], position: int, dataplane: AnyResource, identity: str, sni: str
) -> TimeoutConf | None:
    """For a client that calls an inbound."""
    rules: list[tuple[Any, Raw]] = []
    here = [policy for policy in found if position in selects(policy, dataplane)[0]]
    for policy in weakest_first(here):
        for entry in entries(policy, "rules") or entries(policy, "from"):
            matches = entry.get("matches") or [{}]
            met = [match for match in matches if is_met(match, identity, sni)]
            rules += [(specificity(match), entry["default"]) for match in met]
    return merged([conf for _, conf in sorted(rules, key=lambda each: each[0])])


def is_met(match: Raw, identity: str, sni: str) -> bool:
    spiffe, name = match.get("spiffeID"), match.get("sni")
    if name and name["value"] != sni:
        return False
    if not spiffe:
        return True
    value: str = spiffe["value"]
    return identity == value if spiffe["type"] == "Exact" else identity.startswith(value)


def specificity(match: Raw) -> tuple[bool, bool, int, bool]:
    spiffe = match.get("spiffeID")
    exact = bool(spiffe) and spiffe["type"] == "Exact"
    return bool(spiffe), exact, len(spiffe["value"]) if spiffe else 0, "sni" in match


def permitted(
    found: Sequence[AnyResource], position: int, dataplane: AnyResource, tags: Raw
) -> str | None:
    """The action for a client with these tags; None: nobody speaks of it."""
    here = [policy for policy in found if position in selects(policy, dataplane)[0]]
    actions = [
        entry["default"]["action"]
        for policy in weakest_first(here)
        for entry in entries(policy, "from")
        if has(
            tags,
            {
                **entry["targetRef"].get("tags", {}),
                **({SERVICE: entry["targetRef"]["name"]} if "name" in entry["targetRef"] else {}),
            },
        )
    ]
    return actions[-1] if actions else None


# What the plan says


def applied(conf: Inbound, identity: str, sni: str) -> TimeoutConf | None:
    conditional = conf.conf.get(ConditionalTimeouts)
    for rule in conditional.rules if conditional else ():
        if is_met(rule.match.to_json(), identity, sni):
            return rule.conf
    return conf.conf.get(TimeoutConf)


def decided(inbound: Inbound, tags: Raw) -> str | None:
    permissions = inbound.conf.get(PermissionConf)
    for rule in permissions.tag_rules if permissions else ():
        if all((tags.get(tag.key) == tag.value) is not tag.negated for tag in rule.subset):
            return rule.action.value
    return None


def by_position(plan: ProxyPlan, dataplane: AnyResource) -> Iterator[tuple[int, Inbound]]:
    ports = [each.port for each in dataplane.spec.networking.inbound]
    for inbound in plan.inbounds:
        yield ports.index(inbound.port), inbound


def resolved(dataplane: AnyResource, found: list[AnyResource], **options: Any) -> ProxyPlan:
    plan = plan_of("dp", dataplane, *found, *ROUTES, *SERVICES, **options)
    shuffled = plan_of("dp", *SERVICES, *reversed(found), *ROUTES, dataplane, **options)
    assert plan == shuffled
    return plan


TIMEOUTS = policies(
    "MeshTimeout",
    **{"to": listed(TO, CONF), "from": listed(st.just({"kind": "Mesh"}), CONF), "rules": RULES},
)


@settings(max_examples=CASES, deadline=None)
@given(dataplanes(), TIMEOUTS)
def test_calls_are_made_as_a_naive_reading_says(
    dataplane: AnyResource, found: list[AnyResource]
) -> None:
    plan = resolved(dataplane, found)
    mine = [policy for policy in found if any(selects(policy, dataplane))]
    expected = {9000: to_service(mine, "web"), 9001: to_service(mine, "db")}
    expected |= {at: to_port(mine, *port) for at, port in PORTS.items()}
    assert {each.port: each.conf.get(TimeoutConf) for each in plan.outbounds} == expected


@settings(max_examples=CASES, deadline=None)
@given(dataplanes(), TIMEOUTS, one_of(IDS[2], *IDS), one_of("a.mesh", "b.mesh", ""))
def test_calls_are_received_as_a_naive_reading_says(
    dataplane: AnyResource, found: list[AnyResource], identity: str, sni: str
) -> None:
    plan = resolved(dataplane, found)
    for position, inbound in by_position(plan, dataplane):
        expected = received(found, position, dataplane, identity, sni)
        assert applied(inbound, identity, sni) == expected


PERMISSIONS = policies(
    "MeshTrafficPermission",
    **{
        "from": listed(
            FROM, st.fixed_dictionaries({"action": one_of(*(each.value for each in Action))})
        )
    },
)


@settings(max_examples=CASES, deadline=None)
@given(dataplanes(), PERMISSIONS, PLAIN_TAGS, one_of("web", "api"))
def test_clients_are_let_in_as_a_naive_reading_says(
    dataplane: AnyResource, found: list[AnyResource], tags: dict[str, str], service: str
) -> None:
    plan = resolved(dataplane, found, mtls=True)
    client = {SERVICE: service, **tags}
    for position, inbound in by_position(plan, dataplane):
        assert decided(inbound, client) == permitted(found, position, dataplane, client)
