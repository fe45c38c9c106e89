"""Which certificate a proxy with a MeshIdentity should have, and from when."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from kuma.identity.builtin import generate_root
from kuma.identity.key_pair import KeyPair
from kuma.kit.clock import SystemClock
from kuma.pipeline.certificates import NEVER
from kuma.pipeline.credentials import SPREAD, identity_authority, trusted_from, wanted_certificate
from kuma.resolve.view import MeshView
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.resource import AnyResource
from tests.resolve.test_workload_identity import an_identity
from tests.resolve.world import a_view
from tests.support.builders import NOW, a_dataplane, a_resource, a_secret

PROXY = a_dataplane("web-1", service="web", labels={"kuma.io/workload": "web"})


@pytest.fixture(scope="module")
def root() -> KeyPair:
    return generate_root("default", clock=SystemClock())


def bundled(**parameters: Any) -> dict[str, Any]:
    return {
        "type": "Bundled",
        "bundled": {
            "insecureAllowSelfSigned": True,
            "autogenerate": {"enabled": True},
            **parameters,
        },
    }


def a_world(root: KeyPair, *others: AnyResource, **parameters: Any) -> MeshView:
    """Two MeshIdentities, of which the proxy has the one that names its workload."""
    chosen = an_identity("web", {"kuma.io/workload": "web"}, provider=bundled(**parameters))
    secrets = (a_secret("web-root-ca", root.cert_pem), a_secret("web-private-key", root.key.reveal))
    return a_view(PROXY, an_identity("a"), chosen, *secrets, *others, zone="east")


def a_trust(root: KeyPair, modified: datetime) -> AnyResource:
    bundles = [{"type": "Pem", "pem": {"value": root.cert_pem.decode()}}]
    spec = {"trustDomain": "default.east.mesh.local", "caBundles": bundles}
    return a_resource(MESH_TRUST, f"at-{modified.second}", spec, modified=modified)


@pytest.mark.parametrize(
    ("parameters", "hours"),
    [
        ({}, 24),
        ({"certificateParameters": {}}, 24),
        ({"certificateParameters": {"expiry": "8h"}}, 8),
    ],
)
def test_its_life_is_that_of_the_identity_or_a_day(
    root: KeyPair, parameters: dict[str, Any], hours: int
) -> None:
    wanted = wanted_certificate(a_world(root, **parameters), "web-1")
    assert wanted is not None
    assert (wanted.lifetime, wanted.root_pem) == (timedelta(hours=hours), root.cert_pem)


def test_an_authority_may_be_in_secrets_of_the_user(root: KeyPair) -> None:
    ca = {
        part: {"type": "Secret", "secretRef": {"kind": "Secret", "name": f"web-{secret}"}}
        for part, secret in (("certificate", "root-ca"), ("privateKey", "private-key"))
    }
    own = a_world(root, autogenerate=None, ca=ca)
    assert identity_authority(own, "web").bundle_pem == root.cert_pem


def test_the_authority_is_that_of_the_identity_of_this_name(root: KeyPair) -> None:
    assert identity_authority(a_world(root), "web").bundle_pem == root.cert_pem


def test_it_is_used_once_all_have_heard_of_its_authority(root: KeyPair) -> None:
    later = NOW + timedelta(seconds=5)
    assert trusted_from(a_world(root), "web-1") == NEVER
    assert trusted_from(a_world(root, meshTrustCreation="Disabled"), "web-1") is None
    for trusts in ((a_trust(root, NOW), a_trust(root, later)), (a_trust(root, NOW),)):
        assert trusted_from(a_world(root, *trusts), "web-1") == NOW + SPREAD


def test_who_has_no_identity_waits_for_nobody(root: KeyPair) -> None:
    assert trusted_from(a_world(root), "nobody") is None
