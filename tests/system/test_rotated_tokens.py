"""A token that is exchanged in its file is used from the next connection on."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesh import ControlPlane, a_control_plane, until
from tests.system.test_restart import dataplane, overview

LIST = {"type": "GlobalSecret", "name": "dataplane-token-revocations-default"}


def token_id(token: str) -> str:
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"])


async def connections(cp: ControlPlane) -> list[bool]:
    """Of each that the proxy has had, whether it is still there."""
    found: dict[str, Any] = await overview(cp, "web-1") or {}
    held = found.get("dataplaneInsight", {}).get("subscriptions", ())
    return ["disconnectTime" not in each for each in held]


@pytest.mark.parametrize("reloadable", ["false", "true"])
async def test_a_new_token_takes_the_place_of_a_revoked_one(
    tmp_path: Path, reloadable: str
) -> None:
    """By kuma-dp, which watches the file; by Envoy itself, if the control plane asks it to."""
    env = {"KUMA_DP_SERVER_AUTHN_ENABLE_RELOADABLE_TOKENS": reloadable}
    async with a_control_plane(tmp_path, env=env) as cp:
        old, new = await cp.token("web-1"), await cp.token("web-1")
        async with cp.kuma_dp(dataplane("web-1"), token=old):
            await until(lambda: connections(cp), lambda found: found == [True])
            (tmp_path / "web-1.token").write_text(new)
            revoked = base64.b64encode(token_id(old).encode()).decode()

            await cp.put({**LIST, "data": revoked})

            await until(lambda: connections(cp), lambda found: found == [False, True])
