"""HostnameGenerators give names to services, and who comes first keeps a name that several want."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from kuma.resources.kind import Kind
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.resource import AnyResource
from kuma.upkeep.hostnames import HostnameUpkeep
from tests.support.builders import a_mesh, a_resource
from tests.support.site import Site
from tests.upkeep.leader_job import AtWork

SPECS = {
    MESH_SERVICE: {},
    MESH_EXTERNAL_SERVICE: {"match": {"port": 443}},
    MESH_MULTI_ZONE_SERVICE: {
        "selector": {"meshService": {"matchLabels": {"a": "b"}}},
        "ports": [{"port": 80}],
    },
}


def a_service(name: str = "api", kind: Kind[Any] = MESH_SERVICE, **labels: str) -> AnyResource:
    return a_resource(kind, name, SPECS[kind], labels=labels)


def a_generator(
    name: str, template: str, selector: str = "meshService", **labels: str
) -> AnyResource:
    spec = {"selector": {selector: {"matchLabels": labels}}, "template": template}
    return a_resource(HOSTNAME_GENERATOR, name, spec)


@pytest_asyncio.fixture
async def names(site: Site) -> AsyncIterator[AtWork]:
    await site.writer.put(a_mesh())
    made = AtWork(site, lambda: HostnameUpkeep(site.replica, site.writer, zone="default"))
    yield made
    await made.stop()


def hostnames(names: AtWork, name: str = "api", kind: Kind[Any] = MESH_SERVICE) -> list[str]:
    found = names.find(kind, name)
    addresses = found.status.addresses if found is not None and found.status else ()
    return [each.hostname for each in addresses or ()]


def conditions(names: AtWork, name: str = "api") -> dict[str, tuple[str, str]]:
    """Reason and message, by generator."""
    found = names.find(MESH_SERVICE, name)
    statuses = found.status.hostname_generators if found is not None and found.status else ()
    return {
        each.hostname_generator_ref.core_name: (
            each.conditions[0].reason,
            each.conditions[0].message,
        )
        for each in statuses or ()
    }


async def test_a_name_is_written_with_what_made_it(names: AtWork) -> None:
    await names.put(a_generator("local", "{{ .DisplayName }}.svc.mesh.local"), a_service())

    await names.until(lambda: hostnames(names))

    assert names.find(MESH_SERVICE, "api").status.to_json() == {
        "addresses": [
            {
                "hostname": "api.svc.mesh.local",
                "origin": "HostnameGenerator",
                "hostnameGeneratorRef": {"coreName": "local"},
            }
        ],
        "tls": {},
        "hostnameGenerators": [
            {
                "hostnameGeneratorRef": {"coreName": "local"},
                "conditions": [
                    {"type": "Generated", "status": "True", "reason": "Generated", "message": ""}
                ],
            }
        ],
        "dataplaneProxies": {},
    }


@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        (MESH_SERVICE, "meshService"),
        (MESH_EXTERNAL_SERVICE, "meshExternalService"),
        (MESH_MULTI_ZONE_SERVICE, "meshMultiZoneService"),
    ],
)
async def test_a_generator_is_for_one_kind_of_service(
    names: AtWork, kind: Kind[Any], selector: str
) -> None:
    for each in SPECS:
        await names.put(a_service("api", each))

    await names.put(a_generator("one", "{{ .Name }}.x", selector))
    await names.until(lambda: hostnames(names, "api", kind))

    others = [each for each in SPECS if each is not kind]
    assert [hostnames(names, "api", each) for each in others] == [[], []]


async def test_names_follow_the_labels_of_the_service(names: AtWork) -> None:
    await names.put(a_generator("by-team", '{{ label "team" }}.x', team="a"), a_service(team="a"))
    await names.until(lambda: hostnames(names) == ["a.x"])

    await names.put(a_service(team="b"))

    await names.until(lambda: hostnames(names) == [])
    assert conditions(names) == {}


async def test_names_follow_the_template_and_go_with_the_generator(names: AtWork) -> None:
    await names.put(a_generator("one", "{{ .Name }}.one"), a_generator("two", "{{ .Name }}.two"))
    await names.put(a_service())
    await names.until(lambda: hostnames(names) == ["api.one", "api.two"])

    await names.put(a_generator("two", "{{ .Name }}.changed"))
    await names.until(lambda: hostnames(names) == ["api.one", "api.changed"])
    await names.delete(HOSTNAME_GENERATOR, "one")

    await names.until(lambda: hostnames(names) == ["api.changed"])
    assert conditions(names) == {"two": ("Generated", "")}


async def test_the_older_service_keeps_a_name_until_it_goes(names: AtWork) -> None:
    await names.put(a_generator("fixed", "one.name"), a_service("z-older"))
    names.site.clock.advance(timedelta(seconds=1))
    await names.put(a_service("a-younger"))
    await names.until(lambda: conditions(names, "a-younger"))
    assert hostnames(names, "z-older") == ["one.name"]
    assert conditions(names, "a-younger") == {
        "fixed": ("Collision", "Hostname collision with MeshService: z-older")
    }

    await names.delete(MESH_SERVICE, "z-older")

    await names.until(lambda: hostnames(names, "a-younger") == ["one.name"])


async def test_a_generator_of_the_zone_comes_before_an_older_one(names: AtWork) -> None:
    of_all = a_generator("of-all", "same.{{ .Zone }}", of="all")
    of_zone = a_generator("of-zone", "same.{{ .Zone }}", of="zone")
    await names.put(of_all.with_labels({"kuma.io/origin": "global"}))
    await names.put(a_service("a", of="all"), a_service("z", of="zone"))
    await names.until(lambda: hostnames(names, "a") == ["same.default"])

    await names.put(of_zone)

    await names.until(lambda: hostnames(names, "z") == ["same.default"])
    await names.until(lambda: hostnames(names, "a") == [])


async def test_two_generators_may_give_a_service_the_same_name(names: AtWork) -> None:
    await names.put(a_generator("one", "same"), a_generator("two", "same"), a_service())

    await names.until(lambda: hostnames(names) == ["same", "same"])


async def test_names_collide_across_kinds_but_not_across_meshes(names: AtWork) -> None:
    await names.put(a_mesh("other"), a_generator("one", "same"))
    await names.put(a_generator("two", "same", "meshExternalService"))
    await names.put(a_service(), a_resource(MESH_SERVICE, "api", {}, mesh="other"))
    names.site.clock.advance(timedelta(seconds=1))
    await names.put(a_service("far", MESH_EXTERNAL_SERVICE))

    await names.until(lambda: (far := names.find(MESH_EXTERNAL_SERVICE, "far")) and far.status)

    far = names.find(MESH_EXTERNAL_SERVICE, "far").status.hostname_generators[0].conditions[0]
    assert far.message == "Hostname collision with MeshService: api"
    assert hostnames(names) == ["same"]


async def test_a_template_that_does_not_fit_is_told(names: AtWork) -> None:
    await names.put(a_generator("one", '{{ label "team" }}'), a_generator("two", "{{ .Name }}"))

    await names.put(a_service())

    await names.until(lambda: conditions(names))
    assert conditions(names) == {
        "one": ("TemplateError", "label team not found"),
        "two": ("Generated", ""),
    }
    assert hostnames(names) == ["api"]


async def test_what_says_nothing_new_is_not_written_again(names: AtWork) -> None:
    await names.put(a_generator("one", "{{ .Name }}.x"), a_service())
    await names.until(lambda: hostnames(names))
    names.writes.clear()

    await names.stop()
    names.start()
    await names.put(a_service("second"))
    await names.until(lambda: hostnames(names, "second"))

    assert names.writes == ["second", "second"]


async def test_names_that_somebody_wrote_over_come_back(names: AtWork) -> None:
    await names.put(a_generator("one", "{{ .Name }}.x"), a_service())
    await names.until(lambda: hostnames(names))
    found = names.find(MESH_SERVICE, "api")

    spoiled = found.status.model_copy(update={"addresses": None})
    await names.site.writer.update(type(found)(found.kind, found.meta, found.spec, spoiled))

    await names.until(lambda: hostnames(names) == ["api.x"])
