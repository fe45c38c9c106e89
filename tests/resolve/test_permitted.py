"""With `autoReachableServices` a proxy reaches what lets it call, and no more."""

from typing import Any

import pytest

from kuma.plan.proxy import ProxyPlan
from kuma.resolve.proxy import resolve_proxy, sender_of
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.service_status import with_vip
from kuma.resources.resource import AnyResource
from tests.resolve.world import (
    MESH_TARGET,
    a_permission,
    a_policy,
    a_view,
    an_external_mesh_service,
    virtual_outbounds,
)
from tests.support.builders import a_dataplane, a_mesh, a_resource, an_external_service

PORTS = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001}
Target = dict[str, Any]


def a_client(service: str, name: str = "", **fields: Any) -> AnyResource:
    """Redirected; `fields` are those of transparentProxying, but for `tags`."""
    tags = {"kuma.io/zone": "east", "version": "v1"}
    tags |= fields.pop("tags", {})
    networking = {"transparentProxying": {**PORTS, **fields}}
    return a_dataplane(name or f"{service}-1", service=service, tags=tags, networking=networking)


CLIENTS = [a_client("a"), a_client("b", tags={"version": "v2"})]
OUTSIDE = an_external_service("outside", service="outside")


def known(name: str, vip: str) -> AnyResource:
    """A MeshService, as it is made of the Dataplanes of a service."""
    selector = {"dataplaneTags": {"kuma.io/service": name}}
    spec = {"selector": selector, "ports": [{"port": 8080, "appProtocol": "http"}]}
    labels = {"kuma.io/zone": "east", "kuma.io/origin": "zone"}
    return with_vip(a_resource(MESH_SERVICE, name, spec, labels=labels), vip)


WORLD = [
    a_mesh(spec={"meshServices": {"mode": "Everywhere"}}),
    virtual_outbounds("a", "b", external=[OUTSIDE]),
    OUTSIDE,
    known("a", "241.0.0.0"),
    known("b", "241.0.0.1"),
    an_external_mesh_service("payments", "242.0.0.0"),
    *CLIENTS,
]
"""Every service is known by its tag and as a MeshService."""


def subset(**tags: str) -> Target:
    return {"kind": "MeshSubset", "tags": tags}


def service(name: str, **tags: str) -> Target:
    if not tags:
        return {"kind": "MeshService", "name": name}
    return {"kind": "MeshServiceSubset", "name": name, "tags": tags}


ALL = {"a", "b", "outside", "ms/a", "ms/b"}
A, B = {"a", "ms/a"}, {"b", "ms/b"}
EAST, WEST = {"kuma.io/zone": "east"}, {"kuma.io/zone": "west"}

CASES: dict[str, tuple[list[AnyResource], dict[str, set[str]]]] = {
    "nobody": ([], {"a": set(), "b": set()}),
    "allow all": ([a_permission("p", (MESH_TARGET, "Allow"))], {"a": ALL, "b": ALL}),
    "deny all": ([a_permission("p", (MESH_TARGET, "Deny"))], {"a": set(), "b": set()}),
    "shadow deny": (
        [a_permission("p", (MESH_TARGET, "AllowWithShadowDeny"))],
        {"a": ALL, "b": ALL},
    ),
    "a policy that is only looked at": (
        [a_permission("p", (MESH_TARGET, "Allow"), labels={"kuma.io/effect": "shadow"})],
        {"a": set(), "b": set()},
    ),
    "one connection": (
        [a_permission("p", (service("a"), "Allow"), top=service("b"))],
        {"a": B, "b": set()},
    ),
    "all but one connection": (
        [
            a_permission("p", (MESH_TARGET, "Allow")),
            a_permission("q", (service("a"), "Deny"), top=service("b")),
        ],
        {"a": ALL - B, "b": ALL},
    ),
    "a service that lets in one": (
        [
            a_permission("p", (MESH_TARGET, "Allow")),
            a_permission("q", (MESH_TARGET, "Deny"), (service("a"), "Allow"), top=service("b")),
        ],
        {"a": ALL, "b": ALL - B},
    ),
    "some instances of a service count for all of them": (
        [a_permission("p", (MESH_TARGET, "Allow"), top=service("b", version="v9"))],
        {"a": B, "b": B},
    ),
    "clients by a tag": (
        [a_permission("p", (subset(version="v1"), "Allow"))],
        {"a": ALL, "b": set()},
    ),
    "clients by service and tag": (
        [a_permission("p", (service("b", version="v2"), "Allow"), top=service("a"))],
        {"a": set(), "b": A},
    ),
    "clients of another version": (
        [a_permission("p", (service("b", version="v1"), "Allow"), top=service("a"))],
        {"a": set(), "b": set()},
    ),
    "a tag that nobody has": (
        [a_permission("p", (subset(team="x"), "Allow"))],
        {"a": set(), "b": set()},
    ),
    "clients of the zone": (
        [a_permission("p", (subset(**EAST), "Allow"))],
        {"a": ALL, "b": ALL},
    ),
    "the zone of a MeshService is known, that of a service by tags is passed over": (
        [a_permission("p", (MESH_TARGET, "Allow"), top=subset(**WEST))],
        {"a": {"a", "b", "outside"}, "b": {"a", "b", "outside"}},
    ),
    "of two targets that select all the name decides": (
        [
            a_permission("bbb", (MESH_TARGET, "Deny"), top=subset(version="v1")),
            a_permission("aaa", (MESH_TARGET, "Allow"), top=subset(version="v2")),
        ],
        {"a": ALL, "b": ALL},
    ),
    "the target that is more specific wins": (
        [
            a_permission("aaa", (MESH_TARGET, "Deny")),
            a_permission("bbb", (MESH_TARGET, "Allow"), top=service("outside")),
        ],
        {"a": {"outside"}, "b": {"outside"}},
    ),
}
"""Permissions, and what each client reaches: as Kuma 2.14.3 has it."""


