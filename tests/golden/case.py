"""A golden case: `<name>.in.yaml` -> `<name>.plan.yaml`, `<name>.envoy.yaml` beside it.

about: what the case shows, in a sentence
proxy: the Dataplane that is asked about
features: [those that it advertised]        (optional)
zone: that of the control plane             (optional)
tlsReady: [services]                        (optional; all, if it is not there)
machine: {logPipe, hostIp, workDir, metricsCert, metricsKey, spireSocket, otel}     (optional; what the proxy said of its machine)
resources: [documents, as REST takes them]
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic.alias_generators import to_snake

from kuma.envoy.finished import Made, Purpose
from kuma.envoy.print import as_json
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.plan.machine import LOCAL, Machine
from kuma.plan.otel_env import parse_otel_env
from kuma.plan.print import as_plain
from kuma.plan.proxy import Eds, ProxyPlan
from kuma.policies.catalogue import REGISTRY
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.outbounds import endpoints_of
from kuma.resolve.plain_view import PlainMeshView
from kuma.resolve.proxy import resolve_proxy
from kuma.resolve.redirection import Said
from kuma.resources.codec import parse_document

TESTS = Path(__file__).parents[1]
FOLDERS = (TESTS / "golden" / "cases", *sorted((TESTS / "policies").glob("*/cases")))
MADE = (".plan.yaml", ".envoy.yaml")
ASKED = ".in.yaml"
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Case:
    """`is_reversed`: the resources in the opposite order, which must not matter."""

    path: Path
    is_reversed: bool = False

    @property
    def name(self) -> str:
        return str(self.path.relative_to(TESTS)).removesuffix(ASKED).replace("/cases", "")

    def golden(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name.removesuffix(ASKED) + suffix)

    @cached_property
    def _asked(self) -> dict[str, Any]:
        asked: dict[str, Any] = yaml.safe_load(self.path.read_text())
        return asked

    @cached_property
    def _view(self) -> PlainMeshView:
        ready = self._asked.get("tlsReady")
        documents = self._asked["resources"]
        return PlainMeshView(
            [
                parse_document(REGISTRY, raw)
                for raw in (reversed(documents) if self.is_reversed else documents)
            ],
            placements=PLACEMENTS,
            zone=self._asked.get("zone", ""),
            tls_ready=None if ready is None else frozenset(ready),
            machine=_machine(**self._asked.get("machine", {})),
        )

    @cached_property
    def plan(self) -> ProxyPlan:
        said = Said(tuple(self._asked.get("features", ())))
        return resolve_proxy(self._view, self._asked["proxy"], said)

    @cached_property
    def resources(self) -> tuple[EnvoyResource, ...]:
        """By name and type, as the last of each name is sent."""
        renderer, conf = Renderer(SHAPERS), self.plan.conf
        added = renderer.added(conf, system_ca_path=SYSTEM_CA)
        finished = [renderer.finish(made, conf) for made in self._render(renderer)]
        made = [each for found in (*finished, added) for each in found.made]
        return tuple({(m.resource.type_url, m.resource.name): m.resource for m in made}.values())

    def texts(self) -> dict[str, str]:
        """By suffix, what the golden files should hold."""
        return {
            ".plan.yaml": to_yaml(as_plain(self.plan)),
            ".envoy.yaml": to_yaml(by_type(self.resources)),
        }

    def _render(self, renderer: Renderer) -> Iterator[Made]:
        for inbound in self.plan.inbounds:
            parts = (*renderer.inbound(inbound), *renderer.beside(inbound))
            yield from (Made(Purpose.INBOUND, part) for part in parts)
        yield from self._render_redirected(renderer)
        if self.plan.identity is not None and self.plan.identity.agent is not None:
            yield Made(Purpose.SPIRE, renderer.agent(self.plan.identity.agent))
        for outbound in self.plan.outbounds:
            found = (*renderer.outbound(outbound), *renderer.beside(outbound))
            yield from (Made(Purpose.OUTBOUND, part) for part in found if part)
        for destination in self.plan.destinations:
            cluster = renderer.destination(destination, system_ca_path=SYSTEM_CA)
            yield Made(Purpose.OUTBOUND, cluster)
            if isinstance(destination.endpoints, Eds):
                endpoints = endpoints_of(self._view, destination)
                yield Made(Purpose.OUTBOUND, renderer.endpoints(endpoints))

    def _render_redirected(self, renderer: Renderer) -> Iterator[Made]:
        for passed in self.plan.passed_in:
            yield from (Made(Purpose.TRANSPARENT, each) for each in renderer.passed_in(passed))
        for out in self.plan.passed_out:
            found, added = renderer.passed_out(out)
            yield from (Made(Purpose.TRANSPARENT, each) for each in found)
            yield from (Made(Purpose.MESH_PASSTHROUGH, each) for each in added)
        if self.plan.direct is not None:
            found = renderer.direct_access(self.plan.direct)
            yield from (Made(Purpose.DIRECT_ACCESS, each) for each in found)


def _machine(**said: Any) -> Machine:
    named = {to_snake(name): text for name, text in said.items()}
    if "otel" in named:
        named["otel"] = parse_otel_env(named["otel"])
    return Machine(**{"host_ip": LOCAL, "system_ca_path": SYSTEM_CA, **named})


def find_cases() -> list[Case]:
    return [Case(path) for folder in FOLDERS for path in sorted(folder.glob(f"*{ASKED}"))]


def find_left_over() -> list[Path]:
    """Golden files that no case asks for."""
    wanted = {case.golden(suffix) for case in find_cases() for suffix in MADE}
    there = (path for folder in FOLDERS for path in folder.glob("*.yaml"))
    return sorted(path for path in there if path not in wanted and not path.match(f"*{ASKED}"))


def by_type(resources: Iterable[EnvoyResource]) -> dict[str, dict[str, Any]]:
    """In the order in which Envoy should get them, each type sorted by name."""
    shown: dict[str, dict[str, Any]] = {kind.name.lower(): {} for kind in TypeUrl}
    for resource in sorted(resources, key=lambda each: each.name):
        shown[resource.type_url.name.lower()][resource.name] = as_json(resource)
    return {kind: found for kind, found in shown.items() if found}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, and no anchors: a golden is read by people."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def to_yaml(plain: object) -> str:
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
