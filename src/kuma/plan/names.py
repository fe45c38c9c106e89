"""The names of Envoy objects, all of them, in Kuma's legacy form.

Source: Kuma, reference on xDS names. People meet these names in Envoy's statistics and in
MeshProxyPatch, so they are an interface.
"""

import hashlib
import re
from ipaddress import IPv6Address, ip_address

from kuma.plan.tags import Tags

ADMIN = "kuma:envoy:admin"
ADMIN_IDENTITY = "admin_cert:secret"
ADMIN_CA = "admin_ca:secret"
READINESS = "kuma:readiness"
ADS_CLUSTER = "ads_cluster"


def inbound_listener(address: str, port: int) -> str:
    return f"inbound:{_host(address)}:{port}"


def outbound_listener(address: str, port: int) -> str:
    return f"outbound:{_host(address)}:{port}"


def inbound_cluster(service_port: int) -> str:
    return f"localhost:{service_port}"


def inbound_route(address: str, port: int) -> str:
    """Differs from Kuma, `inbound:<service>` there: the routes come over RDS, by a name that two
    inbounds of one service must not share."""
    return inbound_listener(address, port)


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


def resource_destination(
    mesh: str, name: str, *, namespace: str, zone: str, short: str, port: int
) -> str:
    """The cluster of one port of a MeshService or a relative; parts that do not apply are empty."""
    return f"{mesh}_{name}_{namespace}_{zone}_{short}_{port}"


_SNI_KINDS = {"msvc": "ms", "extsvc": "mes", "mzsvc": "mzms"}
_MAX_LABEL = 63


def resource_sni(name: str, mesh: str, short: str, port: int) -> str:
    """The server name of one port of a resource: `a<hash>.api.80.default.ms`. The hash, FNV-1a of 64
    bits, tells apart names that are cut to fit into a DNS label."""
    found = fnv1a_64(f"{name};{mesh};".encode())
    return f"a{found:016x}.{_cut(name)}.{port}.{_cut(mesh)}.{_SNI_KINDS[short]}"


def fnv1a_64(text: bytes) -> int:
    """Source: http://www.isthe.com/chongo/tech/comp/fnv"""
    found = 0xCBF29CE484222325
    for byte in text:
        found = ((found ^ byte) * 0x100000001B3) % 2**64
    return found


def _cut(label: str) -> str:
    return label if len(label) < _MAX_LABEL else f"{label[: _MAX_LABEL - 1]}x"


def identity_secret(mesh: str) -> str:
    return f"identity_cert:secret:{mesh}"


def ca_secret(mesh: str) -> str:
    return f"mesh_ca:secret:{mesh}"


def self_inbound(section: str) -> str:
    """The unified name of an inbound, of its cluster and of its routes; it says nothing of the
    Dataplane, so that all of a service have the same."""
    return f"self_inbound_dp_{section}"


def statistic(name: str) -> str:
    """The name as a part of a statistic's name, where dots and colons would split it."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)


def _host(address: str) -> str:
    try:
        return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    except ValueError:
        return address
