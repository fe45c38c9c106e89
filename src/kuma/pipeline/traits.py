"""What a proxy says of itself that its configuration depends on, and no resource tells."""

from collections.abc import Mapping
from typing import Any

from kuma.kit.value import value
from kuma.pipeline.fanout import ProxyKey


@value
class Traits:
    """From the node metadata of its bootstrap. Ports are 0 and paths empty where there is none."""

    admin_port: int = 0
    admin_address: str = ""
    admin_socket: str = ""
    readiness_port: int = 0
    readiness_socket: str = ""
    system_ca_path: str = ""
    features: tuple[str, ...] = ()


def traits_input(key: ProxyKey) -> tuple[str, ProxyKey]:
    """The engine's input that holds a proxy's Traits."""
    return ("traits", key)


def traits_of(metadata: Mapping[str, Any]) -> Traits:
    features = metadata.get("features")
    return Traits(
        admin_port=_port(metadata, "dataplane.admin.port"),
        admin_address=_text(metadata, "dataplane.admin.address"),
        admin_socket=_text(metadata, "dataplane.admin.socketPath"),
        readiness_port=_port(metadata, "dataplane.readinessReporter.port"),
        readiness_socket=_text(metadata, "dataplane.readinessReporter.socketPath"),
        system_ca_path=_text(metadata, "systemCaPath"),
        features=tuple(sorted(map(str, features))) if isinstance(features, list | tuple) else (),
    )


def _text(metadata: Mapping[str, Any], name: str) -> str:
    found = metadata.get(name)
    return found if isinstance(found, str) else ""


def _port(metadata: Mapping[str, Any], name: str) -> int:
    """Numbers come as text or, from a protobuf Struct, as floats; what is no port is none."""
    try:
        port = int(float(metadata.get(name) or 0))
    except (TypeError, ValueError, OverflowError):
        return 0
    return port if 0 < port <= 65535 else 0
