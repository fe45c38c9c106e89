"""Whatever is accepted, however odd, is compiled without an exception into what Envoy accepts.

`KUMA_FUZZ_CASES=5000 pytest tests/pipeline/test_accepted_documents.py` tries more of them, and
`KUMA_FUZZ_SEED=2` others.
"""

import json
import os
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from kuma.app.control_plane.checks import CHECKS
from kuma.envoy.snapshot import EnvoyResource
from kuma.policies.catalogue import REGISTRY
from kuma.resources.admission import admit
from kuma.resources.codec import document_bytes, parse_document, to_document
from kuma.resources.computed_labels import Place
from kuma.resources.errors import InvalidResource
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.rules import is_ip
from kuma.resources.resource import AnyResource
from tests.support.compiled import compiled, unmet
from tests.support.envoy_validate import rejections
from tests.support.near_valid import Context, Raw, near_valid, places_of
from tests.support.replicas import replica_of

CASES = int(os.environ.get("KUMA_FUZZ_CASES", "30"))
SEED = int(os.environ.get("KUMA_FUZZ_SEED", "1"))
SAMPLE = 150
"""So many of the resources that were made, for each kind, Envoy itself is shown."""
KINDS = [kind.name for kind in REGISTRY if places_of(kind.name)]


def accepted(raw: Raw, others: list[AnyResource]) -> AnyResource | None:
    """As it is stored; None if it is refused, which is always by InvalidResource."""
    place = Place("east", "universal", "zone")
    mesh = next((each for each in others if each.kind.name == "Mesh"), None)
    with suppress(InvalidResource):
        resource = parse_document(REGISTRY, raw)
        checks = [CHECKS[resource.kind.name]] if resource.kind.name in CHECKS else []
        view = replica_of(*others)
        return admit(resource, None, mesh=mesh, view=view, place=place, checks=checks)  # type: ignore[arg-type]
    return None


def check_document(resource: AnyResource) -> None:
    """It is shown as it was written, and can be written as it is shown."""
    shown = to_document(resource)
    assert json.loads(document_bytes(resource)) == shown
    assert parse_document(REGISTRY, shown).spec == resource.spec


def is_located(resource: AnyResource) -> bool:
    """Names are looked up before the pipeline sees them."""
    if not isinstance(resource.spec, DataplaneSpec):
        return True
    networking = resource.spec.networking
    return all(is_ip(each) for each in (networking.address, networking.advertised_address) if each)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_accepted_is_compiled_and_accepted_by_envoy(kind: str) -> None:
    made: dict[str, tuple[EnvoyResource, ...]] = {}
    known: set[Any] = set()
    tried: list[bool] = []

    @seed(SEED)
    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if CASES > 100 else [])],
        suppress_health_check=list(HealthCheck),
    )
    @given(near_valid(kind))
    def compiles(case: tuple[Context, int, Raw]) -> None:
        context, position, raw = case
        documents = [json.loads(text) for text in context.documents]
        others = [parse_document(REGISTRY, each) for each in documents]
        resource = accepted(raw, others)
        tried.append(resource is not None)
        if resource is None or not is_located(resource):
            return
        check_document(resource)
        resources = compiled(
            [*others[:position], resource, *others[position + 1 :]],
            context.proxy,
            zone=context.zone,
            features=context.features,
        )
        assert unmet(resources) == [], json.dumps(raw)
        new = {(each.type_url, each.name, each.version) for each in resources} - known
        if new:
            known.update(new)
            made[json.dumps(raw)] = resources

    compiles()
    print(f"{kind}: {sum(tried)} of {len(tried)} accepted, {len(made)} shown to Envoy")
    if kind == "MeshProxyPatch":
        return  # it may ask for what Envoy does not take, and the user is told
    every = max(1, len(made) // SAMPLE)
    assert rejections(dict(list(made.items())[::every])) == {}
