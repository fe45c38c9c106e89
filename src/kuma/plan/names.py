"""The names of Envoy objects, all of them, in Kuma's legacy form.

Source: Kuma, reference on xDS names. People meet these names in Envoy's statistics and in
MeshProxyPatch, so they are an interface.
"""

import hashlib
from ipaddress import IPv6Address, ip_address

from kuma.plan.tags import Tags

ADMIN = "kuma:envoy:admin"
READINESS = "kuma:readiness"
ADS_CLUSTER = "ads_cluster"


def inbound_listener(address: str, port: int) -> str:
    return f"inbound:{_host(address)}:{port}"


def outbound_listener(address: str, port: int) -> str:
    return f"outbound:{_host(address)}:{port}"


def inbound_cluster(service_port: int) -> str:
    return f"localhost:{service_port}"


def inbound_route(service: str) -> str:
    return f"inbound:{service}"


def outbound_route(service: str) -> str:
    return f"outbound:{service}"


def destination(service: str, tags: Tags = (), *, of_mesh: str = "") -> str:
    """The cluster of a service; with a subset of tags, `<service>-<16 hex digits>`. `of_mesh` is
    given only for a mesh other than the proxy's own."""
    name = service
    if tags:
        text = "".join(f"{key}{tag}" for key, tag in sorted(tags))
        name = f"{service}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return f"{name}_{of_mesh}" if of_mesh else name


def identity_secret(mesh: str) -> str:
    return f"identity_cert:secret:{mesh}"


def ca_secret(mesh: str) -> str:
    return f"mesh_ca:secret:{mesh}"


def _host(address: str) -> str:
    try:
        return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    except ValueError:
        return address
