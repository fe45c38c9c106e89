"""Everything that the API is made of, in one value that the composition root fills in."""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from kuma.api.ports import Insights, Inspector, InstanceFacts
from kuma.config.control_plane import ControlPlaneSettings
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import TokenIssuer
from kuma.kit.clock import Clock
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.resources.writer import Writer


@dataclass(frozen=True)
class ApiDependencies:
    """`metrics` is what the diagnostics port shows; one API may be built on it, not two."""

    replica: Replica
    writer: Writer
    registry: Registry
    settings: ControlPlaneSettings
    clock: Clock
    issuer: TokenIssuer
    validator: TokenValidator
    inspector: Inspector
    insights: Insights
    facts: InstanceFacts
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)
