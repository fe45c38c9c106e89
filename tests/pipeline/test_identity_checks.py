"""What is refused of identities and trusts because of what else there is."""

from typing import Any

import pytest

from kuma.app.control_plane.checks import CHECKS
from kuma.identity.builtin import generate_root
from kuma.kit.clock import SystemClock
from kuma.policies.catalogue import REGISTRY
from kuma.resources.errors import InvalidResource
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.resource import AnyResource
from kuma.resources.writer import Writer
from tests.support.builders import a_mesh, a_resource
from tests.support.site import Site

PEM = generate_root("other", clock=SystemClock()).cert_pem.decode()
BROKEN = "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n"


def a_trust(*pems: str) -> AnyResource:
    bundles = [{"type": "Pem", "pem": {"value": pem}} for pem in pems]
    spec = {"trustDomain": "other.local", "caBundles": bundles}
    return a_resource(MESH_TRUST, "identity", spec)


def an_identity(trust_domain: str, **bundled: Any) -> AnyResource:
    provider = {"type": "Bundled", "bundled": {"autogenerate": {"enabled": True}, **bundled}}
    spec = {"spiffeID": {"trustDomain": trust_domain}, "provider": provider}
    return a_resource(MESH_IDENTITY, "identity", spec)


async def found(site: Site, *resources: AnyResource) -> list[tuple[str, str]]:
    checks = CHECKS
    writer = Writer(site.store, site.replica, REGISTRY, site.clock, zone="default", checks=checks)
    await writer.put(a_mesh())
    try:
        for each in resources:
            await writer.put(each)
    except InvalidResource as error:
        return [(each.field, each.message) for each in error.violations]
    return []


async def test_a_trust_needs_certificates_that_can_be_read(site: Site) -> None:
    assert await found(site, a_trust(PEM, PEM + PEM)) == []
    message = "provided certificate has incorrect format"
    assert await found(site, a_trust(PEM, BROKEN, "text")) == [
        ("spec.caBundles[1].pem.value", message),
        ("spec.caBundles[2].pem.value", message),
    ]


async def test_a_template_must_give_a_trust_domain(site: Site) -> None:
    field = "spec.spiffeID.trustDomain"
    message = '"default/x" is no trust domain: it must not contain a path'
    assert await found(site, an_identity("{{ .Mesh }}/x")) == [(field, message)]


@pytest.mark.parametrize(
    ("identity", "is_refused"),
    [
        (an_identity("other.local"), False),
        (an_identity("another.local"), True),
        (an_identity("another.local", meshTrustCreation="Disabled"), False),
    ],
)
async def test_the_trust_domain_cannot_leave_its_trust_behind(
    site: Site, identity: AnyResource, is_refused: bool
) -> None:
    refused = await found(site, a_trust(PEM), identity)
    assert [field for field, _ in refused] == ["spec.spiffeID.trustDomain"] * is_refused
