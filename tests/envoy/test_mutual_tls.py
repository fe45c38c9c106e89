"""Two sidecars in one real Envoy: what mutual TLS and the policies do to real requests.

client -> outbound -> cluster, TLS as `web` -> inbound, TLS as `backend` -> workload
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from time import perf_counter

import httpx
import pytest

from kuma.envoy.render import Renderer
from kuma.identity.builtin import generate_root
from kuma.identity.issuer import issue, workload_subject
from kuma.identity.key_pair import CertificateAuthority, load_authority
from kuma.kit.clock import SystemClock
from kuma.kit.slots import EMPTY, Slots
from kuma.plan.endpoint import Endpoint
from kuma.plan.protocol import Protocol
from kuma.plan.route import HttpRoute
from kuma.plan.tls import InboundTls, MutualTls, TlsMode
from kuma.policies.meshcircuitbreaker.model import CircuitBreakerConf
from kuma.policies.meshretry.model import RetryConf
from kuma.policies.meshtimeout.model import (
    ConditionalTimeout,
    ConditionalTimeouts,
    TimeoutConf,
)
from kuma.policies.meshtrafficpermission.model import (
    Action,
    IdentityMatch,
    IdentityRules,
    PermissionConf,
    SpiffeMatch,
    SpiffeMatchKind,
    TagMatch,
    TagRule,
)
from kuma.policies.shapers import SHAPERS
from kuma.resources.match import Match
from tests.envoy.plans import (
    CA,
    a_destination,
    a_forward,
    a_tcp_outbound,
    an_http_outbound,
    an_inbound,
    conf,
    endpoint_set,
    prefix,
)
from tests.support.envoy_running import Envoy, an_envoy
from tests.support.mesh import Backend, a_backend, until
from tests.support.processes import accepts, free_ports

HOST = "127.0.0.1"
SNI = "backend.default.mesh"
INBOUND = InboundTls(TlsMode.STRICT, "backend's", CA, ("spiffe://default/",))
OUTBOUND = MutualTls(SNI, ("spiffe://default/backend",), "web's", CA)
RENDERER = Renderer(SHAPERS)

EVERYBODY = PermissionConf((TagRule((), Action.ALLOW),))


@cache
def authority() -> CertificateAuthority:
    return load_authority(generate_root("default", clock=SystemClock()))


@cache
def secrets() -> tuple:
    def identity(name: str, *tag_sets: Mapping[str, str]):
        subject = workload_subject("default", tag_sets, labels={})
        made = issue(authority(), subject, clock=SystemClock())
        return RENDERER.certificate(name, chain=made.chain_pem, key=made.key)

    return (
        identity("backend's", {"kuma.io/service": "backend"}),
        identity("web's", {"kuma.io/service": "web", "version": "v1"}, {"kuma.io/service": "ui"}),
        RENDERER.ca(CA, ca=authority().bundle_pem),
    )


class Mesh:
    """`client` sends through its sidecar, `intruder` straight to the inbound."""

    def __init__(self, envoy: Envoy, backend: Backend, outbound: int, inbound: int) -> None:
        self.envoy = envoy
        self.backend = backend
        self.client = httpx.AsyncClient(base_url=f"http://{HOST}:{outbound}")
        self.intruder = httpx.AsyncClient(base_url=f"http://{HOST}:{inbound}")

    async def status(self, path: str = "/", **headers: str) -> int:
        return (await self.client.get(path, headers=headers)).status_code


@asynccontextmanager
async def a_mesh(
    inbound_conf: Slots = EMPTY,
    *,
    protocol: Protocol = Protocol.HTTP,
    mode: TlsMode = TlsMode.STRICT,
    route_conf: Slots = EMPTY,
    destination_conf: Slots = EMPTY,
    sans: tuple[str, ...] = OUTBOUND.sans,
) -> AsyncIterator[Mesh]:
    to_sidecar, to_workload = free_ports(2)
    async with a_backend("backend") as backend:
        inbound = replace(
            an_inbound(protocol, tls=replace(INBOUND, mode=mode), confs=inbound_conf),
            address=HOST,
            port=to_workload,
            service_port=backend.port,
        )
        outbound = (
            an_http_outbound(HttpRoute("all", prefix("/"), a_forward(), conf=route_conf))
            if protocol.is_http
            else a_tcp_outbound(("backend", 1))
        )
        resources = [
            *secrets(),
            *RENDERER.inbound(inbound),
            *(part for part in RENDERER.outbound(replace(outbound, port=to_sidecar)) if part),
            RENDERER.destination(
                a_destination(tls=replace(OUTBOUND, sans=sans), confs=destination_conf)
            ),
            RENDERER.endpoints(endpoint_set(Endpoint(HOST, to_workload))),
        ]
        async with an_envoy(resources) as envoy:
            await accepts(to_sidecar)
            mesh = Mesh(envoy, backend, to_sidecar, to_workload)
            async with mesh.client, mesh.intruder:
                yield mesh


def by_tags(*rules: tuple[Action, Mapping[str, str]]) -> PermissionConf:
    """A tag that starts with `!` is negated."""
    return PermissionConf(
        tuple(
            TagRule(
                tuple(TagMatch(key.strip("!"), tag, key[0] == "!") for key, tag in tags.items()),
                action,
            )
            for action, tags in rules
        )
    )


def by_identity(
    *,
    deny: tuple[IdentityMatch, ...] = (),
    allow: tuple[IdentityMatch, ...] = (),
    shadow: tuple[IdentityMatch, ...] = (),
) -> PermissionConf:
    return PermissionConf(identity_rules=IdentityRules(deny, allow, shadow))


def whose_id_is(text: str, sni: str | None = None) -> IdentityMatch:
    return IdentityMatch(SpiffeMatch(SpiffeMatchKind.EXACT, text), sni)


def whose_id_begins(text: str) -> IdentityMatch:
    return IdentityMatch(SpiffeMatch(SpiffeMatchKind.PREFIX, text))


SERVICE = "kuma.io/service"
WEB = "spiffe://default/web"
PERMISSIONS = [
    ("nothing is said", None, False),
    ("no rule", PermissionConf(), False),
    ("everybody", EVERYBODY, True),
    ("the service", by_tags((Action.ALLOW, {SERVICE: "web"})), True),
    ("its other service", by_tags((Action.ALLOW, {SERVICE: "ui"})), True),
    ("a tag", by_tags((Action.ALLOW, {"version": "v1"})), True),
    ("a tag that it has not", by_tags((Action.ALLOW, {"version": "v2"})), False),
    ("another service", by_tags((Action.ALLOW, {SERVICE: "kv"})), False),
    ("two tags, one missing", by_tags((Action.ALLOW, {SERVICE: "web", "version": "v2"})), False),
    ("a negated tag", by_tags((Action.ALLOW, {"!version": "v2"})), True),
    ("a negated tag that it has", by_tags((Action.ALLOW, {"!version": "v1"})), False),
    (
        "denied first",
        by_tags((Action.DENY, {"version": "v1"}), (Action.ALLOW, {SERVICE: "web"})),
        False,
    ),
    (
        "allowed first",
        by_tags((Action.ALLOW, {SERVICE: "web"}), (Action.DENY, {"version": "v1"})),
        True,
    ),
    ("shadow", by_tags((Action.ALLOW_WITH_SHADOW_DENY, {})), True),
    ("id", by_identity(allow=(whose_id_is(WEB),)), True),
    ("its other id", by_identity(allow=(whose_id_is("spiffe://default/ui"),)), True),
    ("part of the id", by_identity(allow=(whose_id_is("spiffe://default/we"),)), False),
    ("id as a pattern", by_identity(allow=(whose_id_is("spiffe://default/w.b"),)), False),
    ("prefix", by_identity(allow=(whose_id_begins("spiffe://default/w"),)), True),
    ("other prefix", by_identity(allow=(whose_id_begins("spiffe://other/"),)), False),
    ("id and server name", by_identity(allow=(whose_id_is(WEB, SNI),)), True),
    ("id and other server name", by_identity(allow=(whose_id_is(WEB, "x"),)), False),
    ("server name", by_identity(allow=(IdentityMatch(sni=SNI),)), True),
    ("all by id", by_identity(allow=(whose_id_begins("spiffe://"),)), True),
    (
        "all but one",
        by_identity(deny=(whose_id_is(WEB),), allow=(whose_id_begins("spiffe://"),)),
        False,
    ),
    ("shadow by id", by_identity(shadow=(whose_id_is(WEB),)), True),
    ("no identity rule", by_identity(), False),
]


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [pytest.param(each, allowed, id=name) for name, each, allowed in PERMISSIONS],
)
async def test_a_client_is_allowed_by_tags_or_identity(
    permission: PermissionConf | None, allowed: bool
) -> None:
    async with a_mesh(conf(permission) if permission else EMPTY) as mesh:
        assert await mesh.status() == (200 if allowed else 403)
        assert len(mesh.backend.requests) == allowed


@pytest.mark.parametrize("permission", [EVERYBODY, by_identity(allow=(whose_id_is(WEB),))])
async def test_bytes_are_allowed(permission: PermissionConf) -> None:
    async with a_mesh(conf(permission), protocol=Protocol.TCP) as mesh:
        assert await mesh.status() == 200


@pytest.mark.parametrize("permission", [PermissionConf(), by_identity()])
async def test_bytes_are_denied(permission: PermissionConf) -> None:
    async with a_mesh(conf(permission), protocol=Protocol.TCP) as mesh:
        with pytest.raises(httpx.TransportError):
            await mesh.client.get("/")
        assert mesh.backend.requests == []


@pytest.mark.parametrize(
    "permission",
    [
        by_tags((Action.ALLOW_WITH_SHADOW_DENY, {SERVICE: "web"}), (Action.ALLOW, {})),
        by_identity(shadow=(whose_id_is(WEB),)),
    ],
)
async def test_a_shadow_denial_is_counted(permission: PermissionConf) -> None:
    async with a_mesh(conf(permission)) as mesh:
        assert await mesh.status() == 200
        counted = "http.localhost_[0-9]+.rbac.shadow_denied"
        assert await mesh.envoy.stat(counted) == 1


async def test_a_shadow_denial_counts_only_whom_it_names() -> None:
    elsewhere = whose_id_is("spiffe://default/other")
    permission = by_identity(allow=(whose_id_is(WEB),), shadow=(elsewhere,))
    async with a_mesh(conf(permission)) as mesh:
        assert await mesh.status() == 200
        assert await mesh.envoy.stat("http.localhost_[0-9]+.rbac.shadow_denied") == 0


async def test_the_workload_learns_who_called() -> None:
    async with a_mesh(conf(EVERYBODY)) as mesh:
        answer = await mesh.client.get("/", headers={"x-forwarded-client-cert": "URI=forged"})
        shown = answer.json()["headers"]["x-forwarded-client-cert"]
    assert "URI=spiffe://default/web" in shown
    assert "forged" not in shown


async def test_plaintext_is_refused_by_a_strict_inbound() -> None:
    async with a_mesh(conf(EVERYBODY)) as mesh:
        with pytest.raises(httpx.TransportError):
            await mesh.intruder.get("/")
        assert mesh.backend.requests == []


@pytest.mark.parametrize("protocol", [Protocol.HTTP, Protocol.TCP])
async def test_plaintext_and_mesh_both_reach_a_permissive_inbound(protocol: Protocol) -> None:
    async with a_mesh(conf(EVERYBODY), protocol=protocol, mode=TlsMode.PERMISSIVE) as mesh:
        assert await mesh.status() == 200
        assert (await mesh.intruder.get("/")).status_code == 200


async def test_a_permissive_inbound_asks_only_the_mesh_for_permission() -> None:
    async with a_mesh(mode=TlsMode.PERMISSIVE) as mesh:
        assert await mesh.status() == 403
        assert (await mesh.intruder.get("/")).status_code == 200


async def test_a_server_with_another_identity_is_not_spoken_to() -> None:
    async with a_mesh(conf(EVERYBODY), sans=("spiffe://default/other",)) as mesh:
        assert await mesh.status() == 503
        assert mesh.backend.requests == []


async def test_a_request_times_out() -> None:
    timeouts = TimeoutConf.model_validate({"http": {"requestTimeout": "100ms"}})
    async with a_mesh(conf(EVERYBODY), route_conf=conf(timeouts)) as mesh:
        mesh.backend.delay = lambda path: 20 if path == "/slow" else 0
        assert await mesh.status("/fast") == 200
        started = perf_counter()
        assert await mesh.status("/slow") == 504
        assert perf_counter() - started < 15


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ({"spiffeID": {"type": "Exact", "value": WEB}}, 504),
        ({"spiffeID": {"type": "Prefix", "value": "spiffe://default/u"}}, 504),
        ({"sni": {"type": "Exact", "value": SNI}}, 504),
        ({"spiffeID": {"type": "Exact", "value": "spiffe://default/other"}}, 200),
        ({"sni": {"type": "Exact", "value": "other"}}, 200),
    ],
)
async def test_a_timeout_holds_for_some_clients(match: dict, status: int) -> None:
    short = TimeoutConf.model_validate({"http": {"requestTimeout": "100ms"}})
    conditional = ConditionalTimeouts((ConditionalTimeout(Match.model_validate(match), short),))
    async with a_mesh(conf(EVERYBODY, conditional)) as mesh:
        mesh.backend.delay = lambda path: 0.4 if path == "/slow" else 0
        # Nobody may claim to be another by a header.
        forged = {
            "x-kuma-client-uris": "spiffe://default/other",
            "x-kuma-client-server-name": "other",
        }
        assert await mesh.status("/slow", **forged) == status
        assert await mesh.status("/fast") == 200
        assert not any(name.startswith("x-kuma") for name in mesh.backend.requests[-1][1])


async def test_a_failed_request_is_sent_again() -> None:
    again = RetryConf.model_validate({"http": {"numRetries": 3, "retryOn": ["5xx"]}})
    async with a_mesh(conf(EVERYBODY), route_conf=conf(again)) as mesh:
        answers = iter([500, 500, 200])
        mesh.backend.status = lambda _path: next(answers)
        assert await mesh.status() == 200
        assert len(mesh.backend.requests) == 3


async def test_an_endpoint_that_fails_is_left_out() -> None:
    breaker = CircuitBreakerConf.model_validate(
        {
            "outlierDetection": {
                "interval": "1h",
                "maxEjectionPercent": 100,
                "healthyPanicThreshold": 0,
                "detectors": {"totalFailures": {"consecutive": 2}},
            }
        }
    )
    async with a_mesh(conf(EVERYBODY), destination_conf=conf(breaker)) as mesh:
        mesh.backend.status = lambda _path: 500
        assert [await mesh.status() for _ in range(2)] == [500, 500]
        left_out = "cluster.backend.outlier_detection.ejections_active"
        await until(lambda: mesh.envoy.stat(left_out), lambda count: count == 1)
        assert await mesh.status() == 503
        assert len(mesh.backend.requests) == 2


async def test_no_more_requests_wait_than_allowed() -> None:
    none = CircuitBreakerConf.model_validate({"connectionLimits": {"maxRequests": 0}})
    async with a_mesh(conf(EVERYBODY), destination_conf=conf(none)) as mesh:
        assert await mesh.status() == 503
        assert mesh.backend.requests == []
