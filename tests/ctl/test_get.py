from datetime import timedelta

import pytest

from kuma.resources.kinds.mesh import MESH
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi
from tests.support.builders import (
    a_dataplane,
    a_mesh,
    a_secret,
    a_zone,
    an_external_service,
    an_inbound,
)

INBOUNDS = [an_inbound("web", 80, tags={"version": "v1"}), an_inbound("web", 81)]


@pytest.fixture(autouse=True)
def _an_hour_later(shell: Shell) -> None:
    shell.clock.advance(timedelta(minutes=61))


def test_meshes_show_what_is_switched_on(api: RunningApi, shell: Shell) -> None:
    routing = {"localityAwareLoadBalancing": True, "zoneEgress": True}
    api.add(a_mesh("m-1", mtls=True, spec={"routing": routing}))
    assert shell.out("get", "meshes") == (
        "NAME      mTLS           LOCALITY   ZONEEGRESS   AGE\n"
        "default   off            off        off          1h\n"
        "m-1       builtin/ca-1   on         on           1h\n"
    )


def test_dataplanes_show_tags_and_address(api: RunningApi, shell: Shell) -> None:
    api.add(
        a_dataplane("dp-1", inbounds=INBOUNDS, networking={"advertisedAddress": "10.0.0.1"}),
        a_dataplane("dp-2", gateway="edge"),
    )
    expected = (
        "MESH      NAME   TAGS                                                   ADDRESS     AGE\n"
        "default   dp-1   kuma.io/protocol=http kuma.io/service=web version=v1   10.0.0.1    1h\n"
        "default   dp-2   kuma.io/service=edge                                   127.0.0.1   1h\n"
    )
    assert shell.out("get", "dataplanes") == expected
    assert shell.out("get", "dp", "dp-2").splitlines()[1].split()[1] == "dp-2"


def test_external_services_show_tags_and_address(api: RunningApi, shell: Shell) -> None:
    api.add(an_external_service("es-1", service="es", address="example.com:443"))
    assert shell.out("get", "external-service", "es-1") == (
        "MESH      NAME   TAGS                                       ADDRESS           AGE\n"
        "default   es-1   kuma.io/protocol=http kuma.io/service=es   example.com:443   1h\n"
    )


@pytest.mark.parametrize(
    ("word", "row"),
    [
        ("zones", "NAME   AGE\neast   1h\n"),
        ("secrets", "MESH      NAME   AGE\ndefault   s-1    1h\n"),
        ("Zone", "NAME   AGE\neast   1h\n"),
        ("z", "NAME   AGE\neast   1h\n"),
    ],
)
def test_other_kinds_show_name_and_age(word: str, row: str, api: RunningApi, shell: Shell) -> None:
    api.add(a_zone("east"), a_secret("s-1"))
    assert shell.out("get", word) == row


def test_an_empty_list_is_a_header(api: RunningApi, shell: Shell) -> None:
    assert shell.out("get", "meshtimeouts") == "MESH   NAME   AGE\n"


def test_a_page_tells_how_to_go_on(api: RunningApi, shell: Shell) -> None:
    api.add(*(a_mesh(f"m-{index}") for index in range(3)))
    first = shell.out("get", "meshes", "--size=2")
    assert first.endswith("\n\nRerun command with --offset=2 argument to retrieve more resources\n")
    last = shell.out("get", "meshes", "--size", "2", "--offset", "2")
    assert [line.split()[0] for line in last.splitlines()] == ["NAME", "m-1", "m-2"]


def test_one_as_yaml(api: RunningApi, shell: Shell) -> None:
    assert shell.out("get", "mesh", "default", "-o", "yaml") == (
        'creationTime: "2026-01-01T00:00:00Z"\n'
        "kri: kri_m____default_\n"
        'modificationTime: "2026-01-01T00:00:00Z"\n'
        "name: default\n"
        "type: Mesh\n"
    )


def test_many_as_json(api: RunningApi, shell: Shell) -> None:
    assert shell.out("get", "meshes", "-ojson") == (
        "{\n"
        '  "total": 1,\n'
        '  "items": [\n'
        "    {\n"
        '      "type": "Mesh",\n'
        '      "name": "default",\n'
        '      "creationTime": "2026-01-01T00:00:00Z",\n'
        '      "modificationTime": "2026-01-01T00:00:00Z",\n'
        '      "kri": "kri_m____default_"\n'
        "    }\n"
        "  ],\n"
        '  "next": null\n'
        "}\n"
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["mesh", "nope"], 'there is no Mesh "nope"'),
        (["meshtimeout", "nope"], 'there is no MeshTimeout "nope" in mesh "default"'),
        (["meshtimeouts", "-m", "nope"], 'there is no mesh "nope", see kumactl get meshes'),
        (["dataplanez"], 'unknown type of resource "dataplanez", did you mean "dataplane"?'),
        (["xyz"], 'unknown type of resource "xyz"'),
        (
            ["meshes", "--size=1001"],
            (
                "Could not retrieve resources (Invalid page size)\n"
                "* size: invalid page size of 1001. Maximum page size is 1000"
            ),
        ),
    ],
)
def test_what_is_not_there_is_told(
    arguments: list[str], problem: str, api: RunningApi, shell: Shell
) -> None:
    assert shell.run("get", *arguments).problem == problem


def test_the_mesh_of_the_context_is_used(api: RunningApi, shell: Shell) -> None:
    api.add(a_mesh("payments"), a_dataplane("dp-1", mesh="payments"))
    text = shell.file.read_text()
    shell.file.write_text(
        text.replace("  name: test\n", "  name: test\n  defaults: {mesh: payments}\n", 1)
    )
    assert "dp-1" in shell.out("get", "dataplanes")
    assert "dp-1" not in shell.out("get", "dataplanes", "-m=default")


def test_one_is_deleted(api: RunningApi, shell: Shell) -> None:
    api.add(a_mesh("m-1"))
    assert shell.out("delete", "mesh", "m-1") == 'deleted Mesh "m-1"\n'
    assert api.names(MESH.name) == {"default"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["mesh", "nope"], 'there is no Mesh "nope"'),
        (["foo", "x"], 'unknown type of resource "foo"'),
        (["dataplane-insights", "x"], "DataplaneInsight can only be read, the control plane "),
    ],
)
def test_what_cannot_be_deleted_is_told(
    arguments: list[str], problem: str, api: RunningApi, shell: Shell
) -> None:
    assert shell.run("delete", *arguments).problem.startswith(problem)
