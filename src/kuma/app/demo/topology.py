"""What runs where in the demo: ports, proxies and the resources of its mesh.

Every port is `base` plus an offset; with the default base 5600 the control plane has its usual
ports (5678, 5680, 5681, 5682).
"""

from dataclasses import dataclass
from typing import Any

DEFAULT_BASE = 5600
HOST = "127.0.0.1"

WEB, API, STORE = "demo-web", "demo-api", "demo-kv"


@dataclass(frozen=True)
class Proxy:
    """A service instance and its sidecar. The ports are offsets; `outbounds` maps the local port
    that the service calls to the service that answers."""

    name: str
    service: str
    protocol: str
    application: int
    inbound: int
    admin: int
    readiness: int
    outbounds: dict[int, str]
    version: str = ""


PROXIES = (
    Proxy("demo-kv", STORE, "tcp", 3, 13, 33, 43, {}),
    Proxy("demo-api-v1", API, "http", 1, 11, 31, 41, {21: STORE}, "v1"),
    Proxy("demo-api-v2", API, "http", 2, 12, 32, 42, {22: STORE}, "v2"),
    Proxy("demo-web", WEB, "http", 0, 10, 30, 40, {20: API}),
)


class Ports:
    """The demo's ports, each with a name for people."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.data_plane_server = base + 78
        self.diagnostics = base + 80
        self.api = base + 81
        self.api_https = base + 82

    def __getitem__(self, offset: int) -> int:
        return self.base + offset

    @property
    def page(self) -> int:
        return self[PROXIES[-1].application]

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.api}"

    @property
    def page_url(self) -> str:
        return f"http://{HOST}:{self.page}"

    def named(self) -> dict[int, str]:
        """Every port that the demo will listen on, and what for."""
        names = {
            self.data_plane_server: "control plane: data plane server",
            self.diagnostics: "control plane: diagnostics",
            self.api: "control plane: REST API",
            self.api_https: "control plane: REST API over HTTPS",
        }
        for proxy in PROXIES:
            names[self[proxy.application]] = f"{proxy.name}: service"
            names[self[proxy.inbound]] = f"{proxy.name}: sidecar's inbound"
            names[self[proxy.admin]] = f"{proxy.name}: sidecar's admin"
            names[self[proxy.readiness]] = f"{proxy.name}: sidecar's readiness"
            for offset, service in proxy.outbounds.items():
                names[self[offset]] = f"{proxy.name}: sidecar's outbound to {service}"
        return names


def application_arguments(proxy: Proxy, ports: Ports) -> list[str]:
    """How `applications.py` is called for this instance."""
    port = str(ports[proxy.application])
    upstream = next((ports[offset] for offset in proxy.outbounds), 0)
    match proxy.service:
        case "demo-web":
            return ["web", "--port", port, "--api", f"http://{HOST}:{upstream}"]
        case "demo-api":
            store = f"{HOST}:{upstream}"
            return ["api", "--port", port, "--version", proxy.version, "--store", store]
        case _:
            return ["kv", "--port", port]


def dataplane(proxy: Proxy, ports: Ports) -> dict[str, Any]:
    """The Dataplane that the sidecar brings along."""
    tags = {"kuma.io/service": proxy.service, "kuma.io/protocol": proxy.protocol}
    if proxy.version:
        tags["version"] = proxy.version
    networking: dict[str, Any] = {
        "address": HOST,
        "admin": {"port": ports[proxy.admin]},
        "inbound": [
            {
                "port": ports[proxy.inbound],
                "servicePort": ports[proxy.application],
                "tags": tags,
            }
        ],
    }
    if proxy.outbounds:
        networking["outbound"] = [
            {"port": ports[offset], "tags": {"kuma.io/service": service}}
            for offset, service in proxy.outbounds.items()
        ]
    return {"type": "Dataplane", "mesh": "default", "name": proxy.name, "networking": networking}


def mesh() -> dict[str, Any]:
    """Mesh `default` with mutual TLS."""
    return {
        "type": "Mesh",
        "name": "default",
        "mtls": {
            "enabledBackend": "ca-1",
            "backends": [{"name": "ca-1", "type": "builtin"}],
        },
    }


def permission(destination: str, source: str, action: str = "Allow") -> dict[str, Any]:
    """A MeshTrafficPermission for one service to call another."""
    return {
        "type": "MeshTrafficPermission",
        "mesh": "default",
        "name": f"{source}-to-{destination}",
        "spec": {
            "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": destination}},
            "from": [
                {
                    "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": source}},
                    "default": {"action": action},
                }
            ],
        },
    }


def route(*rules: dict[str, Any]) -> dict[str, Any]:
    """A MeshHTTPRoute for what the page asks the API."""
    return {
        "type": "MeshHTTPRoute",
        "mesh": "default",
        "name": "demo-api-versions",
        "spec": {
            "targetRef": {"kind": "MeshSubset", "tags": {"kuma.io/service": WEB}},
            "to": [{"targetRef": {"kind": "MeshService", "name": API}, "rules": list(rules)}],
        },
    }


def split(weights: dict[str, int], *, header: str | None = None) -> dict[str, Any]:
    """A rule that sends requests to versions by weight; with `header`, only those that carry
    `x-version: <header>`."""
    match: dict[str, Any] = {"path": {"type": "PathPrefix", "value": "/"}}
    if header is not None:
        match["headers"] = [{"type": "Exact", "name": "x-version", "value": header}]
    backends = [
        {"kind": "MeshServiceSubset", "name": API, "tags": {"version": version}, "weight": weight}
        for version, weight in weights.items()
    ]
    return {"matches": [match], "default": {"backendRefs": backends}}
