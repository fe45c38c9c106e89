"""Policies' parts of resolution, each so that what it raises costs that policy and nothing else.

The counterpart of `envoy/isolation.py`. A policy whose part fails says nothing; where saying nothing
would open what it closes, the strictest is said instead. See docs/decisions/004.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from kuma.plan.endpoint import Preference
from kuma.plan.failure import CLOSED, LEFT_OUT, STRICT, Failure, told
from kuma.plan.tls import TlsMode
from kuma.resolve.placement import Placement, TlsTerms

_OTHERWISE: Mapping[str, Any] = {
    "preference": Preference(),
    "tls": TlsTerms(mode=TlsMode.STRICT),
    "lets_in": True,
    "tcp_backends": None,
    "matches_sockets": False,
}
"""What a part that fails says, where that is not an empty tuple. `lets_in` only saves clients what they
could not call: whoever is reached denies it all the same."""

_PARTS = {
    "merge": "what several entries speak of",
    "on_inbound": "inbounds",
    "on_proxy": "the proxy",
    "on_reporter": "the proxy",
    "on_measured": "the proxy",
    "on_passthrough": "traffic out of the mesh",
    "preference": "the choice of endpoints",
    "asked_tags": "the choice of endpoints",
    "tls": "mutual TLS",
    "lets_in": "what may be reached",
    "http_routes": "routes",
    "tcp_backends": "routes",
    "rule_hashes": "routes",
    "matches_sockets": "endpoints",
}


def isolated(
    placements: Iterable[Placement], tell: Callable[[Failure], None]
) -> tuple[Placement, ...]:
    """`tell` hears of what failed, as often as it does."""
    return tuple(_isolated(each, tell) for each in placements)


def _isolated(placement: Placement, tell: Callable[[Failure], None]) -> Placement:
    parts = {name: getattr(placement, name) for name in _PARTS}
    guarded: dict[str, Any] = {
        name: _guarded(placement, name, part, tell)
        for name, part in parts.items()
        if part is not None
    }
    return replace(placement, **guarded)


def _guarded(
    placement: Placement, name: str, part: Callable[..., Any], tell: Callable[[Failure], None]
) -> Callable[..., Any]:
    outcome = _outcome(placement, name)

    @wraps(part)
    def attempt(*args: Any) -> Any:
        try:
            return part(*args)
        except Exception as error:
            tell(Failure(placement.name, _PARTS[name], told(error), outcome))
            return _OTHERWISE.get(name, ())

    return attempt


def _outcome(placement: Placement, name: str) -> str:
    if placement.on_passthrough is not None:
        return CLOSED
    return STRICT if name == "tls" else LEFT_OUT
