"""Tokens, issued over the API."""

from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    dataplane_family,
    generate_signing_key,
    signing_key_secret,
)
from kuma.identity.token_validator import TokenValidator
from kuma.plan.secret import SecretBytes
from tests.api.control_plane import ControlPlane, a_control_plane
from tests.support.builders import a_global_secret, a_mesh


@pytest.fixture(scope="session")
def signing_key() -> SecretBytes:
    return generate_signing_key()


@pytest.fixture
async def issuing(control_plane: ControlPlane, signing_key: SecretBytes) -> ControlPlane:
    now = control_plane.clock.now()
    families = (USER_FAMILY, ZONE_FAMILY, dataplane_family("default"))
    await control_plane.add(*(signing_key_secret(each, signing_key, now=now) for each in families))
    return control_plane


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


async def test_a_dataplane_token_is_issued_as_text(
    issuing: ControlPlane, admin: httpx.AsyncClient
) -> None:
    body = {
        "mesh": "default",
        "name": "dp-1",
        "tags": {"kuma.io/service": ["b", "a"]},
        "type": "dataplane",
        "workload": "w",
        "validFor": "1h30m",
    }
    answer = await admin.post("/tokens/dataplane", json=body)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    validator = TokenValidator(issuing.replica, clock=issuing.clock)
    proven = validator.dataplane(answer.text, mesh="default")
    assert (proven.name, proven.type, proven.workload) == ("dp-1", "dataplane", "w")
    assert proven.tags == (("kuma.io/service", ("a", "b")),)
    expiry = issuing.clock.now() + timedelta(hours=1, minutes=30)
    assert _claims(answer.text)["exp"] == int(expiry.timestamp())


async def test_without_a_duration_a_token_is_valid_for_ten_years(
    issuing: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.post("/tokens/zone", json={"zone": "east", "scope": ["egress"]})
    expiry = issuing.clock.now() + timedelta(days=3650)
    assert _claims(answer.text)["exp"] == int(expiry.timestamp())
    proven = TokenValidator(issuing.replica, clock=issuing.clock).zone(answer.text)
    assert (proven.zone, proven.scope) == ("east", ("egress",))


async def test_a_user_token_opens_the_api(
    issuing: ControlPlane, admin: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    body = {"name": "john", "groups": ["dev"], "validFor": "1h"}
    token = (await admin.post("/tokens/user", json=body)).text
    answer = await stranger.get("/who-am-i", headers={"authorization": f"Bearer {token}"})
    assert answer.json() == {"name": "john", "groups": ["dev", "mesh-system:authenticated"]}


INVALID = [
    ("dataplane", {}, ["mesh"]),
    ("dataplane", {"mesh": 3}, ["mesh"]),
    ("dataplane", {"mesh": "default", "validFor": "x", "type": "foo"}, ["validFor", "type"]),
    ("dataplane", {"mesh": "default", "validFor": "-1h"}, ["validFor"]),
    ("dataplane", {"mesh": "default", "tags": {"a": "b"}}, ["tags"]),
    ("dataplane", {"mesh": "default", "tags": [1]}, ["tags"]),
    ("zone", {}, ["scope"]),
    ("zone", {"scope": "ingress"}, ["scope"]),
    ("zone", {"scope": ["ingress", "x"]}, ["scope"]),
    ("user", {}, ["name", "validFor"]),
    ("user", {"name": "john", "validFor": "0s"}, ["validFor"]),
    ("user", {"name": "john", "validFor": 3}, ["validFor"]),
    ("user", {"name": "john", "validFor": "1h", "groups": [1]}, ["groups"]),
]


@pytest.mark.parametrize(("kind", "body", "fields"), INVALID)
async def test_a_bad_request_names_its_fields(
    kind: str, body: dict[str, Any], fields: list[str], issuing: ControlPlane
) -> None:
    async with issuing.client() as admin:
        answer = await admin.post(f"/tokens/{kind}", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (400, "Invalid request")
    told = {each["field"] for each in problem["invalid_parameters"]}
    assert told == set(fields)


async def test_a_mesh_without_a_signing_key_cannot_issue(
    issuing: ControlPlane, admin: httpx.AsyncClient
) -> None:
    answer = await admin.post("/tokens/dataplane", json={"mesh": "none"})
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (404, "Signing Key not found")
    assert "dataplane-token-signing-key-none-1" in problem["detail"]


async def test_a_signing_key_that_is_none_is_told(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await control_plane.add(a_global_secret("user-token-signing-key-1", b"nonsense"))
    answer = await admin.post("/tokens/user", json={"name": "john", "validFor": "1h"})
    problem = answer.json()
    assert (answer.status_code, problem["title"]) == (400, "Could not issue a token")
    assert problem["detail"] == "the signing key is not an RSA private key in PEM"


async def test_issuing_can_be_switched_off() -> None:
    off = {"enableIssuer": False}
    settings = {
        "dpServer": {"authn": {"dpProxy": {"dpToken": off}, "zoneProxy": {"zoneToken": off}}},
        "apiServer": {"authn": {"tokens": off}},
    }
    async with a_control_plane(settings) as control_plane:
        await control_plane.add(a_mesh())
        async with control_plane.client() as admin:
            dataplane = await admin.post("/tokens/dataplane", json={"mesh": "default"})
            zone = await admin.post("/tokens/zone", json={"scope": ["ingress"]})
            user = await admin.post("/tokens/user", json={"name": "a", "validFor": "1h"})
    for refused in (dataplane, zone):
        assert refused.status_code == 400
        assert "disabled" in refused.json()["detail"]
    assert user.status_code == 404
