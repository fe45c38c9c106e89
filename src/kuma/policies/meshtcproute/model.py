"""MeshTCPRoute as users write it, a single rule for each destination."""

from typing import Annotated

from kuma.resources.spec import Items, SpecModel
from kuma.resources.target_ref import BackendRef, TargetRef


class TcpRouteConf(SpecModel):
    backend_refs: tuple[BackendRef, ...] | None = None
    """Where connections go, by weight."""


class Rule(SpecModel):
    """Also what is left after merging."""

    default: TcpRouteConf
    """What happens to the connections."""


class To(SpecModel):
    target_ref: TargetRef
    """The service that is called, of any kind."""
    rules: Annotated[tuple[Rule, ...], Items(maximum=1)]
    """At most one. Left out: connections go to the target."""

    @property
    def default(self) -> Rule:
        """Without a rule, traffic goes to the target itself."""
        if self.rules:
            return self.rules[0]
        target = self.target_ref.model_dump(exclude_none=True)
        return Rule(default=TcpRouteConf(backend_refs=(BackendRef.model_validate(target),)))


class MeshTCPRouteSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that make the calls. Left out: all of the mesh."""
    to: Annotated[tuple[To, ...], Items(minimum=1)] | None = None
    """The calls."""
