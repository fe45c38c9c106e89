"""May this caller do that? The static rules of the settings: users and groups by action.

Only what is in `Action` is protected; reading and writing ordinary resources is open to everybody
who can reach the API, as in Kuma. Source: reference 2.5.
"""

from enum import StrEnum

from kuma.api.caller import Caller
from kuma.api.errors import AccessDenied
from kuma.config.access import AdminsOnly, Everybody, StaticAccess
from kuma.kit.value import value


class Action(StrEnum):
    """The value is how the action is named in an answer that refuses it."""

    ADMIN_RESOURCES = "the resource of type"
    DATAPLANE_TOKEN = "generate dataplane token"  # noqa: S105 - what one does, not a secret
    ZONE_TOKEN = "generate zone token"  # noqa: S105
    USER_TOKEN = "generate user token"  # noqa: S105
    CONFIG_DUMP = "config dump"
    STATS = "stats"
    CLUSTERS = "clusters"
    CONTROL_PLANE_METADATA = "control-plane metadata"


@value
class _Grant:
    users: frozenset[str]
    groups: frozenset[str]

    def covers(self, caller: Caller) -> bool:
        return caller.name in self.users or not self.groups.isdisjoint(caller.groups)


class Access:
    def __init__(self, settings: StaticAccess) -> None:
        self._grants = {
            Action.ADMIN_RESOURCES: _grant(settings.admin_resources),
            Action.DATAPLANE_TOKEN: _grant(settings.generate_dp_token),
            Action.ZONE_TOKEN: _grant(settings.generate_zone_token),
            Action.USER_TOKEN: _grant(settings.generate_user_token),
            Action.CONFIG_DUMP: _grant(settings.view_config_dump),
            Action.STATS: _grant(settings.view_stats),
            Action.CLUSTERS: _grant(settings.view_clusters),
            Action.CONTROL_PLANE_METADATA: _grant(settings.control_plane_metadata),
        }

    def check(self, caller: Caller, action: Action, *, of: str = "") -> None:
        """`of` says more closely what the action would touch. Raises AccessDenied."""
        if not self._grants[action].covers(caller):
            what = f"{action} {of}" if of else str(action)
            raise AccessDenied(f'user "{caller}" cannot access {what}')


def _grant(settings: AdminsOnly | Everybody) -> _Grant:
    return _Grant(frozenset(settings.users), frozenset(settings.groups))
