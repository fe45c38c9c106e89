"""Where a proxy finds its certificate and whom it trusts."""

from datetime import timedelta
from typing import Any

import pytest

from kuma.plan.machine import Machine
from kuma.plan.proxy import Agent, Identity, ProxyPlan
from kuma.plan.tls import Secrets
from kuma.resolve.proxy import resolve_proxy
from kuma.resolve.secrets import secrets_of
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.resource import AnyResource
from tests.resolve.test_workload_identity import an_identity
from tests.resolve.world import a_view
from tests.support.builders import a_dataplane, a_resource

WEB = {"kuma.io/workload": "web"}
ID = "spiffe://default.east.mesh.local/workload/web"
AGENT = "system_identity_sds-spire-agent"
TRUST = a_resource(
    MESH_TRUST,
    "other",
    {"trustDomain": "other.org", "caBundles": [{"type": "Pem", "pem": {"value": "x"}}]},
)


def spire(**agent: Any) -> dict[str, Any]:
    return {"type": "Spire", "spire": {"agent": agent} if agent else {}}


def plan(identity: AnyResource, *, machine: Machine | None = None) -> ProxyPlan:
    proxy = a_dataplane("web-1", service="web", labels=WEB)
    view = a_view(proxy, identity, TRUST, zone="east", machine=machine)
    return resolve_proxy(view, "web-1")


@pytest.mark.parametrize(
    ("identities", "mtls", "expected"),
    [
        ([], True, None),
        ([an_identity("one")], True, Secrets("kri_mid_default___one_", "mesh_ca:secret:default")),
        ([an_identity("one", provider=spire())], False, Secrets(ID, "ALL", AGENT)),
        ([an_identity("one", provider=spire(), ready="Preparing")], False, None),
        (
            [an_identity("one", provider=spire()), an_identity("two", WEB)],
            False,
            Secrets("kri_mid_default___two_", "mesh_ca:secret:default"),
        ),
    ],
)
def test_they_are_those_of_its_identity(
    identities: list[AnyResource], *, mtls: bool, expected: Secrets | None
) -> None:
    assert secrets_of(a_view(*identities, mtls=mtls, zone="east"), WEB) == expected


def test_who_has_no_id_asks_for_what_nobody_hands_out() -> None:
    view = a_view(an_identity("one", provider=spire()), zone="east")
    assert secrets_of(view, {}) == Secrets("kri_mid_default___one_", "ALL", AGENT)


@pytest.mark.parametrize(
    ("provider", "said", "expected"),
    [
        (spire(), "", Agent(AGENT, "/tmp/spire-agent/public/api.sock", timedelta(seconds=1))),
        (spire(timeout="3s"), "/run/a.sock", Agent(AGENT, "/run/a.sock", timedelta(seconds=3))),
    ],
)
def test_the_agent_is_where_the_proxy_says(
    provider: dict[str, Any], said: str, expected: Agent
) -> None:
    found = plan(an_identity("one", provider=provider), machine=Machine(spire_socket=said))
    assert found.identity == Identity(ID, "ALL", "kri_mid_default___one_", expected)


def test_an_agent_says_itself_who_may_come() -> None:
    [inbound] = plan(an_identity("one", provider=spire())).inbounds
    assert inbound.tls is not None
    assert (inbound.tls.agent, inbound.tls.san_prefixes) == (AGENT, ())
    [inbound] = plan(an_identity("one")).inbounds
    assert inbound.tls is not None
    assert inbound.tls.san_prefixes == ("spiffe://default/", "spiffe://other.org/")
