"""What the control plane writes into the status of every kind of service: its names and addresses.

Source: https://kuma.io/docs/2.14.x/networking/hostnamegenerator
"""

from collections.abc import Mapping
from dataclasses import replace

from kuma.resources.kinds.conditions import Condition
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel, StringMap


class HostnameGeneratorRef(SpecModel):
    core_name: str
    """Name of the HostnameGenerator."""


class ServiceAddress(SpecModel):
    hostname: str = ""
    """Name by which applications call the service."""
    origin: str = ""
    """What made the name: `HostnameGenerator`."""
    hostname_generator_ref: HostnameGeneratorRef | None = None
    """The HostnameGenerator that made the name."""


class HostnameGeneratorStatus(SpecModel):
    hostname_generator_ref: HostnameGeneratorRef
    """The HostnameGenerator."""
    conditions: tuple[Condition, ...] | None = None
    """What became of its name for this service."""


class Vip(SpecModel):
    ip: str = ""
    """The virtual address."""


class MatchLabels(SpecModel):
    """Selects by labels: whatever has them all; without any, everything."""

    match_labels: StringMap | None = None
    """The labels."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == text for key, text in self.match_labels or ())


def vips_of(resource: AnyResource) -> tuple[str, ...]:
    """The virtual addresses of a service; some kinds of service have one at most."""
    held = getattr(resource.status, "vips", None) or (getattr(resource.status, "vip", None),)
    return tuple(each.ip for each in held if each is not None and each.ip)


def with_vip(resource: AnyResource, address: str) -> AnyResource:
    """The service with this virtual address alone."""
    assert resource.kind.status is not None  # every kind of service has one
    status, vip = resource.status or resource.kind.status(), Vip(ip=address)
    has_several = "vips" in type(status).model_fields
    return replace(
        resource,
        status=status.model_copy(update={"vips": (vip,)} if has_several else {"vip": vip}),
    )
