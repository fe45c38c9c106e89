"""Who may do what is not open to everybody."""

from typing import Literal

from kuma.config.forms import Texts
from kuma.config.section import Section, section, setting

_ADMIN = ("mesh-system:admin",)
_EVERYBODY = ("mesh-system:unauthenticated", "mesh-system:authenticated")


class AdminsOnly(Section):
    users: Texts = setting(_ADMIN, "Users that may.")
    groups: Texts = setting(_ADMIN, "Groups that may.")


class Everybody(Section):
    users: Texts = setting((), "Users that may.")
    groups: Texts = setting(_EVERYBODY, "Groups that may.")


class StaticAccess(Section):
    admin_resources: AdminsOnly = section(AdminsOnly, "Read and write secrets.")
    generate_dp_token: AdminsOnly = section(AdminsOnly, "Generate dataplane tokens.")
    generate_user_token: AdminsOnly = section(AdminsOnly, "Generate user tokens.")
    generate_zone_token: AdminsOnly = section(AdminsOnly, "Generate zone tokens.")
    view_config_dump: Everybody = section(
        Everybody, "See the configuration of proxies.", env="KUMA_ACCESS_STATIC_GET_CONFIG_DUMP"
    )
    view_stats: Everybody = section(Everybody, "See the statistics of proxies.")
    view_clusters: Everybody = section(Everybody, "See the clusters of proxies.")
    control_plane_metadata: Everybody = section(
        Everybody, "See the settings and versions of the control plane."
    )


class AccessSettings(Section):
    type: Literal["static"] = setting("static", "How access is decided.")
    static: StaticAccess = section(StaticAccess, "Access by lists of users and groups.")
