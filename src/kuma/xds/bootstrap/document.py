"""The Envoy bootstrap, built from the request, the settings and what the mesh knows. Pure.

Field by field that of Kuma but for health discovery, the sink of access logs and what gateways
need, which do not exist here yet.
# Differs from Kuma: names are resolved with V4_PREFERRED, where it says AUTO, or V4_ONLY after a
look-up of its own.
Source: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/bootstrap/v3/bootstrap.proto
"""

import base64
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import yaml

from kuma.config.servers import BootstrapParams
from kuma.plan import names
from kuma.xds.bootstrap.facts import ProxyFacts
from kuma.xds.bootstrap.request import BootstrapRequest

_VALIDATION = "cp_validation_ctx"
_TYPE = "type.googleapis.com/"
_LONGEST_SOCKET_PATH = 98
"""Kuma cuts names of sockets here, so that they fit in sockaddr_un; kuma-dp expects it."""
_DELTA = "feature-delta-grpc"
_UNIFIED_NAMES = "feature-unified-resource-naming"
_STATS_TAGS = {
    "name": r"^grpc\.((.+)\.)",
    "status": r"^grpc.*streams_closed(_([0-9]+))",
    "kafka_name": r"^kafka(\.(\S*[0-9]))\.",
    "kafka_type": r"^kafka\..*\.(.*?(?=_duration|$))",
    "worker": r"(worker_([0-9]+)\.)",
    "listener": r"((.+?)\.)rbac\.",
}
_RE2_LIMITS = {
    "re2.max_program_size.error_level": 4294967295,
    "re2.max_program_size.warn_level": 1000,
}


@dataclass(frozen=True, slots=True)
class Server:
    """Where Envoy finds the control plane. `ca` is PEM; `reloadable_tokens` makes Envoy itself read
    the token from its file."""

    host: str
    port: int
    ca: bytes
    reloadable_tokens: bool = False


@dataclass(frozen=True, slots=True)
class BootstrapAnswer:
    """`address` is the proxy's, for kuma-dp's own use."""

    bootstrap: dict[str, Any]
    address: str

    def to_yaml(self) -> bytes:
        text = yaml.dump(self.bootstrap, Dumper=_Dumper, encoding="utf-8", allow_unicode=True)
        return bytes(text)

    def to_json(self) -> bytes:
        """The answer to a kuma-dp, which has the bootstrap as YAML within."""
        answer = {
            "bootstrap": base64.b64encode(self.to_yaml()).decode(),
            "kumaSidecarConfiguration": {
                "networking": {"address": self.address},
                "metrics": {"aggregate": []},
            },
        }
        return json.dumps(answer).encode()


def build_bootstrap(
    request: BootstrapRequest, params: BootstrapParams, facts: ProxyFacts, server: Server
) -> BootstrapAnswer:
    admin_socket = _admin_socket(request, params)
    unified = _UNIFIED_NAMES in request.features and facts.has_only_mesh_services
    ads = names.ads_cluster(unified=unified)
    bootstrap: dict[str, Any] = {
        "node": {
            "id": request.node_id,
            "cluster": facts.service,
            "metadata": _metadata(request, params, facts, admin_socket),
        },
        "admin": _admin(params, facts, admin_socket),
        "layeredRuntime": {"layers": [{"name": "kuma", "staticLayer": dict(_RE2_LIMITS)}]},
        "statsConfig": {
            "statsTags": [{"tagName": name, "regex": regex} for name, regex in _STATS_TAGS.items()]
        },
        "dynamicResources": {
            "ldsConfig": _over_ads(),
            "cdsConfig": _over_ads(),
            "adsConfig": {
                "apiType": "DELTA_GRPC" if _DELTA in request.features else "GRPC",
                "transportApiVersion": "V3",
                "setNodeOnFirstMessageOnly": True,
                "grpcServices": [_grpc_service(ads, request, params, server)],
            },
        },
        "staticResources": {
            "secrets": [_validation_secret(server)],
            "clusters": []
            if _reads_token(request, server)
            else [_ads_cluster(ads, params, server)],
        },
        "defaultRegexEngine": {
            "name": "envoy.regex_engines.google_re2",
            "typedConfig": {"@type": f"{_TYPE}envoy.extensions.regex_engines.v3.GoogleRE2"},
        },
    }
    return BootstrapAnswer(bootstrap, facts.address)


def _admin_socket(request: BootstrapRequest, params: BootstrapParams) -> str:
    """Empty: the admin interface is on a port; a kuma-dp without a work dir can have no socket."""
    if not params.envoy_admin_unix_socket or not request.workdir:
        return ""
    path = f"{request.workdir.rstrip('/')}/kuma-envoy-admin"
    return path[:_LONGEST_SOCKET_PATH] + ".sock"


def _metadata(
    request: BootstrapRequest, params: BootstrapParams, facts: ProxyFacts, admin_socket: str
) -> dict[str, Any]:
    """Ports are texts here, as in Kuma; a part that is absent says nothing."""
    metadata: dict[str, Any] = {
        "version": _version(request),
        "features": list(request.features),
        "workdir": request.workdir,
        "metricsCertPath": request.metrics_resources.cert_path,
        "metricsKeyPath": request.metrics_resources.key_path,
        "systemCaPath": request.system_ca_path,
        "ipv6Enabled": request.ipv6_enabled,
        "spireAgent.socketPath": request.spire_resources.socket_path,
        "dataplane.admin.port": str(facts.admin_port or params.admin_port),
        "dataplane.admin.address": params.admin_address,
        "dataplane.proxyType": request.proxy_type,
    }
    optional = {
        "dataplane.admin.socketPath": admin_socket,
        "dataplane.resource": request.dataplane_resource,
        "dataplane.dns.port": str(request.dns_port or ""),
        "dataplane.readinessReporter.port": str(request.readiness_port or ""),
        "dataplane.appProbeProxy.enabled": "true" if request.app_probe_proxy_enabled else "",
        "dynamicMetadata": dict(request.dynamic_metadata),
        "transparentProxy": request.transparent_proxy,
        "otelEnvInventory": request.otel_env,
    }
    return metadata | {name: each for name, each in optional.items() if each}


