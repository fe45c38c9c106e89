"""What a proxy says of itself that its configuration depends on, and no resource tells."""

from collections.abc import Mapping
from typing import Any

from kuma.kit.value import value
from kuma.pipeline.fanout import ProxyKey
from kuma.plan.machine import LOCAL, LOG_PIPE, OTEL_PIPE, Machine, log_pipe
from kuma.plan.otel_env import OtelEnv, parse_otel_env
from kuma.resolve.redirection import NOTHING_SAID, Redirection, Said
from kuma.resources.kinds.rules import is_ip

TRANSPARENT_PROXY_IN_METADATA = "feature-transparent-proxy-in-dataplane-metadata"


@value
class Traits:
    """From the node metadata of its bootstrap. Ports are 0 and paths empty where there is none."""

    admin_port: int = 0
    admin_address: str = ""
    admin_socket: str = ""
    readiness_port: int = 0
    readiness_socket: str = ""
    system_ca_path: str = ""
    said: Said = NOTHING_SAID
    work_dir: str = ""
    host_ip: str = ""
    metrics_cert: str = ""
    metrics_key: str = ""
    spire_socket: str = ""
    otel: OtelEnv | None = None

    def machine(self, key: ProxyKey) -> Machine:
        takes_logs = self.work_dir and LOG_PIPE in self.said.features
        return Machine(
            log_pipe=log_pipe(self.work_dir, mesh=key.mesh, name=key.name) if takes_logs else "",
            host_ip=self.host_ip or LOCAL,
            system_ca_path=self.system_ca_path,
            work_dir=self.work_dir,
            metrics_cert=self.metrics_cert,
            metrics_key=self.metrics_key,
            spire_socket=self.spire_socket,
            otel=self.otel if self.work_dir else None,
        )


def traits_input(key: ProxyKey) -> tuple[str, ProxyKey]:
    """The engine's input that holds a proxy's Traits."""
    return ("traits", key)


def traits_of(metadata: Mapping[str, Any]) -> Traits:
    features = metadata.get("features")
    has_pipe = isinstance(features, list | tuple) and OTEL_PIPE in features
    return Traits(
        admin_port=_port(metadata, "dataplane.admin.port"),
        admin_address=_text(metadata, "dataplane.admin.address"),
        admin_socket=_text(metadata, "dataplane.admin.socketPath"),
        readiness_port=_port(metadata, "dataplane.readinessReporter.port"),
        readiness_socket=_text(metadata, "dataplane.readinessReporter.socketPath"),
        system_ca_path=_text(metadata, "systemCaPath"),
        work_dir=_text(metadata, "workdir"),
        host_ip=_host_ip(metadata),
        metrics_cert=_text(metadata, "metricsCertPath"),
        metrics_key=_text(metadata, "metricsKeyPath"),
        spire_socket=_text(metadata, "spireAgent.socketPath"),
        otel=parse_otel_env(metadata.get("otelEnvInventory")) if has_pipe else None,
        said=Said(
            tuple(sorted(map(str, features))) if isinstance(features, list | tuple) else (),
            _redirection(metadata, features),
        ),
    )


def _redirection(metadata: Mapping[str, Any], features: object) -> Redirection | None:
    """As the proxy's own configuration of transparent proxying has it; None: it leaves that to its
    Dataplane."""
    if not isinstance(features, list | tuple) or TRANSPARENT_PROXY_IN_METADATA not in features:
        return None
    found = metadata.get("transparentProxy")
    if not isinstance(found, Mapping):
        return Redirection()
    return Redirection(
        inbound_port=_flow_port(found, "inbound"),
        outbound_port=_flow_port(found, "outbound"),
        has_ipv6=_text(found, "ipFamilyMode").lower() != "ipv4",
    )


def _flow_port(config: Mapping[str, Any], direction: str) -> int:
    redirect = config.get("redirect")
    flow = redirect.get(direction) if isinstance(redirect, Mapping) else None
    return _port(flow, "port") if isinstance(flow, Mapping) and flow.get("enabled") else 0


def _text(metadata: Mapping[str, Any], name: str) -> str:
    found = metadata.get(name)
    return found if isinstance(found, str) else ""


def _host_ip(metadata: Mapping[str, Any]) -> str:
    """As kuma-dp has it from its environment; what is no address is none."""
    dynamic = metadata.get("dynamicMetadata")
    found = _text(dynamic, "HOST_IP") if isinstance(dynamic, Mapping) else ""
    return found if is_ip(found) else ""


def _port(metadata: Mapping[str, Any], name: str) -> int:
    """Numbers come as text or, from a protobuf Struct, as floats; what is no port is none."""
    try:
        port = int(float(metadata.get(name) or 0))
    except (TypeError, ValueError, OverflowError):
        return 0
    return port if 0 < port <= 65535 else 0
