"""What the control plane writes into the status of every kind of service: its names and addresses.

Source: https://kuma.io/docs/2.14.x/networking/hostnamegenerator
"""

from collections.abc import Mapping
from enum import StrEnum

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


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(SpecModel):
    type: str
    """What the condition is about: `Generated`."""
    status: ConditionStatus
    """Whether it holds."""
    reason: str
    """One word for the cause."""
    message: str = ""
    """The cause, for people."""


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
