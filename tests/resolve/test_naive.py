"""Resolution against a naive reading of the rules: what a plan says is what every policy, asked about
this one proxy, says of it; in whatever order the resources come."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kuma.plan.proxy import Inbound, Outbound, ProxyPlan
from kuma.plan.route import HttpRoute, HttpRouting
from kuma.policies.meshpassthrough.model import PassthroughConf
from kuma.policies.meshtimeout.model import ConditionalTimeouts, TimeoutConf
from kuma.policies.meshtrafficpermission.model import Action, IdentityMatch, PermissionConf
from kuma.resources.resource import AnyResource
from tests.resolve import naive
from tests.resolve.naive_world import (
    BY_PORT,
    BY_TAG,
    FROM,
    IDS,
    NAMED_ROUTES,
    PASSTHROUGH,
    PERMISSION_RULES,
    PLAIN_TAGS,
    PROXIES,
    ROUTE,
    SERVICE,
    SERVICES,
    TIMEOUT,
    TIMEOUT_RULES,
    TO,
    Drawn,
    Raw,
    listed,
    meshes,
    one_of,
    policies,
)
from tests.resolve.world import plan_of

CASES = int(os.environ.get("KUMA_FUZZ_CASES", "100"))
MESH = st.just({"kind": "Mesh"})
TO_LIST, FROM_LIST = {"to": listed(TO, TIMEOUT)}, {"from": listed(MESH, TIMEOUT)}
RULES = {"rules": TIMEOUT_RULES}
CALLING = meshes(policies("MeshTimeout", TO_LIST, TO_LIST, TO_LIST | FROM_LIST, RULES), calls=True)
ON_ROUTES = {"to": listed(st.one_of(MESH, SERVICES, NAMED_ROUTES, NAMED_ROUTES), TIMEOUT)}
BY_ROUTE = meshes(policies("MeshTimeout", ON_ROUTES, tops=ROUTE | st.none()), calls=True)
CALLED = meshes(policies("MeshTimeout", RULES, FROM_LIST, TO_LIST | FROM_LIST, FROM_LIST | RULES))
ACTIONS = st.fixed_dictionaries({"action": one_of(*(each.value for each in Action))})
PERMISSIONS = meshes(policies("MeshTrafficPermission", {"from": listed(FROM, ACTIONS)}))
IDENTITY_PERMISSIONS = meshes(policies("MeshTrafficPermission", {"rules": PERMISSION_RULES}))
REDIRECTED = {"transparentProxying": {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}}
PASSTHROUGHS = meshes(
    policies("MeshPassthrough", {"default": PASSTHROUGH}, tops=PROXIES), networking=REDIRECTED
)
RANDOM = st.randoms(use_true_random=False)


def resolved(mesh: Drawn, random: Any, **options: Any) -> ProxyPlan:
    """In the order of drawing and in another one, which must not show."""
    plan = plan_of("dp", *mesh.resources, **options)
    shuffled = random.sample(mesh.resources, len(mesh.resources))
    assert plan_of("dp", *shuffled, **options) == plan
    return plan


def merged(confs: Sequence[naive.Conf]) -> TimeoutConf | None:
    """What is said later replaces what was said before, field by field."""
    if not confs:
        return None
    together: dict[str, Any] = {}
    for conf in confs:
        http = {**together.get("http", {}), **conf.get("http", {})}
        together = {**together, **conf, **({"http": http} if "http" in conf else {})}
    return TimeoutConf.model_validate(together)


@settings(max_examples=CASES, deadline=None)
@given(CALLING, RANDOM)
def test_calls_are_made_as_a_naive_reading_says(mesh: Drawn, random: Any) -> None:
    plan = resolved(mesh, random)
    expected = {at: merged(naive.to_service(mesh, service)) for at, service in BY_TAG.items()}
    expected |= {at: merged(naive.to_port(mesh, *port)) for at, port in BY_PORT.items()}
    assert {each.port: each.conf.get(TimeoutConf) for each in plan.outbounds} == expected
    called = {each.port: each.service for each in plan.outbounds}
    reached = {each.service: each.conf.get(TimeoutConf) for each in plan.destinations}
    assert {at: reached[service] for at, service in called.items()} == expected


@settings(max_examples=CASES, deadline=None)
@given(BY_ROUTE, RANDOM)
def test_calls_go_by_routes_as_a_naive_reading_says(mesh: Drawn, random: Any) -> None:
    plan = resolved(mesh, random)
    outbounds = {each.port: paths(each) for each in plan.outbounds}
    for at, service in BY_TAG.items():
        assert outbounds[at] == {
            path: merged(naive.to_service_by_route(mesh, service, path))
            for path in naive.routes_of_service(mesh, service)
        }
    for at, (name, port) in BY_PORT.items():
        if port == 80:
            assert outbounds[at] == {
                path: merged(naive.to_port_by_route(mesh, name, port, path))
                for path in naive.routes_of_port(mesh, name, port)
            }


def paths(outbound: Outbound) -> dict[str, TimeoutConf | None]:
    found = outbound.routing.routes if isinstance(outbound.routing, HttpRouting) else ()
    return {path_of(each): each.conf.get(TimeoutConf) for each in found}


def path_of(route: HttpRoute) -> str:
    assert route.match.path is not None
    return route.match.path.value


@settings(max_examples=CASES, deadline=None)
@given(CALLED, RANDOM, one_of(IDS[2], *IDS), one_of("a.mesh", "b.mesh", ""))
def test_calls_are_received_as_a_naive_reading_says(
    mesh: Drawn, random: Any, identity: str, sni: str
) -> None:
    plan = resolved(mesh, random)
    for position, inbound in by_position(plan, mesh.dataplane):
        expected = merged(naive.received(mesh, position, identity, sni))
        assert applied(inbound, identity, sni) == expected


def applied(conf: Inbound, identity: str, sni: str) -> TimeoutConf | None:
    conditional = conf.conf.get(ConditionalTimeouts)
    for rule in conditional.rules if conditional else ():
        if naive.is_met(rule.match.to_json(), identity, sni):
            return rule.conf
    return conf.conf.get(TimeoutConf)


def by_position(plan: ProxyPlan, dataplane: AnyResource) -> Iterator[tuple[int, Inbound]]:
    ports = [each.port for each in dataplane.spec.networking.inbound]
    for inbound in plan.inbounds:
        yield ports.index(inbound.port), inbound


@settings(max_examples=CASES, deadline=None)
@given(PERMISSIONS, RANDOM, PLAIN_TAGS, one_of("web", "api"))
def test_clients_are_let_in_as_a_naive_reading_says(
    mesh: Drawn, random: Any, tags: dict[str, str], service: str
) -> None:
    plan = resolved(mesh, random, mtls=True)
    client = {SERVICE: service, **tags}
    for position, inbound in by_position(plan, mesh.dataplane):
        assert decided(inbound, client) == naive.permitted(mesh, position, client)


def decided(inbound: Inbound, tags: Raw) -> str | None:
    permissions = inbound.conf.get(PermissionConf)
    for rule in permissions.tag_rules if permissions else ():
        if all((tags.get(tag.key) == tag.value) is not tag.negated for tag in rule.subset):
            return rule.action.value
    return None


@settings(max_examples=CASES, deadline=None)
@given(IDENTITY_PERMISSIONS, RANDOM, one_of(*IDS), one_of("a.mesh", ""))
def test_identities_are_let_in_as_a_naive_reading_says(
    mesh: Drawn, random: Any, identity: str, sni: str
) -> None:
    plan = resolved(mesh, random, mtls=True)
    for position, inbound in by_position(plan, mesh.dataplane):
        assert admits(inbound, identity, sni) == naive.admitted(mesh, position, identity, sni)


def admits(inbound: Inbound, identity: str, sni: str) -> bool | None:
    """As the shaper of permissions has Envoy decide: denials first."""
    permissions = inbound.conf.get(PermissionConf)
    rules = permissions.identity_rules if permissions else None
    if rules is None:
        return None

    def holds(match: IdentityMatch) -> bool:
        spiffe = match.spiffe
        raw = {"type": spiffe.kind.value, "value": spiffe.value} if spiffe else None
        name = {"value": match.sni} if match.sni is not None else None
        return naive.is_met({"spiffeID": raw, "sni": name}, identity, sni)

    if any(map(holds, rules.deny)):
        return False
    return any(map(holds, (*rules.allow, *rules.allow_with_shadow_deny)))


@settings(max_examples=CASES, deadline=None)
@given(PASSTHROUGHS, RANDOM)
def test_what_is_said_of_a_proxy_as_a_whole_adds_up_as_a_naive_reading_says(
    mesh: Drawn, random: Any
) -> None:
    plan = resolved(mesh, random)
    confs = naive.of_proxy(mesh)
    together = {key: text for conf in confs for key, text in conf.items()}
    lists = [conf["appendMatch"] for conf in confs if "appendMatch" in conf]
    if lists:
        together["appendMatch"] = [each for matches in lists for each in matches]
    expected = PassthroughConf.model_validate(together) if confs else None
    assert plan.passed_out
    for each in plan.passed_out:
        assert each.conf.get(PassthroughConf) == expected
