"""A mesh with everything that a policy may speak of, proxies that see all of it, and the names of its
services.

`web` calls at explicit ports, `open` by redirection; both serve HTTP, gRPC and TCP.
"""

import json
from collections.abc import Callable, Hashable
from typing import Any

import yaml

from kuma.app.control_plane.checks import CHECKS
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.incremental import Engine
from kuma.pipeline.compile import Compiler
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.hostnames import Hostnames
from kuma.pipeline.index import Index
from kuma.pipeline.traits import Traits, traits_input
from kuma.pipeline.view import TrackedView
from kuma.plan.machine import LOG_PIPE, OTEL_PIPE
from kuma.plan.otel_env import parse_otel_env
from kuma.policies.catalogue import POLICIES, REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.redirection import Said
from kuma.resources.admission import admit
from kuma.resources.codec import parse_document
from kuma.resources.computed_labels import Place
from kuma.resources.errors import InvalidResource
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.field_pairs import Refused
from tests.support.replicas import replica_of

ZONE = "east"
_TRAITS: dict[str, Any] = {
    "admin_port": 9901,
    "readiness_port": 9902,
    "system_ca_path": "/etc/ssl/certs/ca-certificates.crt",
    "work_dir": "/tmp/kuma-dp",
    "metrics_cert": "/tmp/metrics.crt",
    "metrics_key": "/tmp/metrics.key",
}
_ENV = {
    "shared": {"endpointPresent": True},
    "traces": {"endpointPresent": True, "overrideKinds": ["endpoint"]},
}
_SERVICES = """
- {type: Mesh, name: default, meshServices: {mode: Everywhere}, mtls: {enabledBackend: ca, backends: [{name: ca, type: builtin}]}}
- type: Dataplane
  name: web
  labels: {team: blue, kuma.io/workload: web}
  networking: &networking
    address: 192.168.0.1
    inbound:
      - {name: http, port: 80, servicePort: 8080, tags: {kuma.io/service: web, kuma.io/protocol: http, kuma.io/zone: east, team: blue}}
      - {name: grpc, port: 81, servicePort: 8081, tags: {kuma.io/service: greeter, kuma.io/protocol: grpc, kuma.io/zone: east, team: green}}
      - {name: tcp, port: 82, servicePort: 8082, tags: {kuma.io/service: store, kuma.io/protocol: tcp, kuma.io/zone: east}}
    outbound:
      - {port: 9001, tags: {kuma.io/service: api}}
      - {port: 9002, tags: {kuma.io/service: echo}}
      - {port: 9003, tags: {kuma.io/service: db}}
      - {port: 9004, tags: {kuma.io/service: outside}}
      - {port: 9011, backendRef: {kind: MeshService, name: orders, port: 80}}
      - {port: 9012, backendRef: {kind: MeshService, name: orders, port: 90}}
      - {port: 9013, backendRef: {kind: MeshExternalService, name: bank, port: 443}}
      - {port: 9014, backendRef: {kind: MeshMultiZoneService, name: all-orders, port: 80}}
- type: Dataplane
  name: open
  labels: {team: red}
  networking:
    address: 192.168.0.9
    inbound:
      - {name: http, port: 80, servicePort: 8080, tags: {kuma.io/service: open, kuma.io/protocol: http, team: red}}
      - {name: tcp, port: 82, servicePort: 8082, tags: {kuma.io/service: open-tcp, kuma.io/protocol: tcp}}
    transparentProxying: {redirectPortInbound: 15006, redirectPortOutbound: 15001}
- {type: Dataplane, name: api-1, networking: {address: 192.168.0.2, inbound: [{port: 80, tags: {kuma.io/service: api, kuma.io/protocol: http, version: v1, kuma.io/zone: east, team: blue}}]}}
- {type: Dataplane, name: api-2, labels: {kuma.io/zone: west}, networking: {address: 192.168.0.3, inbound: [{port: 80, tags: {kuma.io/service: api, kuma.io/protocol: http, version: v2, kuma.io/zone: west}}]}}
- {type: Dataplane, name: api-3, labels: {kuma.io/zone: south}, networking: {address: 192.168.0.4, inbound: [{port: 80, tags: {kuma.io/service: api, kuma.io/protocol: http, version: v1, kuma.io/zone: south}}]}}
- {type: Dataplane, name: echo-1, networking: {address: 192.168.0.5, inbound: [{port: 80, tags: {kuma.io/service: echo, kuma.io/protocol: grpc}}]}}
- {type: Dataplane, name: db-1, networking: {address: 192.168.0.6, inbound: [{port: 80, tags: {kuma.io/service: db, kuma.io/protocol: tcp, version: v1}}]}}
- {type: Dataplane, name: db-2, networking: {address: 192.168.0.7, inbound: [{port: 80, tags: {kuma.io/service: db, kuma.io/protocol: tcp, version: v2}}]}}
- {type: Dataplane, name: orders-1, labels: {app: orders}, networking: {address: 192.168.0.8, inbound: [{name: main, port: 80, tags: {kuma.io/service: orders, kuma.io/protocol: http}}, {name: raw, port: 90, tags: {kuma.io/service: orders-raw, kuma.io/protocol: tcp}}]}}
- {type: MeshService, name: hidden, spec: {selector: {dataplaneTags: {kuma.io/service: api}}, ports: [{name: main, port: 80, targetPort: 80, appProtocol: http}]}, status: {vips: [{ip: 241.0.0.2}]}}
- {type: ExternalService, name: outside, tags: {kuma.io/service: outside, kuma.io/protocol: http}, networking: {address: "outside.example.com:80"}}
- type: MeshService
  name: orders
  labels: {team: orders}
  spec:
    state: Available
    selector: {dataplaneTags: {kuma.io/service: orders}}
    ports: [{name: main, port: 80, targetPort: 80, appProtocol: http}, {name: raw, port: 90, targetPort: 90, appProtocol: tcp}]
  status: {vips: [{ip: 241.0.0.1}]}
- {type: MeshService, name: elsewhere, labels: {team: elsewhere}, spec: {selector: {dataplaneTags: {kuma.io/service: api}}, ports: [{name: main, port: 80, targetPort: 80, appProtocol: http}, {name: second, port: 81, targetPort: 80, appProtocol: http}]}, status: {vips: [{ip: 241.0.0.3}]}}
- {type: MeshExternalService, name: bank, labels: {team: bank}, spec: {match: {type: HostnameGenerator, port: 443, protocol: http}, endpoints: [{address: bank.example.com, port: 443}]}}
- {type: MeshMultiZoneService, name: all-orders, labels: {team: all-orders}, spec: {selector: {meshService: {matchLabels: {team: orders}}}, ports: [{name: main, port: 80, appProtocol: http}]}}
- {type: MeshOpenTelemetryBackend, name: here, labels: {for: all}, spec: {endpoint: {address: here.example.com, port: 4317}}}
- {type: MeshOpenTelemetryBackend, name: there, labels: {for: some}, spec: {endpoint: {address: there.example.com, port: 4317}}}
- type: MeshHTTPRoute
  name: split
  labels: {team: split}
  spec: {to: [{targetRef: {kind: MeshService, name: api}, rules: [{matches: [{path: {type: PathPrefix, value: /split}}], default: {}}]}]}
- type: MeshHTTPRoute
  name: split-orders
  labels: {team: split-orders}
  spec: {to: [{targetRef: {kind: MeshService, name: orders, sectionName: main}, rules: [{matches: [{path: {type: PathPrefix, value: /split}}], default: {}}]}]}
"""


