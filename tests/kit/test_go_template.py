"""The part of Go's templates that resources use."""

import pytest

from kuma.kit.go_template import BadTemplate, parse_template

FIELDS = {"Mesh": "default", "Zone": "east", "Name": ""}
LABELS = {"team": "a", "k8s.io/x": ""}


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{ .Mesh }}.{{.Zone}}.mesh.local", "default.east.mesh.local"),
        ('/{{ label "team" }}/{{label `k8s.io/x`}}', "/a/"),
        ("a  {{- .Zone -}}  b", "aeastb"),
        ("a {{/* not this */}}b", "a b"),
        ("{{ .Name }}}", "}"),
        ("}} {", "}} {"),
    ],
)
def test_a_template_is_rendered(text: str, rendered: str) -> None:
    assert parse_template(text).render(FIELDS, LABELS) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ .Mesh", "unclosed action"),
        ("{{ .Mesh {{ .Zone }}", "is not supported"),
        ("{{ }}", "missing value for command"),
        ("{{ if .Mesh }}x{{ end }}", "if .Mesh }} is not supported"),
        ("{{ .Mesh | upper }}", "is not supported"),
        ("{{ label team }}", "is not supported"),
        ("{{ .Nope }}", "there is no field .Nope; there are .Mesh, .Zone, .Name"),
    ],
)
def test_what_is_not_part_of_it_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadTemplate, match=message.replace("|", r"\|")):
        parse_template(text, fields=FIELDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{{ .Nope }}", "there is no field .Nope"), ('{{ label "x" }}', "label x not found")],
)
def test_what_is_not_there_is_an_error(text: str, message: str) -> None:
    with pytest.raises(BadTemplate, match=message):
        parse_template(text).render(FIELDS, LABELS)


def test_a_template_tells_what_it_asks_for() -> None:
    template = parse_template('{{ .Mesh }}{{ label "team" }}{{ .Mesh }}')
    assert template.fields == {"Mesh"}
    assert template.labels == {"team"}
