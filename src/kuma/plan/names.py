"""The names of Envoy objects, all of them, in Kuma's legacy form and in its unified one.

Source: Kuma, reference on xDS names. People meet these names in Envoy's statistics and in
MeshProxyPatch, so they are an interface.
"""

import hashlib
import re
from ipaddress import IPv6Address, ip_address

from kuma.plan.tags import Tags
from kuma.resources.labels import SERVICE_TAG

ADMIN = "kuma:envoy:admin"
ADMIN_IDENTITY = "admin_cert:secret"
ADMIN_CA = "admin_ca:secret"
READINESS = "kuma:readiness"
TRUST_BUNDLE = "system_trust_bundle"
NO_DESTINATION = "self_transparentproxy_no_destination_inbound"
DIRECT_ACCESS = "direct_access"


def inbound_listener(address: str, port: int) -> str:
    return f"inbound:{_host(address)}:{port}"


def outbound_listener(address: str, port: int) -> str:
    return f"outbound:{_host(address)}:{port}"


def outbound_passthrough(version: int, *, unified: bool) -> str:
    """The listener, and the cluster, of traffic that goes out as it came; `version` is that of IP."""
    if unified:
        return f"self_transparentproxy_passthrough_outbound_ipv{version}"
    return f"outbound:passthrough:ipv{version}"


def inbound_passthrough(version: int, *, unified: bool) -> str:
    if unified:
        return f"self_transparentproxy_passthrough_inbound_ipv{version}"
    return f"inbound:passthrough:ipv{version}"


def direct_access(address: str, port: int) -> str:
    return f"{DIRECT_ACCESS}_{address}:{port}"


def inbound_cluster(service_port: int) -> str:
    return f"localhost:{service_port}"


def inbound_route(address: str, port: int) -> str:
    """Differs from Kuma, `inbound:<service>` there: the routes come over RDS, by a name that two
    inbounds of one service must not share."""
    return inbound_listener(address, port)


def outbound_route(service: str) -> str:
    return f"outbound:{service}"


def destination(service: str, tags: Tags = (), *, of_mesh: str = "") -> str:
    """The cluster of a service; with a subset of tags, `<service>-<16 hex digits>` of all tags. `of_mesh` is
    given only for a mesh other than the proxy's own."""
    name = service
    if tags:
        text = "".join(f"{key}{tag}" for key, tag in sorted((*tags, (SERVICE_TAG, service))))
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


UNIFIED_ADMIN = "system_envoy_admin"
UNIFIED_READINESS = "system_probe_readiness"


def admin(*, unified: bool) -> str:
    return UNIFIED_ADMIN if unified else ADMIN


def readiness(*, unified: bool) -> str:
    return UNIFIED_READINESS if unified else READINESS


METRICS_HIJACKER = "_kuma:metrics:hijacker"
DYNAMIC_CONFIG = "_kuma:dynamicconfig"


def metrics_listener(backend: str, *, unified: bool) -> str:
    """Where Prometheus asks for metrics."""
    if unified:
        return f"system_meshmetric_prometheus_{system_part(backend)}"
    return f"_kuma:metrics:prometheus:{backend}"


def metrics_cluster(backend: str, *, unified: bool) -> str:
    return metrics_listener(backend, unified=True) if unified else METRICS_HIJACKER


def metrics_collector(backend: str, *, unified: bool) -> str:
    """The listener, and the cluster, of what is pushed to a collector."""
    if unified:
        return f"system_meshmetric_otel_{system_part(backend)}"
    return f"_kuma:metrics:opentelemetry:{backend}"


def dynamic_config(*, unified: bool) -> str:
    return "system_dynamicconfig" if unified else DYNAMIC_CONFIG


def system_part(name: str) -> str:
    """As a part of a unified name: what may not stand in one becomes a hyphen."""
    return re.sub(r"[^a-z0-9_-]+", "-", name).strip("-")


def ads_cluster(*, unified: bool) -> str:
    return "system_ads" if unified else "ads_cluster"


def unified_collector(policy: str, address: str) -> str:
    """`system_meshtrace_zipkin_http---10-0-0-1-9411`: what a policy reports to."""
    return f"system_{policy}_{re.sub(r'[^a-z0-9_-]', '-', address)}"


SPIRE_AGENT = "system_identity_sds-spire-agent"
"""The cluster of the SPIRE agent. Source: Kuma."""


def unified_identity_secret(mesh: str) -> str:
    return f"system_mtls_identity_{mesh}"


def unified_ca_secret(mesh: str) -> str:
    return f"system_mtls_ca_{mesh}"


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


def alternative(name: str) -> str:
    """Under which statistics are kept; empty: under the name itself, where it is fit for that."""
    found = statistic(name)
    return "" if found == name else found


def _host(address: str) -> str:
    try:
        return f"[{address}]" if isinstance(ip_address(address), IPv6Address) else address
    except ValueError:
        return address
