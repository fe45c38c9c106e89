import json
from pathlib import Path

import pytest

from kuma.dataplane.definition import read_definition
from kuma.dataplane.errors import BadDefinition
from kuma.dataplane.log import Log
from kuma.dataplane.options import DefinitionOptions, ProxyType

SILENT = Log(write=lambda _line: None)


def read(text: str, proxy_type: ProxyType = ProxyType.DATAPLANE, **variables: str) -> object:
    options = DefinitionOptions(text=text, variables=variables)
    found = read_definition(options, proxy_type, SILENT)
    assert found is not None
    return found.mesh, found.name, json.loads(found.resource)


def test_a_template_becomes_a_resource() -> None:
    text = "{type: Dataplane, mesh: default, name: '{{ name }}', labels: {version: 2024-01-01}}"
    mesh, name, resource = read(text, name="redis")  # type: ignore[misc]
    assert (mesh, name) == ("default", "redis")
    assert resource["labels"] == {"version": "2024-01-01"}, "a date stays text: JSON has none"


def test_json_is_yaml() -> None:
    resource = {"type": "Dataplane", "mesh": "default", "name": "redis"}
    assert read(json.dumps(resource)) == ("default", "redis", resource)


def test_zone_proxies_have_no_mesh() -> None:
    mesh, name, _ = read("{type: ZoneIngress, name: in}", ProxyType.INGRESS)  # type: ignore[misc]
    assert (mesh, name) == ("", "in")


def test_nothing_given_means_that_it_exists_already() -> None:
    assert read_definition(DefinitionOptions(), ProxyType.DATAPLANE, SILENT) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\n mesh: y", "--dataplane: line 2, column 6: mapping values are not allowed"),
        ("a: b: c", "--dataplane: line 1, column 5: mapping values are not allowed"),
        ("- a", "must be one resource"),
        ("{type: Mesh, name: x}", 'type: is "Mesh", but --proxy-type dataplane needs a Dataplane'),
        ("{type: Dataplane, name: 1}", "name: must be a string, put 1 in quotes"),
        ("{type: Dataplane, mesh: m}", "name: must be set"),
        ("{type: Dataplane, name: x}", "mesh: must be set"),
        ("name: {{ name }}", 'line 1: variable "name" has no value'),
        ("  \n", "--dataplane: is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        read(text)
    assert said in str(caught.value)


def test_an_unused_variable_is_warned_of() -> None:
    lines: list[str] = []
    text = "{type: Dataplane, mesh: m, name: n}"
    options = DefinitionOptions(text=text, variables={"port": "1"})
    read_definition(options, ProxyType.DATAPLANE, Log(write=lines.append))
    assert "variable=port" in lines[0]


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dp.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadDefinition, match="is not UTF-8 text"):
        read_definition(DefinitionOptions(path=str(path)), ProxyType.DATAPLANE, SILENT)
