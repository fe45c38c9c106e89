"""What a proxy gets, through the whole pipeline, without a control plane."""

import json
from collections.abc import Iterable

from kuma.envoy.constraints import violations
from kuma.envoy.print import parse_message
from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.kit.incremental import Engine
from kuma.pipeline.compile import Compiler
from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.index import Index
from kuma.pipeline.traits import Traits, traits_input
from kuma.pipeline.view import TrackedView
from kuma.policies.catalogue import POLICIES
from kuma.policies.placements import PLACEMENTS
from kuma.policies.shapers import SHAPERS
from kuma.resolve.explain import attached_policies, explain_rules
from kuma.resolve.redirection import Said
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def compiled(
    resources: Iterable[AnyResource],
    proxy: str,
    *,
    zone: str = "",
    features: tuple[str, ...] = (),
) -> tuple[EnvoyResource, ...]:
    """Everything that can be asked about the proxy is asked, too."""
    engine = Engine()
    view = TrackedView(engine, mesh="default", zone=zone, placements=PLACEMENTS)
    compiler = Compiler(engine, Renderer(SHAPERS), lambda _: view, lambda _: ())
    index = Index(engine, [kind.name for kind in POLICIES])
    index.changed([Change(each.key, each) for each in resources])
    key = ProxyKey("default", proxy)
    traits = Traits(
        admin_port=9901,
        readiness_port=9902,
        system_ca_path=SYSTEM_CA,
        said=Said(features),
        work_dir="/tmp/kuma-dp",
    )
    engine.set(traits_input(key), traits)
    outcome = engine.observe(lambda: None, compiler.outcome, key)
    json.dumps(explain_rules(view, proxy))
    json.dumps(attached_policies(view, proxy))
    compiler.problems(view, proxy, traits)
    snapshot = outcome.value().snapshot
    return tuple(each for url in TypeUrl for each in snapshot.of(url).values())


def unmet(resources: Iterable[EnvoyResource]) -> list[str]:
    """The constraints of Envoy's API that do not hold."""
    return [text for each in resources for text in violations(parse_message(each))]
