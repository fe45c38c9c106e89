"""Resources for tests: valid by default, each argument one thing that a test may care about.

    a_dataplane("backend-1", service="backend", port=8080, outbounds={9001: "db"})

`spec` arguments are merged last and take the JSON form, for what has no argument of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from kuma.resources.kind import Kind
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DataplaneInsightSpec
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE, ExternalServiceSpec
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET, SecretSpec
from kuma.resources.kinds.zone import ZONE, ZoneSpec
from kuma.resources.meta import ResourceMeta
from kuma.resources.resource import Resource
from kuma.resources.spec import SpecModel

S = TypeVar("S", bound=SpecModel)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_resource(
    kind: Kind[S],
    name: str,
    spec: Mapping[str, Any] | S,
    *,
    mesh: str = "",
    labels: Mapping[str, str] | None = None,
    version: int = 1,
    created: datetime = NOW,
    modified: datetime | None = None,
) -> Resource[S]:
    """Any kind; `spec` as a model or in its JSON form. The mesh of a mesh-scoped kind: `default`."""
    meta = ResourceMeta(
        mesh=mesh or ("default" if kind.is_mesh_scoped else ""),
        name=name,
        version=version,
        creation_time=created,
        modification_time=modified or created,
        labels=dict(labels or {}),
    )
    model = spec if isinstance(spec, SpecModel) else kind.spec.model_validate(spec)
    return Resource(kind, meta, model)


def a_mesh(
    name: str = "default",
    *,
    mtls: bool = False,
    permissive: bool = False,
    backend: str = "ca-1",
    passthrough: bool | None = None,
    spec: Mapping[str, Any] | None = None,
    **meta: Any,
) -> Resource[MeshSpec]:
    """`mtls` turns on a builtin authority called `backend`."""
    raw: dict[str, Any] = {}
    if mtls or permissive:
        mode = {"mode": "PERMISSIVE"} if permissive else {}
        one = {"name": backend, "type": "builtin", **mode}
        raw["mtls"] = {"enabledBackend": backend, "backends": [one]}
    if passthrough is not None:
        raw["networking"] = {"outbound": {"passthrough": passthrough}}
    return a_resource(MESH, name, {**raw, **(spec or {})}, **meta)


def an_inbound(
    service: str = "backend",
    port: int = 8080,
    *,
    protocol: str = "http",
    service_port: int = 0,
    tags: Mapping[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """In JSON form; `service_port` is one above `port` unless given. `fields` in camelCase."""
    return {
        "port": port,
        "servicePort": service_port or port + 1,
        "tags": {"kuma.io/service": service, "kuma.io/protocol": protocol, **(tags or {})},
        **fields,
    }


def an_outbound(service: str, port: int, **fields: Any) -> dict[str, Any]:
    return {"port": port, "tags": {"kuma.io/service": service}, **fields}


def a_dataplane(
    name: str = "backend-1",
    *,
    service: str = "backend",
    address: str = "127.0.0.1",
    port: int = 8080,
    protocol: str = "http",
    tags: Mapping[str, str] | None = None,
    inbounds: Sequence[Mapping[str, Any]] | None = None,
    outbounds: Mapping[int, str] | Sequence[Mapping[str, Any]] = (),
    gateway: str = "",
    admin_port: int = 0,
    networking: Mapping[str, Any] | None = None,
    **meta: Any,
) -> Resource[DataplaneSpec]:
    """One inbound of `service`, or those of `inbounds`; `outbounds` as {port: service} or in JSON.

    `gateway`: a delegated gateway for that service instead of inbounds.
    """
    raw: dict[str, Any] = {"address": address}
    if gateway:
        raw["gateway"] = {"tags": {"kuma.io/service": gateway, **(tags or {})}}
    elif inbounds is None:
        raw["inbound"] = [an_inbound(service, port, protocol=protocol, tags=tags)]
    else:
        raw["inbound"] = list(inbounds)
    raw["outbound"] = (
        [an_outbound(to, at) for at, to in outbounds.items()]
        if isinstance(outbounds, Mapping)
        else list(outbounds)
    )
    if admin_port:
        raw["admin"] = {"port": admin_port}
    return a_resource(DATAPLANE, name, {"networking": {**raw, **(networking or {})}}, **meta)


def a_dataplane_insight(
    name: str = "backend-1",
    *,
    online: bool = True,
    spec: Mapping[str, Any] | None = None,
    **meta: Any,
) -> Resource[DataplaneInsightSpec]:
    subscription: dict[str, Any] = {
        "id": "1",
        "controlPlaneInstanceId": "cp-1",
        "connectTime": "2026-01-01T00:00:00Z",
        "disconnectTime": None if online else "2026-01-01T00:01:00Z",
        "status": {},
    }
    return a_resource(
        DATAPLANE_INSIGHT, name, {"subscriptions": [subscription], **(spec or {})}, **meta
    )


def an_external_service(
    name: str = "httpbin",
    *,
    service: str = "httpbin",
    address: str = "httpbin.example.com:443",
    protocol: str = "http",
    tls: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    **meta: Any,
) -> Resource[ExternalServiceSpec]:
    raw = {
        "networking": {"address": address, "tls": tls},
        "tags": {"kuma.io/service": service, "kuma.io/protocol": protocol, **(tags or {})},
    }
    return a_resource(EXTERNAL_SERVICE, name, raw, **meta)


def a_secret(name: str = "secret", data: bytes = b"hidden", **meta: Any) -> Resource[SecretSpec]:
    return a_resource(SECRET, name, SecretSpec(data=data), **meta)


def a_global_secret(
    name: str = "secret", data: bytes = b"hidden", **meta: Any
) -> Resource[SecretSpec]:
    return a_resource(GLOBAL_SECRET, name, SecretSpec(data=data), **meta)


def a_zone(
    name: str = "default", *, enabled: bool | None = None, **meta: Any
) -> Resource[ZoneSpec]:
    return a_resource(ZONE, name, ZoneSpec(enabled=enabled), **meta)
