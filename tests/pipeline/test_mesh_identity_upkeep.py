"""What becomes of a MeshIdentity: its authority, its MeshTrust, its status."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio

from kuma.app.control_plane.mesh_identities import MeshIdentityUpkeep
from kuma.identity.builtin import generate_root
from kuma.pipeline.credentials import SPREAD
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.kinds.secret import SECRET
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from tests.pipeline.conftest import Site
from tests.support.builders import a_mesh, a_resource, a_secret

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


class Upkeep:
    """The job at work, and what a test does around it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._news = asyncio.Event()
        site.replica.subscribe(lambda _: self._news.set())
        job = MeshIdentityUpkeep(site.store, site.replica, site.writer, site.clock, zone="default")
        self._task = asyncio.create_task(job.run())

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def put(self, *resources: AnyResource) -> None:
        for each in resources:
            await self.site.writer.put(each)

    async def delete(self, *keys: ResourceKey) -> None:
        for key in keys:
            await self.site.writer.delete(key)

    async def wait(self) -> None:
        """As long as others take to hear of a change; a Secret wakes the job."""
        self.site.clock.advance(SPREAD)
        await self.put(a_secret("any", str(self.site.clock.now()).encode()))

    def secrets(self) -> set[str]:
        found = self.site.replica.list(SECRET, "default")
        return {each.name for each in found} & set(PARTS)

    def trust(self) -> Any:
        return self.site.replica.find(ResourceKey(MESH_TRUST.name, "default", "identity"))

    def conditions(self) -> dict[str, tuple[str, str, str]]:
        found: Any = self.site.replica.find(ResourceKey(MESH_IDENTITY.name, "default", "identity"))
        held = found.status.conditions if found is not None and found.status is not None else ()
        return {each.type: (each.status.value, each.reason, each.message) for each in held}

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self._news.clear()
                await self._news.wait()

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

    await upkeep.delete(an_identity().key)

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


async def test_another_authority_is_trusted_beside_the_old_one(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    await upkeep.wait()
    await upkeep.until_ready("Ready")
    [before] = upkeep.trust().spec.pems

    await upkeep.delete(*(a_secret(each).key for each in PARTS))

    await upkeep.until(lambda: len(upkeep.trust().spec.pems) == 2)
    assert upkeep.trust().spec.pems[0] == before
    assert upkeep.conditions()["Ready"][0] == "True"


async def test_an_identity_stays_ready_without_its_authority(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    await upkeep.wait()
    await upkeep.until_ready("Ready")

    await upkeep.delete(a_secret(PARTS[0]).key)

    await upkeep.until(lambda: upkeep.conditions()["Provider"][0] == "False")
    assert upkeep.conditions()["Ready"][0] == "True"


async def test_a_trust_that_is_deleted_comes_back(upkeep: Upkeep) -> None:
    await upkeep.put(an_identity())
    await upkeep.until_ready("Preparing")
    before = upkeep.trust().spec

    await upkeep.delete(upkeep.trust().key)

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
