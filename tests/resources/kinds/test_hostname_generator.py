"""What a HostnameGenerator accepts, and which names it makes."""

from typing import Any

import pytest

from kuma.kit.go_template import BadTemplate
from kuma.resources.kinds.hostname_generator import (
    HOSTNAME_GENERATOR,
    HostnameGeneratorSpec,
    hostname_of,
)
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from tests.resources.claims import Found, find_violations
from tests.support.builders import a_resource

TEMPLATE = "{{ .DisplayName }}.mesh.local"
NO_NAME = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NO_FIELD = "there is no field .Nobody; there are .Name, .DisplayName, .Namespace, .Mesh, .Zone"
ONE_SELECTOR = (
    "exactly one selector (meshService, meshExternalService, meshMultiZoneService) must be defined"
)


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": {"selector": {"meshService": {}}, "template": TEMPLATE, **fields}}


@pytest.mark.parametrize(
    "document",
    [
        spec(),
        spec(selector={"meshExternalService": {"matchLabels": {"kuma.io/origin": "zone"}}}),
        spec(selector={"meshMultiZoneService": {"matchLabels": {}}}),
        spec(template='{{ label "a/b" }}.{{ .Name }}.{{ .Namespace }}.{{ .Mesh }}.{{ .Zone }}'),
        spec(template="fixed"),
        spec(template='{{ with label "team" }}{{ . }}{{ else }}none{{ end }}.{{ .Mesh }}'),
    ],
)
def test_a_valid_generator_is_accepted(document: dict[str, Any]) -> None:
    assert find_violations(HOSTNAME_GENERATOR, document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"spec": {}}, [("spec.template", "must be defined")]),
        (spec(selector={}), [("spec.selector", ONE_SELECTOR)]),
        (
            spec(selector={"meshService": {}, "meshExternalService": {}}),
            [("spec.selector", ONE_SELECTOR)],
        ),
        (spec(selector={"meshTimeout": {}}), [("spec.selector.meshTimeout", "unknown field")]),
        (
            spec(selector={"meshService": {"matchLabels": {"a": 1}}}),
            [('spec.selector.meshService.matchLabels["a"]', "must be a string")],
        ),
        (spec(template=""), [("spec.template", "must not be empty")]),
        (
            spec(template="{{ .Nobody }}"),
            [("spec.template", f"couldn't parse template: {NO_FIELD}")],
        ),
        (
            spec(template="{{ .Name "),
            [("spec.template", "couldn't parse template: unclosed action: {{ has no }}")],
        ),
        (
            spec(template="{{ slice .Mesh 9 }}.x"),
            [
                (
                    "spec.template",
                    "couldn't render template with stub values: index out of range: 9",
                )
            ],
        ),
        (
            spec(template="A_{{ .Name }}"),
            [
                (
                    "spec.template",
                    f'template renders to "A_name" which is not a valid DNS name: {NO_NAME}',
                )
            ],
        ),
        (
            spec(extension={"type": "x", "config": {"a": 1}}),
            [
                (
                    "spec.extension",
                    "is not supported by this version (extensions of HostnameGenerator)",
                )
            ],
        ),
        (spec(extension={}), [("spec.extension.type", "must be defined")]),
    ],
)
def test_a_wrong_generator_is_refused(document: dict[str, Any], expected: Found) -> None:
    assert find_violations(HOSTNAME_GENERATOR, document) == expected


LABELS = {
    "kuma.io/display-name": "api",
    "kuma.io/zone": "east",
    "k8s.kuma.io/namespace": "shop",
    "team": "blue",
}


@pytest.mark.parametrize(
    ("template", "labels", "expected"),
    [
        ("{{ .DisplayName }}.{{ .Namespace }}.svc.{{ .Zone }}", LABELS, "api.shop.svc.east"),
        ('{{ .Name }}.{{ .Mesh }}.{{ label "team" }}', LABELS, "api-x.default.blue"),
        ("{{ .DisplayName }}.{{ .Zone }}", {}, "api-x.here"),
        ('{{ if eq .Zone "east" }}fast{{ end }}.{{ .Mesh | slice }}', LABELS, "fast.default"),
    ],
)
def test_a_name_is_made_of_what_is_known_of_the_service(
    template: str, labels: dict[str, str], expected: str
) -> None:
    service = a_resource(MESH_SERVICE, "api-x", {}, labels=labels)
    parsed = HostnameGeneratorSpec(template=template).parse()

    assert hostname_of(parsed, service, "here") == expected


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ('{{ label "nobody" }}', "label nobody not found"),
        (
            "{{ .DisplayName }}..{{ .Zone }}",
            f'generated hostname "api..here" is not a valid DNS name: {NO_NAME}',
        ),
    ],
)
def test_a_service_may_not_fit_a_template(template: str, problem: str) -> None:
    service = a_resource(MESH_SERVICE, "api", {})

    with pytest.raises(BadTemplate) as raised:
        hostname_of(HostnameGeneratorSpec(template=template).parse(), service, "here")

    assert str(raised.value) == problem
