"""Which of the proxy's metrics are passed on: profiles, then what is excluded, then what is included.

Source: Kuma's profile Basic, which has what its dashboards and the golden signals need, and leaves out
what is about Envoy's own listeners and clusters.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Selects = Callable[[str], bool]

_BASIC = re.compile(
    r"^envoy_server|^envoy_control_plane|^envoy_dns_filter|^envoy_dns_cares|^kuma_dp_dns"
    r"|^envoy_cluster_membership_(?:degraded|healthy|total)$"
    r"|rq_time|cx_length_ms|cx_count|_rq|bytes|timeout|health_check|lb_healthy_panic|cx_destroy|error"
    r"|fail|reset|eject|overflow|cancelled|max_duration_reached|no_cluster|no_route|no_filter_chain"
    r"|reject|denied|days_until_first_cert_expiring|rbac|cx_active|cx_connect|circuit_breakers"
    r"|cx_total|ssl_handshake|ssl_context_update_by_sds"
)
_OWN = re.compile(
    r"(?:^|,)\s*envoy_(?:cluster_name|http_conn_manager_prefix|listener_address)\s*=\s*"
    r'"(?:_|system_|tracing|meshtrace_|ads_cluster"|access_log_sink"|kuma_envoy_admin"'
    r'|kuma:envoy:admin"|kuma_metrics_hijacker"|kuma_readiness"|admin")'
)


@dataclass(frozen=True)
class Selection:
    """`hides_own`: also series of what is chosen, if they are about Envoy's own traffic."""

    profile: Selects
    exclude: tuple[Selects, ...]
    include: tuple[Selects, ...]
    hides_own: bool

    def has(self, family: str) -> bool:
        if any(selects(family) for selects in self.include):
            return True
        if any(selects(family) for selects in self.exclude):
            return False
        return self.profile(family)

    def has_series(self, labels: str) -> bool:
        """`labels` as they are written."""
        return not self.hides_own or _OWN.search(labels) is None


def parse_selection(profiles: Mapping[str, Any]) -> Selection:
    """Raises ValueError for a selector that cannot be. All has all that Basic has, Basic all of None."""
    named = {each["name"] for each in profiles.get("appendProfiles") or ()} or {"Basic"}
    is_basic = "All" not in named and "Basic" in named
    return Selection(
        profile=_is_basic if is_basic else lambda _: "All" in named,
        exclude=tuple(map(_selector, profiles.get("exclude") or ())),
        include=tuple(map(_selector, profiles.get("include") or ())),
        hides_own=is_basic,
    )


def _is_basic(name: str) -> bool:
    return _BASIC.search(name) is not None


def _selector(told: Mapping[str, str]) -> Selects:
    wanted = told["match"]
    match told["type"]:
        case "Prefix":
            return lambda name: name.startswith(wanted)
        case "Exact":
            return lambda name: name == wanted
        case "Contains":
            return lambda name: wanted in name
        case "Regex":
            return _regex(wanted)
        case other:
            raise ValueError(f"there are no selectors of type {other}")


def _regex(wanted: str) -> Selects:
    """With RE2, in whose words it was written, and which is quick whatever it is given."""
    import re2

    try:
        compiled = re2.compile(wanted)
    except re2.error as error:
        raise ValueError(f"{wanted} is no regular expression") from error
    return lambda name: compiled.search(name) is not None
