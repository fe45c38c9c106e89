"""KRI: the identifier of a resource that stays the same in every zone and store.

    kri_<short>_<mesh>_<zone>_<namespace>_<display name>_<section>      kri_dp_default_east__api-1_http

Parts that do not apply stay empty. Kinds without a short name have no KRI; an overview has the one of
the resource that it shows.
"""

from collections.abc import Iterable
from dataclasses import replace

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.kind import AnyKind
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource


class InvalidKri(ValueError):
    """The text is no KRI; the message says why."""


@value
class Kri:
    short: str
    mesh: str
    zone: str
    namespace: str
    name: str
    section: str = ""

    def __str__(self) -> str:
        parts = (self.short, self.mesh, self.zone, self.namespace, self.name, self.section)
        return "_".join(("kri", *parts))

    def with_section(self, section: str) -> "Kri":
        return replace(self, section=section)


def kri_of(resource: AnyResource) -> Kri | None:
    """None: resources of this kind have no KRI."""
    if not resource.kind.short:
        return None
    return Kri(
        short=resource.kind.short,
        mesh=resource.mesh,
        zone=resource.labels.get(well_known.ZONE, ""),
        namespace=resource.labels.get(well_known.K8S_NAMESPACE, ""),
        name=resource.display_name,
    )


def build_sni(kri: Kri) -> str:
    """`sni.msvc.default.east.api.http`: the server name of a section of a destination. A namespace
    is part of it only beside a zone."""
    place = (kri.zone, kri.namespace) if kri.zone and kri.namespace else (kri.zone,)
    parts = ("sni", kri.short, kri.mesh, *filter(None, place), kri.name, kri.section)
    return ".".join(parts)


def parse_kri(text: str) -> Kri:
    """Raises InvalidKri."""
    parts = text.split("_")
    if len(parts) < 7:
        msg = f'invalid identifier string: "{text}"'
        raise InvalidKri(msg)
    if parts[0] != "kri":
        msg = f"identifier must start with 'kri': \"{text}\""
        raise InvalidKri(msg)
    short, mesh, zone, namespace, name, *section = parts[1:]
    return Kri(short, mesh, zone, namespace, name, "_".join(section))


def kind_of(kri: Kri, registry: Registry) -> AnyKind:
    """Raises InvalidKri for an unknown short name."""
    kind = registry.find_by_short(kri.short)
    if kind is None:
        msg = f'unknown short name of resource type: "{kri.short}"'
        raise InvalidKri(msg)
    return kind


def find_by_kri(kri: Kri, registry: Registry, replica: Replica) -> AnyResource | None:
    """The resource, whatever the section. Raises InvalidKri for an unknown short name."""
    kind = kind_of(kri, registry)
    wanted = replace(kri, section="")
    candidates: Iterable[AnyResource] = replica.list(kind, kri.mesh)
    return next((each for each in candidates if kri_of(each) == wanted), None)
