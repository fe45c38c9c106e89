"""The last step: what was made for a proxy, resource by resource, with its purpose.

    plan -> parts -> Made(purpose, resource) -> Shaper.finish -> Finished

For policies that are about Envoy's resources rather than about a part of a plan. Each resource is
finished alone, so that proxies that share a resource and a policy share the result.
"""

from enum import StrEnum

from kuma.envoy.snapshot import EnvoyResource
from kuma.kit.value import value
from kuma.plan.proxy import Diagnostic


class Purpose(StrEnum):
    """What a resource is for, in Kuma's words: the `origin` in matches of MeshProxyPatch."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    ADMIN = "admin"
    SECRETS = "secrets"
    SPIRE = "mesh-identity-spire"
    TRANSPARENT = "transparent"
    DIRECT_ACCESS = "direct-access"
    MESH_PASSTHROUGH = "meshpassthrough"
    TRACE = "mesh-trace"
    PROMETHEUS = "prometheus"
    OPEN_TELEMETRY = "open-telemetry"
    DYNAMIC_CONFIG = "dynamic-config"
    ADDED_CLUSTER = "proxy-template-modifications"
    ADDED_LISTENER = "mesh-proxy-patch"


@value
class Made:
    purpose: str
    resource: EnvoyResource


@value
class Finished:
    """`made`: what there is instead; nothing if it was removed. `problems`: what could not be done."""

    made: tuple[Made, ...]
    problems: tuple[Diagnostic, ...] = ()