def _version(request: BootstrapRequest) -> dict[str, Any]:
    shown = request.version.model_dump(by_alias=True)
    return {part: {key: each for key, each in of.items() if each} for part, of in shown.items()}


def _admin(params: BootstrapParams, facts: ProxyFacts, admin_socket: str) -> dict[str, Any]:
    port = facts.admin_port or params.admin_port
    address: dict[str, Any] = (
        {"pipe": {"path": admin_socket, "mode": 0o600}}
        if admin_socket
        else {"socketAddress": {"address": params.admin_address, "portValue": port}}
    )
    if not params.admin_access_log_path:
        return {"address": address}
    log = {
        "name": "envoy.access_loggers.file",
        "typedConfig": {
            "@type": f"{_TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": params.admin_access_log_path,
        },
    }
    return {"address": address, "accessLog": [log]}


def _over_ads() -> dict[str, Any]:
    return {"ads": {}, "initialFetchTimeout": "0s", "resourceApiVersion": "V3"}


def _reads_token(request: BootstrapRequest, server: Server) -> bool:
    return server.reloadable_tokens and bool(request.dataplane_token_path)


def _grpc_service(
    ads: str, request: BootstrapRequest, params: BootstrapParams, server: Server
) -> dict[str, Any]:
    if _reads_token(request, server):
        return {"googleGrpc": _google_grpc(request.dataplane_token_path, params, server)}
    service: dict[str, Any] = {"envoyGrpc": {"clusterName": ads}}
    if request.dataplane_token:
        token = {"key": "authorization", "value": request.dataplane_token}
        service["initialMetadata"] = [token]
    return service


def _google_grpc(token_path: str, params: BootstrapParams, server: Server) -> dict[str, Any]:
    """Google's gRPC client reads the token from its file for each stream; Envoy's own does not."""
    plugin = "envoy.grpc_credentials.file_based_metadata"
    credentials = {
        "@type": f"{_TYPE}envoy.config.grpc_credential.v3.FileBasedMetadataConfig",
        "secretData": {"filename": token_path},
    }
    channel = {
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 30_000,
        "grpc.http2.max_pings_without_data": 0,
        "grpc.max_receive_message_length": params.xds_grpc_max_receive_message_bytes,
    }
    host = f"[{server.host}]" if ":" in server.host else server.host
    return {
        "targetUri": f"{host}:{server.port}",
        "statPrefix": "ads",
        "credentialsFactoryName": plugin,
        "callCredentials": [{"fromPlugin": {"name": plugin, "typedConfig": credentials}}],
        "channelCredentials": {
            "sslCredentials": {"rootCerts": {"inlineBytes": base64.b64encode(server.ca).decode()}}
        },
        "channelArgs": {"args": {key: {"intValue": str(n)} for key, n in channel.items()}},
    }


def _validation_secret(server: Server) -> dict[str, Any]:
    return {
        "name": _VALIDATION,
        "validationContext": {
            "matchTypedSubjectAltNames": [
                {"sanType": san, "matcher": {"exact": server.host}} for san in ("DNS", "IP_ADDRESS")
            ],
            "trustedCa": {"inlineBytes": base64.b64encode(server.ca).decode()},
        },
    }


def _ads_cluster(name: str, params: BootstrapParams, server: Server) -> dict[str, Any]:
    address = {"address": server.host, "portValue": server.port}
    endpoint = {"endpoint": {"address": {"socketAddress": address}}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connectTimeout": _seconds(params.xds_connect_timeout),
        "loadAssignment": {"clusterName": name, "endpoints": [{"lbEndpoints": [endpoint]}]},
        "typedExtensionProtocolOptions": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicitHttpConfig": {"http2ProtocolOptions": {}},
            }
        },
        "upstreamConnectionOptions": {
            "tcpKeepalive": {"keepaliveProbes": 3, "keepaliveTime": 10, "keepaliveInterval": 10}
        },
        "transportSocket": {
            "name": "envoy.transport_sockets.tls",
            "typedConfig": {
                "@type": f"{_TYPE}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": server.host,
                "commonTlsContext": {
                    "tlsParams": {"tlsMinimumProtocolVersion": "TLSv1_2"},
                    "validationContextSdsSecretConfig": {"name": _VALIDATION},
                },
            },
        },
    }
    if not _is_address(server.host):
        cluster |= {"type": "STRICT_DNS", "dnsLookupFamily": "V4_PREFERRED"}
    return cluster


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _seconds(duration: timedelta) -> str:
    """In protobuf's JSON form."""
    return f"{duration.total_seconds():g}s"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Quotes what YAML 1.2 and Go take for a number though PyYAML does not: a commit `1e10`."""


_NUMBER = re.compile(r"[-+]?[.\d][\d_.eExXoOa-fA-F+-]*")


def _represent_text(dumper: Any, text: str) -> Any:
    style = '"' if _NUMBER.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
