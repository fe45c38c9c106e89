"""Go's templates, as far as resources use them. What comes out, and what is refused, is what Go's own
templates make of the same text, but for what nobody has a use for: fractions, the data as a whole."""

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
        ("a {{- /* nor this */ -}} b", "ab"),
        ("{{ .Name }}}", "}"),
        ("}} {", "}} {"),
        ('{{ "}}" }}', "}}"),
        ("{{ $.Mesh }}", "default"),
        ("{{ $x := 1 }}{{ print $x .Mesh }}{{ html nil `a` }}", "1default&lt;no value&gt;a"),
        ("{{ .Mesh | printf `%.3s` }}", "def"),
        ("{{ printf `%s-%d-%v-%q` .Mesh 7 true `x` }}", 'default-7-true-"x"'),
        ("{{ printf `%5s|%-5s|%05d|%+d|%x|%X|%c|%%` `a` `b` 42 7 255 `hi` 'c' }}",
         "    a|b    |00042|+7|ff|6869|c|%"),
        ("{{ printf `%d` `a` }}{{ printf `%s` }}{{ printf `x` 1 }}",
         "%!d(string=a)%!s(MISSING)x%!(EXTRA int=1)"),
        ("{{ print 1 2 `a` `b` 3 }}{{ println `a` 1 }}", "1 2ab3a 1\n"),
        ("{{ if .Name }}x{{ else if eq .Zone `west` `east` }}y{{ else }}z{{ end }}", "y"),
        ("{{ if and .Mesh (not .Name) }}x{{ end }}", "x"),
        ("{{ or .Name .Zone }}{{ and .Mesh .Name }}{{ .Name | or .Name }}", "east"),
        ("{{ with .Zone }}{{ . }}{{ $.Mesh }}{{ end }}{{ with .Name }}no{{ else }}none{{ end }}",
         "eastdefaultnone"),
        ("{{ with .Name }}no{{ else with .Zone }}{{ . }}{{ end }}", "east"),
        ("{{ $a := .Zone }}{{ if true }}{{ $a = `b` }}{{ $c := 1 }}{{ end }}{{ $a }}", "b"),
        ("{{ len .Mesh }}{{ slice .Mesh 1 3 }}{{ slice .Zone 2 }}{{ index .Zone 0 }}", "7efst101"),
        ("{{ lt 1 2 }}{{ ge `a` `b` }}{{ ne .Mesh .Zone }}{{ gt 2 1 }}{{ le 1 1 }}",
         "truefalsetruetruetrue"),
        ("{{ html `<a>` }}{{ js `'` }}{{ urlquery `a b/` }}", "&lt;a&gt;\\'a+b%2F"),
        ("{{ `a` | printf `%s%s` `b` | len }}", "2"),
        (r'{{ "a\tA\\\"" }}', 'a\tA\\"'),
        ("{{ 0x10 }}{{ -3 }}{{ 'a' }}{{ true }}", "16-397true"),
    ],
)  # fmt: skip
def test_a_template_is_rendered(text: str, rendered: str) -> None:
    assert parse_template(text).render(FIELDS, LABELS) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ .Mesh", "unclosed action"),
        ("{{ .Mesh {{ .Zone }}", "unexpected '{' in an action"),
        ("{{ .Mesh .Zone }}", ".Mesh is no function and takes no arguments"),
        ("{{ }}", "missing value for command"),
        ("{{ .Mesh | }}", "missing value for command"),
        ("{{ .Mesh | upper }}", 'function "upper" not defined; there are and, eq, ge'),
        ("{{ .Mesh | .Zone }}", "takes no arguments"),
        ("{{ label .Mesh }}", 'label is not supported other than with one text: label "key"'),
        ("{{ label `a` `b` }}", "label is not supported other"),
        ("{{ `a` | label }}", "label is not supported other"),
        ("{{ .Nope }}", "there is no field .Nope; there are .Mesh, .Zone, .Name"),
        ("{{ if .Nope }}{{ end }}", "there is no field .Nope"),
        ("{{ if .Mesh }}", "{{if}} has no {{end}}"),
        ("{{ if .Mesh }}{{ else }}{{ else }}{{ end }}", "{{if}} has no {{end}}"),
        ("{{ if }}x{{ end }}", "missing value for command"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ else }}", "unexpected {{else}}"),
        ("{{ $x }}", 'undefined variable "$x"'),
        ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 'undefined variable "$x"'),
        ("{{ $x = 1 }}", 'undefined variable "$x"'),
        ("{{ (.Mesh }}", "unclosed left paren"),
        ("{{ .Mesh) }}", "takes no arguments"),
        ("{{ nil }}", "nil is not a command"),
        ("{{ 1.5 }}", "1.5 is no integer"),
        ("{{ 99999999999999999999 }}", "is no integer, or too long"),
        ("{{ range .Mesh }}{{ end }}", "{{ range }} is not supported"),
        ('{{ template "x" }}', "{{ template }} is not supported"),
        ("{{ 'ab' }}", "malformed character constant"),
        (r'{{ "\uZZ" }}', "there is no escape"),
        ("{{ (" * 1 + "(" * 5000 + ")" * 5000 + ") }}", "is nested too deeply"),
        ("{{ if true }}" * 5000, "is nested too deeply"),
    ],
)
def test_what_is_no_template_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadTemplate) as raised:
        parse_template(text, fields=FIELDS)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ .Nope }}", "there is no field .Nope"),
        ('{{ label "x" }}', "label x not found"),
        ("{{ .Mesh.Zone }}", "can't evaluate field Zone in a text"),
        ("{{ with .Mesh }}{{ .Zone }}{{ end }}", "can't evaluate field Zone in a text"),
        ("{{ . }}", "the data as a whole is no text"),
        ("{{ eq 1 `a` }}", "incompatible types for comparison"),
        ("{{ eq }}", "wrong number of arguments"),
        ("{{ eq 1 }}", "missing argument for comparison"),
        ("{{ lt true false }}", "invalid type for comparison"),
        ("{{ lt 1 `a` }}", "incompatible types for comparison"),
        ("{{ and }}", "wrong number of arguments for and"),
        ("{{ not }}", "wrong number of arguments: want 1, got 0"),
        ("{{ len 1 }}", "len of type int"),
        ("{{ index .Mesh 9 }}", "index out of range: 9"),
        ("{{ index nil }}", "index of untyped nil"),
        ("{{ index 1 1 }}", "can't index item of type int"),
        ("{{ index .Mesh `a` }}", "cannot index slice/array with type string"),
        ("{{ slice .Mesh 3 1 }}", "invalid slice index: 3 > 1"),
        ("{{ slice .Mesh 1 2 3 }}", "cannot 3-index slice a string"),
        ("{{ slice 1 }}", "can't slice item of type int"),
        ("{{ printf 1 }}", "wrong type for value of printf: expected string, got int"),
        ("{{ printf `%9999s%9999s` `` `` }}", "gives more than 4096 characters"),
        ("{{ $a := printf `%999s` `` }}" + "{{ $a = print $a $a }}" * 60, "gives more than 4096"),
        ("{{ printf `%999s` `` }}" * 60, "gives more than 4096 characters"),
    ],
)
def test_what_cannot_be_rendered_is_an_error(text: str, message: str) -> None:
    with pytest.raises(BadTemplate) as raised:
        parse_template(text).render(FIELDS, LABELS)
    assert message in str(raised.value)


def test_a_template_tells_what_it_asks_for() -> None:
    template = parse_template('{{ .Mesh }}{{ label "team" }}{{ .Mesh }}')
    assert (template.fields, template.labels) == ({"Mesh"}, {"team"})
    assert not template.is_conditional

    branching = parse_template("{{ if $.Name }}{{ printf `%s` (label `a`) }}{{ end }}{{ .Zone }}")
    assert (branching.fields, branching.labels) == ({"Name", "Zone"}, {"a"})
    assert branching.is_conditional
    assert parse_template("{{ or .Name .Zone }}").is_conditional
