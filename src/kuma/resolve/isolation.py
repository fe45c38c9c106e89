"""Policies' parts of resolution, each so that what it raises costs that policy and nothing else.

The counterpart of `envoy/isolation.py`. A policy whose part fails says nothing; where saying nothing
would open what it closes, the strictest is said instead. See docs/decisions/004.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from kuma.plan.endpoint import Preference
from kuma.plan.failure import LEFT_OUT, STRICT, Failure, told
from kuma.plan.tls import TlsMode
from kuma.resolve.placement import Placement, TlsTerms

_OTHERWISE: Mapping[str, Any] = {
    "preference": Preference(),
    "tls": TlsTerms(mode=TlsMode.STRICT),
    "tcp_backends": None,
    "matches_sockets": False,
}
"""What a part that fails says, where that is not an empty tuple."""

_PARTS = {
    "on_inbound": "inbounds",
    "on_proxy": "the proxy",
    "on_reporter": "the proxy",
    "preference": "the choice of endpoints",
    "asked_tags": "the choice of endpoints",
    "tls": "mutual TLS",
    "http_routes": "routes",
    "tcp_backends": "routes",
    "rule_hashes": "routes",
    "matches_sockets": "endpoints",
}
"""`on_passthrough` is not one: without what it says traffic might get out that should not. A proxy on
which it fails keeps the configuration that it has."""


def isolated(
    placements: Iterable[Placement], tell: Callable[[Failure], None]
) -> tuple[Placement, ...]:
    """`tell` hears of what failed, as often as it does."""
    return tuple(_isolated(each, tell) for each in placements)


def _isolated(placement: Placement, tell: Callable[[Failure], None]) -> Placement:
    parts = {name: getattr(placement, name) for name in _PARTS}
    guarded: dict[str, Any] = {
        name: _guarded(placement.name, name, part, tell)
        for name, part in parts.items()
        if part is not None
    }
    return replace(placement, **guarded)


def _guarded(
    kind: str, name: str, part: Callable[..., Any], tell: Callable[[Failure], None]
) -> Callable[..., Any]:
    @wraps(part)
    def attempt(*args: Any) -> Any:
        try:
            return part(*args)
        except Exception as error:
            outcome = STRICT if name == "tls" else LEFT_OUT
            tell(Failure(kind, _PARTS[name], told(error), outcome))
            return _OTHERWISE.get(name, ())

    return attempt
