"""Who a caller is, and what that allows."""

from datetime import timedelta

import httpx
import pytest

from kuma.api.caller import ADMIN, ANONYMOUS
from kuma.identity.signing_keys import (
    USER_FAMILY,
    ZONE_FAMILY,
    dataplane_family,
    generate_signing_key,
    signing_key_secret,
)
from kuma.identity.tokens import UserIdentity
from kuma.plan.secret import SecretBytes
from tests.api.control_plane import LOCAL, STRANGER, ControlPlane, a_control_plane
from tests.support.builders import a_global_secret, a_mesh, a_secret

HOUR = timedelta(hours=1)
JOHN = UserIdentity("john", ("dev",))
ROOT = UserIdentity("root", ("mesh-system:admin",))
SECRET = "/meshes/default/secrets/s-1"


@pytest.fixture(scope="session")
def signing_key() -> SecretBytes:
    return generate_signing_key()


@pytest.fixture
async def secured(control_plane: ControlPlane, signing_key: SecretBytes) -> ControlPlane:
    """With signing keys of every family, and a secret."""
    now = control_plane.clock.now()
    families = (USER_FAMILY, ZONE_FAMILY, dataplane_family("default"))
    keys = [signing_key_secret(family, signing_key, now=now) for family in families]
    await control_plane.add(*keys, a_secret("s-1"), a_global_secret("g-1"))
    return control_plane


def _as(control_plane: ControlPlane, user: UserIdentity | str) -> httpx.AsyncClient:
    """From elsewhere, with a token."""
    token = user if isinstance(user, str) else control_plane.issuer.user(user, valid_for=HOUR)
    headers = {"authorization": f"Bearer {token}"}
    return control_plane.client(peer=STRANGER, host="mesh.example.com", headers=headers)


async def test_a_caller_from_this_machine_is_an_administrator(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/who-am-i")).json() == {
        "name": "mesh-system:admin",
        "groups": ["mesh-system:admin", "mesh-system:authenticated"],
    }


async def test_a_stranger_is_anonymous(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/who-am-i")).json() == {
        "name": "mesh-system:anonymous",
        "groups": ["mesh-system:unauthenticated"],
    }


async def test_a_page_that_rebinds_its_name_to_this_machine_is_a_stranger(
    control_plane: ControlPlane,
) -> None:
    async with control_plane.client(peer=LOCAL, host="evil.example.com") as client:
        assert (await client.get("/who-am-i")).json()["name"] == ANONYMOUS.name


async def test_localhost_is_an_administrator_over_https_too(control_plane: ControlPlane) -> None:
    transport = httpx.ASGITransport(app=control_plane.app, client=LOCAL)
    async with httpx.AsyncClient(transport=transport, base_url="https://localhost:5682") as client:
        assert (await client.get("/who-am-i")).json()["name"] == ADMIN.name


async def test_localhost_need_not_be_an_administrator() -> None:
    settings = {"apiServer": {"authn": {"localhostIsAdmin": False}}}
    async with a_control_plane(settings) as control_plane, control_plane.client() as client:
        assert (await client.get("/who-am-i")).json()["name"] == ANONYMOUS.name


async def test_a_token_says_who_the_caller_is(secured: ControlPlane) -> None:
    async with _as(secured, JOHN) as john:
        assert (await john.get("/who-am-i")).json() == {
            "name": "john",
            "groups": ["dev", "mesh-system:authenticated"],
        }


async def test_the_scheme_may_be_written_in_any_case(secured: ControlPlane) -> None:
    token = secured.issuer.user(JOHN, valid_for=HOUR)
    headers = {"authorization": f"bearer {token}"}
    async with secured.client(peer=STRANGER, headers=headers) as john:
        assert (await john.get("/who-am-i")).json()["name"] == "john"


UNAUTHENTICATED = {
    "type": "/std-errors",
    "status": 401,
    "title": "Invalid authentication data",
    "detail": "Unauthenticated",
    "details": "Unauthenticated",
}


@pytest.mark.parametrize("path", ["/who-am-i", "/meshes", "/nope"])
@pytest.mark.parametrize("token", ["foo", "", "a.b.c"])
async def test_a_bad_token_ends_every_request(path: str, token: str, secured: ControlPlane) -> None:
    async with _as(secured, token) as client:
        answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (401, UNAUTHENTICATED)


async def test_the_index_needs_no_valid_token(secured: ControlPlane) -> None:
    async with _as(secured, "foo") as client:
        assert (await client.get("/")).status_code == 200


