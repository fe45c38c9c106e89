"""What is measured on: how many proxies of how many services, who calls whom, as documents.

Instance `i` serves service `i % services`, and calls the `outbounds` services after that, so each
service has `proxies * outbounds / services` consumers, and the instances of a service are alike but
for their addresses. A full mesh calls every service.

Beside the instances each service has one Dataplane without a proxy, the `mover`: an endpoint change
is a change of its address, which tells which change it was.
"""

import json
from dataclasses import dataclass
from typing import Any

MESH = "default"
LISTENS = 10_000
"""The port of the outbound to the first service; the others follow."""
BASE_TIMEOUT = 20_000
"""Milliseconds, more than any default; the timeout that a policy change sets is this plus its number."""


@dataclass(frozen=True)
class Shape:
    proxies: int = 1000
    services: int = 50
    outbounds: int = 10
    mtls: bool = True

    def __str__(self) -> str:
        security = "mutual TLS" if self.mtls else "no mutual TLS"
        return (
            f"{self.proxies} proxies, {self.services} services, "
            f"{self.outbounds} outbounds each, {security}"
        )

    def service(self, index: int) -> str:
        return f"service-{index % self.services}"

    def calls(self, proxy: int) -> list[int]:
        """The services that a proxy has outbounds to."""
        if self.outbounds >= self.services:
            return list(range(self.services))
        return sorted((proxy + 1 + each) % self.services for each in range(self.outbounds))

    def consumers(self, service: int) -> int:
        return sum(service in self.calls(proxy) for proxy in range(self.proxies))

    def name(self, proxy: int) -> str:
        return f"dp-{proxy}"

    def dataplane(self, proxy: int) -> dict[str, Any]:
        networking = {
            "address": f"10.{proxy >> 16 & 0x7F}.{proxy >> 8 & 0xFF}.{proxy & 0xFF}",
            "inbound": [_inbound(self.service(proxy))],
            "outbound": [
                {"port": LISTENS + each, "tags": {"kuma.io/service": self.service(each)}}
                for each in self.calls(proxy)
            ],
        }
        return _dataplane(self.name(proxy), networking)

    def mover(self, service: int, change: int) -> dict[str, Any]:
        address = f"10.250.{change >> 8 & 0xFF}.{change & 0xFF}"
        networking = {"address": address, "inbound": [_inbound(self.service(service))]}
        return _dataplane(f"mover-{service}", networking)

    def mesh(self) -> dict[str, Any]:
        document: dict[str, Any] = {"type": "Mesh", "name": MESH}
        if self.mtls:
            backend = {"name": "ca-1", "type": "builtin"}
            document["mtls"] = {"enabledBackend": "ca-1", "backends": [backend]}
        return document

    @staticmethod
    def permission() -> dict[str, Any]:
        entry = {"targetRef": {"kind": "Mesh"}, "default": {"action": "Allow"}}
        spec = {"targetRef": {"kind": "Mesh"}, "from": [entry]}
        return {"type": "MeshTrafficPermission", "mesh": MESH, "name": "allow-all", "spec": spec}

    def timeout(self, change: int, service: int | None = None) -> dict[str, Any]:
        """For all destinations, or for one."""
        to = {"kind": "Mesh"}
        if service is not None:
            to = {"kind": "MeshService", "name": self.service(service)}
        default = {"connectionTimeout": f"{BASE_TIMEOUT + change}ms"}
        spec = {
            "targetRef": {"kind": "Mesh"},
            "to": [{"targetRef": to, "default": default}],
        }
        name = "bench-all" if service is None else f"bench-{service}"
        return {"type": "MeshTimeout", "mesh": MESH, "name": name, "spec": spec}

    def metadata(self, proxy: int) -> dict[str, Any]:
        """The node metadata that kuma-dp's bootstrap gives to Envoy."""
        return {
            "version": {
                "kumaDp": {"version": "2.14.3", "gitTag": "", "gitCommit": "", "buildDate": ""},
                "envoy": {"version": "1.40.0", "build": "", "kumaDpCompatible": True},
            },
            "features": [
                "feature-tcp-accesslog-via-named-pipe",
                "feature-delta-grpc",
                "feature-readiness-unix-socket",
            ],
            "workdir": f"/tmp/kuma-dp-{proxy}",
            "metricsCertPath": "",
            "metricsKeyPath": "",
            "systemCaPath": "/etc/ssl/certs/ca-certificates.crt",
            "ipv6Enabled": True,
            "dataplane.admin.port": "9901",
            "dataplane.admin.address": "127.0.0.1",
            "dataplane.proxyType": "dataplane",
            "dataplane.readinessReporter.port": "9902",
            "dataplane.resource": json.dumps(self.dataplane(proxy), separators=(",", ":")),
        }


def _inbound(service: str) -> dict[str, Any]:
    tags = {"kuma.io/service": service, "kuma.io/protocol": "http", "version": "v1"}
    return {"port": 8080, "servicePort": 9090, "tags": tags}


def _dataplane(name: str, networking: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Dataplane", "mesh": MESH, "name": name, "networking": networking}