def documents() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(_SERVICES)
    return [each if each["type"] == "Mesh" else {"mesh": "default", **each} for each in found]


class World:
    """`see` tells what the proxies are configured as when a document is among the others."""

    def __init__(
        self,
        others: list[dict[str, Any]],
        *,
        made: tuple[AnyResource, ...] = (),
        proxies: tuple[str, ...] = ("web", "open"),
        more: Callable[["World", AnyResource], Hashable] = lambda _, __: None,
    ) -> None:
        """`made`: what no document can say. `more` tells what else comes of a resource."""
        self._more = more
        self._others = [*made]
        for each in others:
            is_ours = each.get("labels", {}).get("kuma.io/zone", ZONE) == ZONE
            self._others.append(self._admitted(each) if is_ours else parse_document(REGISTRY, each))
        self._engine = Engine()
        self.view = TrackedView(self._engine, mesh="default", zone=ZONE, placements=PLACEMENTS)
        self._compiler = Compiler(
            self._engine, Renderer(SHAPERS), lambda _: self.view, lambda _: ()
        )
        self._index = Index(self._engine, [kind.name for kind in POLICIES])
        self._index.changed([Change(each.key, each) for each in self._others])
        for proxy in proxies:
            self._engine.set(traits_input(ProxyKey("default", proxy)), _traits(proxy))
        self._outcomes = {
            proxy: self._engine.observe(
                lambda: None, self._compiler.outcome, ProxyKey("default", proxy)
            )
            for proxy in proxies
        }
        self._names = Hostnames(ZONE)
        for each in self._others:
            self._names.changed(Change(each.key, each))
        self._seen: dict[str, Hashable] = {}

    def see(self, document: dict[str, Any]) -> Hashable:
        text = json.dumps(document, sort_keys=True)
        if text not in self._seen:
            self._seen[text] = self._look(text)
        return self._seen[text]

    def _look(self, text: str) -> Hashable:
        try:
            resource = self._admitted(json.loads(text))
        except InvalidResource as refused:
            return Refused(tuple(each.field for each in refused.violations))
        before = next((each for each in self._others if each.key == resource.key), None)
        self._change(resource.key, resource)
        made = frozenset(
            (proxy, each.type_url, each.name, each.version)
            for proxy, outcome in self._outcomes.items()
            for url in TypeUrl
            for each in outcome.value().snapshot.of(url).values()
        )
        names = tuple(
            each.hostname for one in self._others for each in self._names.addresses_of(one.key)
        )
        more = self._more(self, resource)
        self._change(resource.key, before)
        return made, names, more

    def _change(self, key: ResourceKey, resource: AnyResource | None) -> None:
        change = Change(key, resource)
        self._index.changed([change])
        self._names.changed(change)

    def _admitted(self, document: dict[str, Any]) -> AnyResource:
        resource = parse_document(REGISTRY, document)
        checks = [CHECKS[resource.kind.name]] if resource.kind.name in CHECKS else []
        mesh = next((each for each in self._others if each.kind.name == "Mesh"), None)
        return admit(  # type: ignore[no-any-return]
            resource,
            None,
            mesh=mesh,
            view=replica_of(*self._others),
            place=Place(ZONE, "universal", "zone"),
            checks=checks,
        )


def _traits(proxy: str) -> Traits:
    """`open` has a kuma-dp that sends on what goes to collectors, as its environment says."""
    if proxy == "web":
        return Traits(**_TRAITS, said=Said((LOG_PIPE,)))
    return Traits(**_TRAITS, said=Said((LOG_PIPE, OTEL_PIPE)), otel=parse_otel_env(_ENV))