async def test_other_schemes_are_no_token(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/who-am-i", headers={"authorization": "Basic Zm9v"})
    assert answer.json()["name"] == ANONYMOUS.name


async def test_an_expired_token_is_refused(secured: ControlPlane) -> None:
    async with _as(secured, JOHN) as john:
        secured.clock.advance(HOUR + timedelta(seconds=1))
        assert (await john.get("/who-am-i")).status_code == 401


async def test_a_revoked_token_is_refused_at_once(secured: ControlPlane) -> None:
    import jwt

    token = secured.issuer.user(JOHN, valid_for=HOUR)
    token_id = jwt.decode(token, options={"verify_signature": False})["jti"]
    async with _as(secured, token) as john:
        assert (await john.get("/who-am-i")).status_code == 200
        await secured.add(a_global_secret("user-token-revocations", token_id.encode()))
        assert (await john.get("/who-am-i")).status_code == 401


async def test_why_a_token_was_refused_is_logged_and_the_token_is_not(
    secured: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _as(secured, "s3cr3t") as client:
        answer = await client.get("/meshes")
    logged = capsys.readouterr().out
    assert "the token is not a JWT" in logged
    assert "s3cr3t" not in logged + answer.text


FORBIDDEN = [
    ("GET", "/secrets", 'the resource of type "Secret"'),
    ("GET", "/meshes/default/secrets", 'the resource of type "Secret"'),
    ("GET", SECRET, 'the resource of type "Secret"'),
    ("GET", "/meshes/default/secrets/none", 'the resource of type "Secret"'),
    ("PUT", SECRET, 'the resource of type "Secret"'),
    ("DELETE", SECRET, 'the resource of type "Secret"'),
    ("DELETE", "/meshes/default/secrets/none", 'the resource of type "Secret"'),
    ("GET", "/global-secrets", 'the resource of type "GlobalSecret"'),
    ("GET", "/globalsecrets/g-1", 'the resource of type "GlobalSecret"'),
    ("POST", "/tokens/dataplane", "generate dataplane token"),
    ("POST", "/tokens/zone", "generate zone token for zone ''"),
    ("POST", "/tokens/user", "generate user token"),
]


@pytest.mark.parametrize(("method", "path", "what"), FORBIDDEN)
async def test_secrets_and_tokens_are_for_administrators(
    method: str, path: str, what: str, secured: ControlPlane
) -> None:
    async with _as(secured, JOHN) as john:
        answer = await john.request(method, path, json={} if method != "GET" else None)
    assert (answer.status_code, answer.json()["title"]) == (403, "Access Denied")
    assert answer.json()["detail"] == (
        f'user "john/dev,mesh-system:authenticated" cannot access {what}'
    )


async def test_a_group_makes_an_administrator(secured: ControlPlane) -> None:
    async with _as(secured, ROOT) as root:
        assert (await root.get(SECRET)).json()["data"] == "aGlkZGVu"


async def test_everybody_may_read_and_write_the_rest(stranger: httpx.AsyncClient) -> None:
    body = {"type": "Mesh", "name": "m-1"}
    assert (await stranger.put("/meshes/m-1", json=body)).status_code == 201
    assert (await stranger.get("/config")).status_code == 200


async def test_the_settings_say_who_may() -> None:
    static = {
        "adminResources": {"users": ["john"], "groups": []},
        "controlPlaneMetadata": {"users": [], "groups": ["ops"]},
    }
    async with a_control_plane({"access": {"static": static}}) as control_plane:
        await control_plane.add(a_mesh(), a_secret("s-1"))
        async with control_plane.client() as admin:
            assert (await admin.get(SECRET)).status_code == 403
            refused = await admin.get("/config")
    assert refused.json()["detail"] == (
        'user "mesh-system:admin/mesh-system:admin,mesh-system:authenticated" '
        "cannot access control-plane metadata"
    )


@pytest.mark.parametrize("action", ["viewConfigDump", "viewStats", "viewClusters"])
async def test_what_envoy_says_can_be_restricted(action: str) -> None:
    path = {"viewConfigDump": "xds", "viewStats": "stats", "viewClusters": "clusters"}[action]
    settings = {"access": {"static": {action: {"users": [], "groups": []}}}}
    async with a_control_plane(settings) as control_plane:
        await control_plane.add(a_mesh())
        async with control_plane.client() as admin:
            answer = await admin.get(f"/meshes/default/dataplanes/dp-1/{path}")
    assert answer.status_code == 403


async def test_with_client_certificates_tokens_mean_nothing(signing_key: SecretBytes) -> None:
    settings = {"apiServer": {"authn": {"type": "adminClientCerts"}}}
    async with a_control_plane(settings) as control_plane:
        now = control_plane.clock.now()
        await control_plane.add(signing_key_secret(USER_FAMILY, signing_key, now=now))
        async with _as(control_plane, ROOT) as client:
            assert (await client.get("/who-am-i")).json()["name"] == ANONYMOUS.name
