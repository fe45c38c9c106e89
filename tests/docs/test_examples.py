"""The examples of each page, together, configure proxies, and the real Envoy accepts what they get.

The world of a page is made of what its examples speak of: a proxy for each `app` and each service that
they name, which calls all of them.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from kuma.envoy.snapshot import EnvoyResource
from kuma.plan.machine import LOG_PIPE
from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.resource import AnyResource
from tests.docs.test_pages import PAGES, ROOT, applied, blocks
from tests.resolve.world import an_http_route
from tests.support.builders import a_dataplane, a_mesh, an_inbound, an_outbound
from tests.support.compiled import compiled, unmet
from tests.support.envoy_static import a_key_pair
from tests.support.envoy_validate import rejections

CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n(?P<indent> +)\.\.\.\n +-----END CERTIFICATE-----\n"
)
PROTOCOLS = {"kv": "tcp", "redis": "tcp", "greeter": "grpc"}
ALWAYS = ("web", "api", "kv", "greeter")
DESTINATIONS = ("MeshExternalService", "MeshMultiZoneService", "MeshService")


@cache
def examples(page: Path) -> tuple[AnyResource, ...]:
    """Of the same resource the last one."""
    texts = [CERTIFICATE.sub(certificate, text) for text in (*blocks(page, "yaml"), *applied(page))]
    documents = [each for text in texts for each in yaml.safe_load_all(text) if "type" in each]
    found = [parse_document(REGISTRY, each) for each in documents]
    return tuple({each.key: each for each in found}.values())


def certificate(found: re.Match[str]) -> str:
    """In place of one that a page leaves out."""
    return a_key_pair()[0].decode().replace("\n", f"\n{found['indent']}")


COLLECTORS = ROOT / "docs/resources/meshopentelemetrybackend.md"
IDENTITIES = ROOT / "docs/resources/meshidentity.md"
"""Its policies act on proxies that have a certificate already."""
WITH_POLICIES = [
    page
    for page in PAGES
    if page != IDENTITIES and any(each.kind.is_target_ref_policy for each in examples(page))
]


def named(found: tuple[AnyResource, ...], kind: str) -> set[str]:
    """The names with which the examples refer to that kind."""

    def names(raw: Any) -> Iterator[str]:
        if isinstance(raw, dict):
            if raw.get("kind") == kind and raw.get("name"):
                yield raw["name"]
            yield from (name for each in raw.values() for name in names(each))
        elif isinstance(raw, list):
            yield from (name for each in raw for name in names(each))

    return {name for each in found for name in names(each.spec.to_json())}


def world(found: tuple[AnyResource, ...]) -> list[AnyResource]:
    """All of `found`, and what is missing around it."""
    made = {each.key: each for each in found}
    mesh = a_mesh(mtls=True)
    made.setdefault(mesh.key, mesh)
    collectors = (each for each in examples(COLLECTORS) if not each.kind.is_target_ref_policy)
    made = {**{each.key: each for each in collectors}, **made}
    routes = {each.name for each in found if each.kind.name == "MeshHTTPRoute"}
    everything = {"matches": [{"path": {"type": "PathPrefix", "value": "/x"}}], "default": {}}
    for name in named(found, "MeshHTTPRoute") - routes:
        route = an_http_route(name, "api", everything)
        made.setdefault(route.key, route)
    services = sorted({*apps(found), *named(found, "MeshService"), *ALWAYS})
    for at, service in enumerate(services):
        protocol = PROTOCOLS.get(service, "http")
        dataplane = a_dataplane(
            f"a-{service}",
            address=f"192.168.0.{at + 1}",
            inbounds=[an_inbound(service, protocol=protocol)],
            outbounds=outbounds(found, services),
            labels={"app": service, "kuma.io/workload": service},
        )
        made.setdefault(dataplane.key, dataplane)
    return list(made.values())


def apps(found: tuple[AnyResource, ...]) -> set[str]:
    return {
        app
        for each in found
        for app in re.findall(r"'labels': \{'app': '([^']+)'", str(each.spec.to_json()))
    }


def outbounds(found: tuple[AnyResource, ...], services: list[str]) -> list[dict[str, Any]]:
    made = [an_outbound(service, 10_000 + at) for at, service in enumerate(services)]
    for each in found:
        if each.kind.name in DESTINATIONS and each.kind.ports is not None:
            for number, _ in each.kind.ports(each.spec):
                ref = {"kind": each.kind.name, "name": each.name, "port": number}
                made.append({"port": 20_000 + len(made), "backendRef": ref})
    return made


def configurations(
    resources: list[AnyResource], *features: str
) -> dict[str, tuple[EnvoyResource, ...]]:
    return {
        each.name: compiled(resources, each.name, features=features)
        for each in resources
        if each.kind is DATAPLANE
    }


@pytest.mark.parametrize("page", WITH_POLICIES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_policy_of_a_page_changes_what_envoy_gets(page: Path) -> None:
    resources = world(examples(page))
    policies = [each for each in examples(page) if each.kind.is_target_ref_policy]
    bare = [each for each in resources if each not in policies]
    before = configurations(bare, LOG_PIPE)
    without = [each for each in policies if configurations([*bare, each], LOG_PIPE) == before]
    assert [each.name for each in without] == []


def test_envoy_accepts_what_the_examples_of_all_pages_make() -> None:
    made = {
        f"{page.stem} {proxy}": found
        for page in PAGES
        if examples(page)
        for proxy, found in configurations(world(examples(page))).items()
    }
    assert {name: problems for name, found in made.items() if (problems := unmet(found))} == {}
    assert rejections(made) == {}
