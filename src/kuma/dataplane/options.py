"""Everything that decides how one kuma-dp runs: the flags, variables and defaults, merged by `app/`.

Defaults are Kuma's unless marked. Source: Kuma, reference on kuma-dp.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from kuma.dataplane.otel.environment import Environment
from kuma.plan.machine import LOG_PIPE, OTEL_PIPE


class ProxyType(StrEnum):
    DATAPLANE = "dataplane"
    INGRESS = "ingress"
    EGRESS = "egress"

    @property
    def kind(self) -> str:
        """The resource kind that defines such a proxy."""
        return {"dataplane": "Dataplane", "ingress": "ZoneIngress", "egress": "ZoneEgress"}[self]


@dataclass(frozen=True, slots=True)
class ControlPlaneOptions:
    """`ca_cert` is PEM text; empty: the system's roots."""

    url: str = "https://localhost:5678"
    ca_cert: str = ""
    skip_verify: bool = False
    retry_backoff: timedelta = timedelta(seconds=3)
    retry_max_duration: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DefinitionOptions:
    """Where the proxy's resource comes from: a file (`-` is standard input), a text, or, if both
    are empty, the control plane has it already."""

    path: str = ""
    text: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EnvoyOptions:
    """`concurrency` 0: as many workers as there are CPUs; `work_dir` None: a temporary one.
    `log_level` is one of Envoy's."""

    binary_path: str = "envoy"
    work_dir: Path | None = None
    concurrency: int = 0
    log_level: str = "info"
    component_log_level: str = ""
    drain_time: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """What the control plane is told about this proxy.

    # Differs from Kuma: incremental xDS (`delta_xds`) is the default.
    """

    delta_xds: bool = True
    reuse_port: bool = True
    strict_inbound_ports: bool = True
    bind_outbounds: bool = False
    unified_resource_naming: bool = False
    spire: bool = False
    otel_pipe: bool = True

    @property
    def advertised(self) -> tuple[str, ...]:
        """Names of Kuma's features. The one that needs a helper beside Envoy which is not there (DNS) is
        not claimed."""
        named = {
            LOG_PIPE: True,
            OTEL_PIPE: self.otel_pipe,
            "feature-delta-grpc": self.delta_xds,
            "feature-reuse-port": self.reuse_port,
            "feature-strict-inbound-ports": self.strict_inbound_ports,
            "feature-bind-outbounds": self.bind_outbounds,
            "feature-unified-resource-naming": self.unified_resource_naming,
            "feature-spire": self.spire,
        }
        return tuple(name for name, wanted in named.items() if wanted)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`name` and `mesh` are empty when a definition is given, which has its own. `refresh_interval`: how
    often Envoy is asked where collectors are. `otel`: the variables for these."""

    name: str = ""
    mesh: str = ""
    proxy_type: ProxyType = ProxyType.DATAPLANE
    control_plane: ControlPlaneOptions = ControlPlaneOptions()
    definition: DefinitionOptions = DefinitionOptions()
    envoy: EnvoyOptions = EnvoyOptions()
    features: FeatureOptions = FeatureOptions()
    token: str = ""
    token_path: Path | None = None
    readiness_port: int = 9902
    ipv6_enabled: bool = True
    max_memory_bytes: int = 0
    refresh_interval: timedelta = timedelta(seconds=1)
    metrics_cert_path: str = ""
    metrics_key_path: str = ""
    system_ca_path: str = ""
    spire_socket_path: str = ""
    host_ip: str = ""
    otel: Environment = field(default_factory=Environment)
