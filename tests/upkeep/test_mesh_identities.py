"""What becomes of a MeshIdentity: its authority, its MeshTrust, its status."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from kuma.identity.builtin import generate_root
from kuma.kit.clock import Clock, SystemClock
from kuma.pipeline.credentials import SPREAD
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.kinds.secret import SECRET
from kuma.resources.resource import AnyResource
from kuma.upkeep import mesh_identities
from kuma.upkeep.mesh_identities import MeshIdentityUpkeep
from tests.support.builders import a_mesh, a_resource, a_secret
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

EXCLUSIVE = {"meshServices": {"mode": "Exclusive"}}
MADE = {"insecureAllowSelfSigned": True, "autogenerate": {"enabled": True}}
PARTS = ("identity-root-ca", "identity-private-key")
STEP_FAILED = "One of initialization steps failed"


def an_identity(
    bundled: Mapping[str, Any] | None = MADE, trust_domain: str | None = None
) -> AnyResource:
    spec: dict[str, Any] = {"selector": {"dataplane": {}}}
    if bundled is not None:
        spec["provider"] = {"type": "Bundled", "bundled": bundled}
    if trust_domain:
        spec["spiffeID"] = {"trustDomain": trust_domain}
    return a_resource(MESH_IDENTITY, "identity", spec)


class Upkeep(AtWork):
    def __init__(self, site: Site, clock: Clock | None = None) -> None:
        upkeep = partial(MeshIdentityUpkeep, site.store, site.replica, site.writer)
        super().__init__(site, partial(upkeep, clock or site.clock, zone="default"))

    async def wait(self) -> None:
        """As long as others take to hear of a change; a Secret wakes the job."""
        self.site.clock.advance(SPREAD)
        await self.put(a_secret("any", str(self.site.clock.now()).encode()))

    def secrets(self) -> set[str]:
        found = self.site.replica.list(SECRET, "default")
        return {each.name for each in found} & set(PARTS)

    def trust(self) -> Any:
        return self.find(MESH_TRUST, "identity")

    def conditions(self) -> dict[str, tuple[str, str, str]]:
        found = self.find(MESH_IDENTITY, "identity")
        held = found.status.conditions if found is not None and found.status is not None else ()
        return {each.type: (each.status.value, each.reason, each.message) for each in held}

    async def until_ready(self, reason: str) -> dict[str, tuple[str, str, str]]:
        await self.until(lambda: self.conditions().get("Ready", ("", "", ""))[1] == reason)
        return self.conditions()


@pytest_asyncio.fixture
async def upkeep(site: Site) -> AsyncIterator[Upkeep]:
    await site.writer.put(a_mesh(spec=EXCLUSIVE))
    made = Upkeep(site)
    yield made
    await made.stop()


async def test_an_identity_is_prepared_and_then_ready(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())

    found = await upkeep.until_ready("Preparing")
    assert found["Ready"][0] == "False"
    assert upkeep.secrets() == {*PARTS}
    assert upkeep.trust().spec.trust_domain == "default.default.mesh.local"
    assert upkeep.trust().status.origin.kri == "kri_mid_default_default__identity_"

    await upkeep.wait()
    found = await upkeep.until_ready("Ready")
    assert [found[each][0] for each in ("Provider", "MeshTrustCreated", "Ready")] == ["True"] * 3


async def test_what_is_made_goes_with_the_identity_but_for_the_trust(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")

    await upkeep.delete(MESH_IDENTITY, "identity")

    await upkeep.until(lambda: not upkeep.secrets())
    assert upkeep.trust() is not None


@pytest.mark.parametrize(
    ("mesh", "identity", "condition", "reason"),
    [
        ({}, an_identity(), "DependenciesReady", "MeshServicesDisabled"),
        (
            EXCLUSIVE,
            an_identity({"autogenerate": {"enabled": True}}),
            "Provider",
            "ProviderValidationError",
        ),
        (
            EXCLUSIVE,
            an_identity({**MADE, "meshTrustCreation": "Disabled"}),
            "DependenciesReady",
            "MeshTrustMissing",
        ),
        (
            EXCLUSIVE,
            an_identity(
                {
                    "ca": {
                        part: {"type": "EnvVar", "envVar": {"name": "KUMA_TEST_NOTHING"}}
                        for part in ("certificate", "privateKey")
                    }
                }
            ),
            "Provider",
            "ProviderInitializationError",
        ),
    ],
)
async def test_a_step_that_fails_is_told(
    upkeep: Upkeep, mesh: Mapping[str, Any], identity: AnyResource, condition: str, reason: str
) -> None:
    await upkeep.put(a_mesh(spec=mesh), identity)

    found = await upkeep.until_ready("Failure")

    assert found["Ready"] == ("False", "Failure", STEP_FAILED)
    assert found[condition][:2] == ("False", reason)


async def test_without_a_provider_only_the_ids_are_known(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity(None))

    found = await upkeep.until_ready("PartiallyReady")

    assert found["SpiffeIDProvider"][:2] == ("True", "SpiffeIDProvided")
    assert upkeep.secrets() == set()


async def test_a_spire_agent_needs_no_authority(upkeep: Upkeep) -> None:
    made = an_identity(None)
    spec = {**made.spec.to_json(), "provider": {"type": "Spire", "spire": {}}}
    await upkeep.put(a_resource(MESH_IDENTITY, "identity", spec))

    await upkeep.until_ready("Preparing")
    await upkeep.wait()
    found = await upkeep.until_ready("Ready")

    assert {each: status for each, (status, *_) in found.items()} == {
        "Provider": "True",
        "Ready": "True",
    }
    assert upkeep.secrets() == set()
    assert upkeep.trust() is None


async def test_another_authority_is_trusted_beside_the_old_one(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    await upkeep.wait()
    await upkeep.until_ready("Ready")
    [before] = upkeep.trust().spec.pems

    for each in PARTS:
        await upkeep.delete(SECRET, each)

    await upkeep.until(lambda: len(upkeep.trust().spec.pems) == 2)
    assert upkeep.trust().spec.pems[0] == before
    assert upkeep.conditions()["Ready"][0] == "True"


async def test_an_identity_stays_ready_without_its_authority(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    await upkeep.wait()
    await upkeep.until_ready("Ready")

    await upkeep.delete(SECRET, PARTS[0])

    await upkeep.until(lambda: upkeep.conditions()["Provider"][0] == "False")
    assert upkeep.conditions()["Ready"][0] == "True"


async def test_a_trust_that_is_deleted_comes_back(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    before = upkeep.trust().spec

    await upkeep.delete(MESH_TRUST, "identity")

    await upkeep.until(lambda: upkeep.trust() and upkeep.trust().status)
    assert upkeep.trust().spec == before


async def test_a_trust_of_another_domain_is_not_added_to(upkeep: Upkeep) -> None:
    pem = generate_root("other", clock=upkeep.site.clock).cert_pem.decode()
    bundles = [{"type": "Pem", "pem": {"value": pem}}]
    other = {"trustDomain": "other.local", "caBundles": bundles}
    await upkeep.put(a_resource(MESH_TRUST, "identity", other), an_identity())

    found = await upkeep.until_ready("Failure")

    message = 'the MeshTrust "identity" is for the trust domain "other.local"'
    assert found["MeshTrustCreated"] == ("False", "MeshTrustCreationError", message)
    assert upkeep.trust().spec.pems == (pem,)


async def test_it_is_ready_at_its_time_though_nothing_changes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mesh_identities, "SPREAD", timedelta(milliseconds=300))
    await site.writer.put(a_mesh(spec=EXCLUSIVE))
    upkeep = Upkeep(site, SystemClock())
    try:
        await upkeep.put(an_identity())
        await upkeep.until_ready("Preparing")

        await upkeep.until_ready("Ready")
    finally:
        await upkeep.stop()
