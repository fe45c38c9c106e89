"""A field that is accepted is honoured: another value of it gives some proxy another configuration.

What is not so stands here with its reason. A new field needs a document in `full_specs` that has it.
"""

import re
from functools import cache
from typing import Any

import pytest

from kuma.policies.catalogue import POLICIES, REGISTRY
from tests.policies.full_refs import BACKENDS, CLIENTS, DESTINATIONS, PROXIES
from tests.policies.full_specs import SPECS
from tests.policies.full_world import World, documents
from tests.support.field_pairs import Shown, fields_of, named_values, show

KINDS = [each.name for each in POLICIES]
WHOLES = {
    "to[].targetRef": DESTINATIONS,
    "from[].targetRef": CLIENTS,
    "backendRefs[]": BACKENDS,
    "requestMirror.backendRef": BACKENDS,
    "targetRef": PROXIES,
}
GATEWAYS = "of builtin gateways, which do not exist yet"
TO_OF_GATEWAYS = {"MeshRateLimit", "MeshFaultInjection"}
IGNORED = {
    "MeshHTTPRoute": {
        r".*\.requestMirror\.backendRef\.weight": "of references of a kind, and a mirror has one",
        r".*\.hostToBackendHostname": f"{GATEWAYS}: false means what leaving it out means",
    },
    "MeshRateLimit": {
        r"to\[\]\.default\..*": GATEWAYS,
        r"targetRef\.proxyTypes\[\]": f"sidecars have limits for inbounds only, the rest is {GATEWAYS}",
    },
    "MeshFaultInjection": {r"to\[\]\.default\..*": GATEWAYS},
}
"""Taken without effect, as regular expressions of paths."""

REFUSED = {
    r"(.*\.)?(targetRef|backendRef|backendRefs\[\])\.mesh": "everything is of the policy's mesh",
    r".*\.(targetRef|backendRef|backendRefs\[\])\.proxyTypes\[\]": "only the top selects proxies",
    r"to\[\]\.targetRef\.tags": "destinations are services",
    r"from\[\]\.targetRef\..*": "clients are known by tags, or all of them are meant",
    r"targetRef\.sectionName": "only policies for inbounds may be about one",
    r"to\[\]\.hostnames\[\]": GATEWAYS,
}
"""Whatever else is written there, it is refused, and the field, or what it is in, is named."""

ALIKE = {
    r".*\.tlsVersion\.min": {("TLS12", "TLSAuto")},
    r".*hashPolicies\[\]\.type": {("Connection", "SourceIP")},
}
"""Names that mean the same."""


@cache
def world() -> World:
    return World(documents())


@cache
def shown(kind: str) -> Shown:
    def see(spec: dict[str, Any]) -> Any:
        return world().see({"type": kind, "mesh": "default", "name": "p", "spec": spec})

    return show(REGISTRY.kind(kind).spec, SPECS[kind], see, wholes=WHOLES)


def fields(kind: str) -> dict[str, Any]:
    """But for those that may hold one value only."""
    found = fields_of(REGISTRY.kind(kind).spec)
    return {path: each for path, each in found.items() if len(named_values(each)) != 1}


def is_expected(path: str, patterns: dict[str, Any]) -> bool:
    return any(re.fullmatch(each, path) for each in patterns)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_shows_or_is_refused(kind: str) -> None:
    seen, ignored = shown(kind), IGNORED.get(kind, {})
    refused = {
        **REFUSED,
        **({r"to\[\]\.targetRef\..*": GATEWAYS} if kind in TO_OF_GATEWAYS else {}),
    }
    hidden = [path for path in fields(kind) if path not in seen.fields]
    wrong = [
        path for path in hidden if not is_expected(path, ignored if path in seen.taken else refused)
    ]
    assert wrong == []
    assert [each for each in ignored if not any(re.fullmatch(each, path) for path in hidden)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_two_named_values_mean_something_else(kind: str) -> None:
    seen = shown(kind)
    for path, annotation in fields(kind).items():
        if path in seen.fields and not path.endswith("kind"):
            same = next((each for at, each in ALIKE.items() if re.fullmatch(at, path)), set())
            assert set(seen.alike(path, annotation)) == same, path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_named(kind: str) -> None:
    seen = shown(kind)
    for path in fields(kind):
        if path in seen.fields | seen.taken:
            continue
        place = f"spec.{path.removesuffix('[]')}"
        named = [each for each in seen.refusals[path] if each.startswith(place)]
        around = [each for each in seen.refusals[path] if place.startswith(f"{each}")]
        assert named or around, (path, seen.refusals[path])
