"""Warnings about what is accepted still, in Kuma's words."""

from collections.abc import Iterator, Sequence

from kuma.policies.deprecations import deprecated_target
from kuma.policies.meshratelimit.model import (
    From,
    MeshRateLimitSpec,
    RateLimitConf,
    Rule,
    To,
)
from kuma.resources.resource import Resource

LOWEST_STATUS = 400


def deprecated_limits(resource: Resource[MeshRateLimitSpec]) -> tuple[str, ...]:
    spec = resource.spec
    lists: dict[str, Sequence[From | Rule | To]] = {
        "from": spec.from_ or (),
        "rules": spec.rules or (),
        "to": spec.to or (),
    }
    return (
        *(("'from' field is deprecated, use 'rules' instead",) if spec.from_ else ()),
        *(
            warning
            for name, items in lists.items()
            for index, item in enumerate(items)
            for warning in _status(f"spec.{name}[{index}].default", item.default)
        ),
        *deprecated_target(spec.target_ref),
    )


def _status(path: str, conf: RateLimitConf) -> Iterator[str]:
    http = conf.local.http if conf.local is not None else None
    limited = http.on_rate_limit if http is not None else None
    if limited is not None and limited.status is not None and limited.status < LOWEST_STATUS:
        yield (
            f"'{path}.local.http.requestRate.status' must be 400 or higher. "
            "Please update your configuration."
        )
