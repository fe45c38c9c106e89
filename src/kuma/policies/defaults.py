"""The policies that a new mesh starts with, so that it behaves well before anybody configures it.

Ordinary policies: a user may change or delete them, and they are not created again.
Source: Kuma, default resources of a mesh.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from kuma.policies import meshcircuitbreaker, meshretry, meshtimeout
from kuma.resources.kind import AnyKind, Kind
from kuma.resources.meta import ResourceMeta
from kuma.resources.resource import AnyResource, Resource

_BACK_OFF = {"baseInterval": "25ms", "maxInterval": "250ms"}
_RETRIES = {"numRetries": 5, "perTryTimeout": "16s", "backOff": _BACK_OFF}
_UNWRITTEN = datetime.fromtimestamp(0, UTC)

_DEFAULTS: tuple[tuple[str, Kind[Any], dict[str, Any]], ...] = (
    (
        "mesh-gateways-timeout-all",
        meshtimeout.KIND,
        {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Gateway"]},
            "to": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {"idleTimeout": "1h", "http": {"streamIdleTimeout": "5s"}},
                }
            ],
            "from": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {
                        "idleTimeout": "5m",
                        "http": {"streamIdleTimeout": "5s", "requestHeadersTimeout": "500ms"},
                    },
                }
            ],
        },
    ),
    (
        "mesh-timeout-all",
        meshtimeout.KIND,
        {
            "targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]},
            "to": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {
                        "connectionTimeout": "5s",
                        "idleTimeout": "1h",
                        "http": {"requestTimeout": "15s", "streamIdleTimeout": "30m"},
                    },
                }
            ],
            "from": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {
                        "connectionTimeout": "10s",
                        "idleTimeout": "2h",
                        "http": {
                            "requestTimeout": "0s",
                            "streamIdleTimeout": "1h",
                            "maxStreamDuration": "0s",
                        },
                    },
                }
            ],
        },
    ),
    (
        "mesh-circuit-breaker-all",
        meshcircuitbreaker.KIND,
        {
            "targetRef": {"kind": "Mesh"},
            "to": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {
                        "connectionLimits": {
                            "maxConnections": 1024,
                            "maxPendingRequests": 1024,
                            "maxRetries": 3,
                            "maxRequests": 1024,
                        }
                    },
                }
            ],
        },
    ),
    (
        "mesh-retry-all",
        meshretry.KIND,
        {
            "targetRef": {"kind": "Mesh"},
            "to": [
                {
                    "targetRef": {"kind": "Mesh"},
                    "default": {
                        "tcp": {"maxConnectAttempt": 5},
                        "http": _RETRIES,
                        "grpc": _RETRIES,
                    },
                }
            ],
        },
    ),
)


def default_policies(mesh: AnyResource) -> tuple[AnyResource, ...]:
    """The policies to create with `mesh`, but for the kinds in its `skipCreatingInitialPolicies`;
    `*` there means all. Labels are for the writer to compute."""
    return tuple(_build(mesh.name, set(_skipped(mesh))))


def _build(mesh: str, skipped: set[str]) -> Iterator[AnyResource]:
    if "*" in skipped:
        return
    for prefix, kind, spec in _DEFAULTS:
        if kind.name not in skipped:
            yield _policy(kind, mesh, f"{prefix}-{mesh}", spec)


def _policy(kind: AnyKind, mesh: str, name: str, spec: dict[str, Any]) -> AnyResource:
    meta = ResourceMeta(
        mesh=mesh,
        name=name,
        version=0,
        creation_time=_UNWRITTEN,
        modification_time=_UNWRITTEN,
    )
    return Resource(kind, meta, kind.spec.model_validate(spec))


def _skipped(mesh: AnyResource) -> tuple[str, ...]:
    return tuple(getattr(mesh.spec, "skip_creating_initial_policies", None) or ())
