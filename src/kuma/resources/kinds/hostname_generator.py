"""HostnameGenerator: gives names to services, by a template.

Source: https://kuma.io/docs/2.14.x/networking/hostnamegenerator
"""

from collections.abc import Iterator
from typing import Any

from kuma.kit.go_template import BadTemplate, Template, parse_template
from kuma.resources import labels as well_known
from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.service_status import MatchLabels
from kuma.resources.match import find_subdomain_errors
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation

_FIELDS = ("Name", "DisplayName", "Namespace", "Mesh", "Zone")


class ServiceSelector(SpecModel):
    """Which services get a name: of one kind, those with all of the labels."""

    mesh_service: MatchLabels | None = None
    """MeshServices."""
    mesh_external_service: MatchLabels | None = None
    """MeshExternalServices."""
    mesh_multi_zone_service: MatchLabels | None = None
    """MeshMultiZoneServices."""

    def find(self, kind: str) -> MatchLabels | None:
        """The selector for a kind of service."""
        return {
            "MeshService": self.mesh_service,
            "MeshExternalService": self.mesh_external_service,
            "MeshMultiZoneService": self.mesh_multi_zone_service,
        }.get(kind)


class GeneratorExtension(SpecModel):
    type: str
    """Type of the extension."""
    config: Any = None
    """Configuration of the type."""


class HostnameGeneratorSpec(SpecModel):
    selector: ServiceSelector = ServiceSelector()
    """Which services get a name: exactly one kind of them."""
    template: str
    """The name: a text template of Go with `{{ .DisplayName }}`, `{{ .Name }}`, `{{ .Namespace }}`,
    `{{ .Mesh }}`, `{{ .Zone }}` and `{{ label "key" }}`."""
    extension: GeneratorExtension | None = None
    """Another way to make names. Not available."""

    def parse(self) -> Template:
        """Raises BadTemplate."""
        return parse_template(self.template, fields=_FIELDS)


def hostname_of(template: Template, service: AnyResource, zone: str) -> str:
    """The name of a service. `zone` is that of this control plane, for services that name none.
    Raises BadTemplate: a label is missing, or what comes out is no name."""
    labels = service.labels
    fields = {
        "Name": service.name,
        "DisplayName": service.display_name,
        "Namespace": labels.get(well_known.K8S_NAMESPACE, ""),
        "Mesh": service.mesh,
        "Zone": labels.get(well_known.ZONE) or zone,
    }
    hostname = template.render(fields, labels)
    if errors := find_subdomain_errors(hostname):
        text = f'generated hostname "{hostname}" is not a valid DNS name: {", ".join(errors)}'
        raise BadTemplate(text)
    return hostname


def _validate(resource: Resource[HostnameGeneratorSpec]) -> tuple[Violation, ...]:
    return tuple(_violations(resource.spec))


def _violations(spec: HostnameGeneratorSpec) -> Iterator[Violation]:
    selector = spec.selector
    kinds = (
        selector.mesh_service,
        selector.mesh_external_service,
        selector.mesh_multi_zone_service,
    )
    if sum(kind is not None for kind in kinds) != 1:
        known = "meshService, meshExternalService, meshMultiZoneService"
        yield Violation("spec.selector", f"exactly one selector ({known}) must be defined")
    if problem := _find_template_error(spec):
        yield Violation("spec.template", problem)
    if spec.extension is not None:
        message = "is not supported by this version (extensions of HostnameGenerator)"
        yield Violation("spec.extension", message)


def _find_template_error(spec: HostnameGeneratorSpec) -> str:
    """Tried with values that are names themselves, whatever the services will have."""
    if not spec.template:
        return "must not be empty"
    try:
        template = spec.parse()
    except BadTemplate as error:
        return f"couldn't parse template: {error}"
    fields = {name: name.lower() for name in _FIELDS}
    try:
        rendered = template.render(fields, dict.fromkeys(template.labels, "label"))
    except BadTemplate as error:
        return f"couldn't render template with stub values: {error}"
    if errors := find_subdomain_errors(rendered):
        return (
            f'template renders to "{rendered}" which is not a valid DNS name: {", ".join(errors)}'
        )
    return ""


HOSTNAME_GENERATOR = Kind(
    name="HostnameGenerator",
    plural="HostnameGenerators",
    display_plural="Hostname Generators",
    scope=Scope.GLOBAL,
    spec=HostnameGeneratorSpec,
    path="hostnamegenerators",
    argument="hostnamegenerator",
    short="hg",
    sync=Sync.GLOBAL_TO_ZONES | Sync.ZONE_TO_GLOBAL,
    validate=_validate,
)
