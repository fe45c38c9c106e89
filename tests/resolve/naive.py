"""What holds for one proxy, by a naive reading of the rules: every policy is asked about this one proxy,
in no clever way. Written from reference 14, not from `resolve`.

    policies of the mesh -> selects? -> sorted, weakest first -> entries that hold -> confs
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

from kuma.resources.resource import AnyResource
from tests.resolve.naive_world import (
    DESTINATIONS,
    DISPLAY,
    EFFECT,
    NS,
    ORIGIN,
    ROLE,
    ROLES,
    SERVICE,
    ZONE,
    Drawn,
    Raw,
    section_of,
)

KINDS = (
    *("Mesh", "Dataplane", "MeshSubset", "MeshGateway", "MeshService", "MeshExternalService"),
    *("MeshMultiZoneService", "MeshServiceSubset", "MeshHTTPRoute"),
)
"""Weakest first."""
ON_ROUTE = "MeshHTTPRoute"
Conf = Mapping[str, Any]


# Which policies hold


def top(policy: AnyResource) -> Raw:
    return policy.spec.to_json().get("targetRef") or {"kind": "Mesh"}


def entries(policy: AnyResource, field: str) -> list[Raw]:
    found: list[Raw] = policy.spec.to_json().get(field, [])
    return found


def display(resource: AnyResource) -> str:
    return resource.labels.get(DISPLAY, resource.name)


def route_called(name: str, mesh: Drawn) -> AnyResource | None:
    return next((each for each in mesh.routes if display(each) == name), None)


def selects(policy: AnyResource, mesh: Drawn) -> tuple[list[int], bool]:
    """The positions of inbounds, and whether it selects the delegated gateway that it is."""
    if policy.labels.get(EFFECT) == "shadow" or not applies(policy, mesh.dataplane):
        return [], False
    target, scope = top(policy), policy
    if target["kind"] == ON_ROUTE:
        route = route_called(target["name"], mesh)
        if route is None or not applies(route, mesh.dataplane):
            return [], False
        scope, target = route, top(route)
    return chosen(target, scope, mesh.dataplane)


def chosen(target: Raw, scope: AnyResource, dataplane: AnyResource) -> tuple[list[int], bool]:
    networking = dataplane.spec.to_json()["networking"]
    inbounds, gateway = networking.get("inbound", []), networking.get("gateway")
    mine = "Gateway" if gateway else "Sidecar"
    if mine not in target.get("proxyTypes", [mine]):
        return [], False
    if target["kind"] == "Dataplane":
        section = target.get("sectionName")
        if not is_named(target, scope, dataplane):
            return [], False
        sections = [each.get("name") or str(each["port"]) for each in inbounds]
        return [at for at, each in enumerate(sections) if section in {None, each}], bool(gateway)
    if target["kind"] not in {"Mesh", "MeshSubset", "MeshService", "MeshServiceSubset"}:
        return [], False
    wanted = dict(target.get("tags", {}))
    if target["kind"].startswith("MeshService"):
        wanted[SERVICE] = target["name"]
    found = [at for at, each in enumerate(inbounds) if has(each["tags"], wanted)]
    return found, bool(gateway) and has(gateway["tags"], wanted)


def has(tags: Raw, wanted: Raw) -> bool:
    return all(key in tags and text in {"*", tags[key]} for key, text in wanted.items())


def applies(policy: AnyResource, dataplane: AnyResource) -> bool:
    mine, its = policy.labels, dataplane.labels
    role = mine.get(ROLE, "system")
    elsewhere = mine.get(ORIGIN) == "zone" and mine.get(ZONE, its.get(ZONE)) != its.get(ZONE)
    if elsewhere and role != "producer" and its.get(ORIGIN) == "zone":
        return False
    if role in {"consumer", "workload-owner"}:
        return NS in mine and mine[NS] == its.get(NS)
    return True


def is_named(target: Raw, policy: AnyResource, resource: AnyResource) -> bool:
    """A name is one within the zone and the namespace of the policy, or that which the target names."""
    mine, its = policy.labels, {DISPLAY: resource.name, **resource.labels}
    if "name" not in target:
        return bool(target.get("labels", {}).items() <= its.items())
    here = target.get("namespace", mine.get(NS)) == its.get(NS) and mine.get(ZONE) == its.get(ZONE)
    if resource.kind.name == "MeshMultiZoneService":
        here = True  # it is of all zones
    return target["name"] == display(resource) and here


# Which of them are stronger


def strength(policy: AnyResource, other: AnyResource) -> list[int]:
    """What is compared first to last; positive: `policy` is the stronger."""
    mine, its = top(policy), top(other)
    dataplane = 0
    if mine["kind"] == its["kind"] == "Dataplane":
        dataplane = ("name" in mine and "labels" in its) - ("name" in its and "labels" in mine)
        dataplane = dataplane or ("sectionName" in mine) - ("sectionName" in its)

    def origin(one: AnyResource) -> int:
        return ["global", None, "zone"].index(one.labels.get(ORIGIN))

    def role(one: AnyResource) -> int:
        return ROLES.index(one.labels.get(ROLE, "system"))

    return [
        KINDS.index(mine["kind"]) - KINDS.index(its["kind"]),
        dataplane,
        origin(policy) - origin(other),
        role(policy) - role(other),
    ]


def by_name(one: AnyResource, other: AnyResource) -> list[int]:
    """The alphabetically first is the strongest; those that are called alike stay in their order."""
    mine, its = display(one), display(other)
    return [(mine < its) - (mine > its)]


def first_difference(differences: Sequence[int]) -> int:
    return next((each for each in differences if each), 0)


def weakest_first(found: Sequence[AnyResource]) -> list[AnyResource]:
    def compare(one: AnyResource, other: AnyResource) -> int:
        return first_difference([*strength(one, other), *by_name(one, other)])

    return sorted(sorted(found, key=lambda each: each.name), key=cmp_to_key(compare))


def calling(policies: Sequence[AnyResource], mesh: Drawn) -> list[AnyResource]:
    """Those that hold for what the proxy calls."""
    return weakest_first([each for each in policies if any(selects(each, mesh))])


def at_inbound(mesh: Drawn, position: int) -> list[AnyResource]:
    return weakest_first([each for each in mesh.policies if position in selects(each, mesh)[0]])


# What is said of a service that is known by its tag


def of_service(found: Sequence[AnyResource], service: str) -> list[tuple[AnyResource, Raw]]:
    """Entries of `to`, weakest first. A policy that names routes in `to` is about resources."""
    return [
        (policy, entry)
        for policy in found
        if top(policy)["kind"] != ON_ROUTE and not names_routes(policy)
        for entry in entries(policy, "to")
        if entry["targetRef"] == {"kind": "Mesh"}
        or (
            entry["targetRef"].get("name") == service
            and entry["targetRef"]["kind"] == "MeshService"
        )
    ]


def names_routes(policy: AnyResource) -> bool:
    return any(entry["targetRef"]["kind"] == ON_ROUTE for entry in entries(policy, "to"))


def to_service(mesh: Drawn, service: str) -> list[Conf]:
    return [e["default"] for _, e in of_service(calling(mesh.policies, mesh), service)]


def to_service_by_route(mesh: Drawn, service: str, path: str) -> list[Conf]:
    """Policies on a route as a whole are about its rules, by their matches; with what is said of the
    destination. An entry that names the route comes last."""
    found = calling(mesh.policies, mesh)
    said: list[Conf] = []
    for policy in found:
        if top(policy)["kind"] != ON_ROUTE:
            said += [entry["default"] for _, entry in of_service([policy], service)]
            continue
        route = route_called(top(policy)["name"], mesh)
        if names_routes(policy) or route is None:
            continue
        for entry in entries(route, "to"):
            if entry["targetRef"].get("name", "") != service:
                continue
            for rule in entry["rules"]:
                if path_of(rule) == path:
                    said += [each["default"] for each in entries(policy, "to")]
    origin = routes_of_service(mesh, service).get(path)
    return said + (named_route(found, origin) if origin else [])


def routes_of_service(mesh: Drawn, service: str) -> dict[str, AnyResource | None]:
    """The paths that there are, each with the strongest of the policies that have it."""
    return by_path(of_service(calling(mesh.routes, mesh), service))


def by_path(found: Sequence[tuple[AnyResource, Raw]]) -> dict[str, AnyResource | None]:
    made: dict[str, AnyResource | None] = {"/": None}
    made |= {path_of(rule): policy for policy, entry in found for rule in entry["rules"]}
    return made


def path_of(rule: Raw) -> str:
    found: str = rule["matches"][0]["path"]["value"]
    return found


# What is said of a resource


def sorted_entries(found: Sequence[AnyResource]) -> list[tuple[AnyResource, Raw]]:
    """Entries of all policies are sorted, not the policies."""
    items = [
        (policy, entry)
        for policy in found
        if top(policy)["kind"] != ON_ROUTE
        for entry in entries(policy, "to")
    ]

    def compare(one: tuple[AnyResource, Raw], other: tuple[AnyResource, Raw]) -> int:
        mine, its = one[1]["targetRef"], other[1]["targetRef"]
        return first_difference(
            [
                *strength(one[0], other[0]),
                KINDS.index(mine["kind"]) - KINDS.index(its["kind"]),
                ("sectionName" in mine) - ("sectionName" in its),
                *by_name(one[0], other[0]),
            ]
        )

    return sorted(items, key=cmp_to_key(compare))


def of_port(found: Sequence[AnyResource], name: str, port: int) -> list[tuple[AnyResource, Raw]]:
    """Entries of `to`, weakest first."""
    return [
        (policy, entry)
        for policy, entry in sorted_entries(found)
        if means(entry["targetRef"], policy, DESTINATIONS[name], port)
    ]


def means(target: Raw, policy: AnyResource, resource: AnyResource, port: int) -> bool:
    """A port is named by its name; one without has its number for a name."""
    if target["kind"] == "Mesh":
        return True
    if target["kind"] != resource.kind.name:
        return False
    kubernetes = target.get("name", "").split("_")
    by_tag = resource.kind.name == "MeshService" and "sectionName" not in target
    if by_tag and "svc" in kubernetes[2:3]:
        name, namespace, _, *number = kubernetes
        wanted = {DISPLAY: name, NS: namespace}
        return wanted.items() <= resource.labels.items() and number in ([], [str(port)])
    section = target.get("sectionName")
    return is_named(target, policy, resource) and section in {
        None,
        section_of(resource.name, port),
    }


def to_port(mesh: Drawn, name: str, port: int) -> list[Conf]:
    return [entry["default"] for _, entry in of_port(calling(mesh.policies, mesh), name, port)]


def routes_of_port(mesh: Drawn, name: str, port: int) -> dict[str, AnyResource | None]:
    return by_path(of_port(calling(mesh.routes, mesh), name, port))


def to_port_by_route(mesh: Drawn, name: str, port: int, path: str) -> list[Conf]:
    """What names the route holds with what is said of the mesh, in place of what is said of the port."""
    found = calling(mesh.policies, mesh)
    origin = routes_of_port(mesh, name, port).get(path)
    if origin is None or not named_route(found, origin):
        return to_port(mesh, name, port)
    return [
        entry["default"]
        for policy, entry in sorted_entries(found)
        if entry["targetRef"]["kind"] == "Mesh" or names_route(entry, policy, origin)
    ]


def names_route(entry: Raw, policy: AnyResource, route: AnyResource) -> bool:
    return entry["targetRef"]["kind"] == ON_ROUTE and is_named(entry["targetRef"], policy, route)


def named_route(found: Sequence[AnyResource], route: AnyResource) -> list[Conf]:
    """What the entries say that name this route."""
    return [
        entry["default"]
        for policy, entry in sorted_entries(found)
        if names_route(entry, policy, route)
    ]


# What is said of an inbound


def received(mesh: Drawn, position: int, identity: str, sni: str) -> list[Conf]:
    """For a client that calls it."""
    rules: list[tuple[Any, Raw]] = []
    for policy in at_inbound(mesh, position):
        for entry in entries(policy, "rules") or entries(policy, "from"):
            matches = entry.get("matches") or [{}]
            met = [match for match in matches if is_met(match, identity, sni)]
            rules += [(specificity(match), entry["default"]) for match in met]
    return [conf for _, conf in sorted(rules, key=lambda each: each[0])]


def is_met(match: Raw, identity: str, sni: str) -> bool:
    spiffe, name = match.get("spiffeID"), match.get("sni")
    if name and name["value"] != sni:
        return False
    if not spiffe:
        return True
    value: str = spiffe["value"]
    return identity == value if spiffe["type"] == "Exact" else identity.startswith(value)


def specificity(match: Raw) -> tuple[bool, bool, int, bool]:
    spiffe = match.get("spiffeID")
    exact = bool(spiffe) and spiffe["type"] == "Exact"
    return bool(spiffe), exact, len(spiffe["value"]) if spiffe else 0, "sni" in match


def permitted(mesh: Drawn, position: int, tags: Raw) -> str | None:
    """The action for a client with these tags; None: nobody speaks of it."""
    actions = [
        entry["default"]["action"]
        for policy in at_inbound(mesh, position)
        for entry in entries(policy, "from")
        if has(
            tags,
            {
                **entry["targetRef"].get("tags", {}),
                **({SERVICE: entry["targetRef"]["name"]} if "name" in entry["targetRef"] else {}),
            },
        )
    ]
    return actions[-1] if actions else None


def admitted(mesh: Drawn, position: int, identity: str, sni: str) -> bool | None:
    """Whether a client with this identity may call; None: no rule speaks of identities. An empty match
    is nobody's."""
    rules = [e["default"] for p in at_inbound(mesh, position) for e in entries(p, "rules")]

    def any_of(*lists: str) -> Iterator[bool]:
        return (
            bool(match) and is_met(match, identity, sni)
            for conf in rules
            for each in lists
            for match in conf.get(each, ())
        )

    if not rules:
        return None
    return not any(any_of("deny")) and any(any_of("allow", "allowWithShadowDeny"))


# What is said of the proxy


def of_proxy(mesh: Drawn) -> list[Conf]:
    return [each.spec.to_json().get("default", {}) for each in calling(mesh.policies, mesh)]