def reached(plan: ProxyPlan) -> set[str]:
    names = {"MeshService": "ms", "MeshExternalService": "mes"}
    return {
        each.service
        if each.resource is None
        else f"{names[each.resource.kind]}/{each.resource.name}"
        for each in plan.outbounds
    }


def reached_by(name: str, *resources: AnyResource) -> set[str]:
    view = a_view(*WORLD, *resources, reaches_permitted_only=True, zone="east")
    return reached(resolve_proxy(view, name))


@pytest.mark.parametrize(("permissions", "expected"), CASES.values(), ids=CASES)
def test_who_is_let_in_reaches(
    permissions: list[AnyResource], expected: dict[str, set[str]]
) -> None:
    found = {name: reached_by(f"{name}-1", *permissions) for name in expected}
    assert found == {name: {*each, "mes/payments"} for name, each in expected.items()}


def by_identity(name: str, action: str, top: Target | None = None) -> AnyResource:
    match = [{"spiffeID": {"type": "Prefix", "value": "spiffe://x/"}}]
    target = {} if top is None else {"targetRef": top}
    spec = {**target, "rules": [{"default": {action: match}}]}
    return a_policy("MeshTrafficPermission", name, spec)


DATAPLANES = {"kind": "Dataplane", "labels": {"app": "b"}}


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        (by_identity("p", "allow"), ALL),
        (by_identity("p", "allowWithShadowDeny"), ALL),
        (by_identity("p", "deny"), set()),
        (by_identity("p", "allow", DATAPLANES), ALL),
        (by_identity("p", "deny", DATAPLANES), set()),
        (a_permission("p", (service("zzz"), "Allow"), top=DATAPLANES), ALL),
        (a_permission("p", (MESH_TARGET, "Deny"), top=DATAPLANES), set()),
    ],
)
def test_what_may_be_let_in_by_what_no_tag_shows_is_reached(
    permission: AnyResource, expected: set[str]
) -> None:
    assert reached_by("a-1", permission) == {*expected, "mes/payments"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reachableServices": ["b"]}, {"b"}),
        (
            {"reachableBackends": {"refs": [{"kind": "MeshService", "labels": EAST}]}},
            {"ms/a", "ms/b"},
        ),
    ],
)
def test_what_is_listed_is_reached_whoever_lets_it_in(
    fields: dict[str, Any], expected: set[str]
) -> None:
    listing = a_client("a", "listing", **fields)
    view = a_view(*WORLD, listing, reaches_permitted_only=True)
    assert reached(resolve_proxy(view, "listing")) == expected


def test_without_the_setting_everything_is_reached() -> None:
    assert reached(resolve_proxy(a_view(*WORLD), "a-1")) == {*ALL, "mes/payments"}


def test_who_is_known_alike_to_permissions_sends_alike() -> None:
    """A tag that no permission asks for tells nobody apart."""
    other = a_client("a", "a-2", tags={"version": "v7"})
    permission = a_permission("p", (service("a"), "Allow"))
    view = a_view(*WORLD, other, permission, reaches_permitted_only=True)
    assert sender_of(view, "a-1") == sender_of(view, "a-2")
