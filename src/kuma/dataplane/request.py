"""The bootstrap request: all that the control plane must know of this proxy. Source: Kuma's protocol."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kuma.dataplane import machine
from kuma.dataplane.binary import EnvoyVersion
from kuma.dataplane.definition import Definition
from kuma.dataplane.options import RunOptions
from kuma.dataplane.token import Token


def build_request(
    options: RunOptions,
    *,
    definition: Definition | None,
    token: Token | None,
    work_dir: Path,
    envoy: EnvoyVersion,
    version: Mapping[str, str],
) -> dict[str, Any]:
    """`version` is kuma-dp's own: version, gitTag, gitCommit, buildDate."""
    request: dict[str, Any] = {
        "mesh": definition.mesh if definition else options.mesh,
        "name": definition.name if definition else options.name,
        "proxyType": str(options.proxy_type),
        "version": {
            "kumaDp": dict(version),
            "envoy": {
                "version": envoy.version,
                "build": envoy.build,
                "kumaDpCompatible": envoy.is_compatible,
            },
        },
        "caCert": options.control_plane.ca_cert,
        "dynamicMetadata": {"HOST_IP": options.host_ip} if options.host_ip else {},
        "otelEnv": options.otel.inventory(has_pipe=options.features.otel_pipe),
        "readinessPort": options.readiness_port,
        "operatingSystem": machine.operating_system(),
        "features": list(options.features.advertised),
        "resources": {"maxHeapSizeBytes": options.max_memory_bytes or machine.memory_limit()},
        "workdir": str(work_dir),
        "metricsResources": {
            "certPath": options.metrics_cert_path,
            "keyPath": options.metrics_key_path,
        },
        "systemCaPath": options.system_ca_path or machine.find_ca_file(),
        "ipv6Enabled": options.ipv6_enabled and machine.has_ipv6(),
        "spireResources": {"socketPath": options.spire_socket_path},
    }
    if definition:
        request["dataplaneResource"] = definition.resource
    if token:
        request["dataplaneToken"] = token.value
    if token and token.path:
        request["dataplaneTokenPath"] = str(token.path)
    return request
