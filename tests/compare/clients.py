"""What an inbound does with each of several clients, worked out from the filters and routes of either side.

Both say it in ways of their own: in the listener or over RDS, with combinations of tags or one by one,
by what the certificate says or by a header. Here each way is followed as Envoy does, with one exception:
what is asked of the URIs of a certificate holds if it does for one of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tests.compare import targets
from tests.compare.chance import Json

RBAC = "envoy.filters.http.rbac"
FAULT = "envoy.filters.http.fault"
RATE_LIMIT = "envoy.filters.http.local_ratelimit"
BY_CLIENT = (RBAC, FAULT, RATE_LIMIT)
_VARIANTS: tuple[Mapping[str, str], ...] = (
    {},
    {"version": "v1", "kuma.io/protocol": "http"},
    {"version": "v1", "team": "a"},
    {"version": "v2", "team": "b"},
)
_IDS = ("spiffe://m/web", "spiffe://m/api", "spiffe://other/ns/a", "spiffe://m")
SERVER_NAMES = ("", "web.mesh", "a.b")
_MILLION = {"HUNDRED": 10_000, "TEN_THOUSAND": 100, "MILLION": 1}


class Client(NamedTuple):
    """`tags` are what its sidecar tells, and its certificate, if it has one."""

    uris: tuple[str, ...] = ()
    server_name: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.uris, self.server_name, *(f"{k}={v}" for k, v in self.tags)))

    @property
    def header(self) -> str:
        return "".join(f"&{key}={each}&" for key, each in self.tags)


ANYBODY = Client()


def clients(mesh: str) -> Iterator[Client]:
    """With certificates of the mesh, and with others."""
    for each in with_tags():
        tags = dict(each.tags)
        own = f"spiffe://{mesh}/{tags.pop('kuma.io/service')}"
        yield each._replace(uris=(own, *(f"kuma://{key}/{text}" for key, text in tags.items())))
    for uri in _IDS:
        for name in SERVER_NAMES:
            yield Client((uri,), name, (("kuma.io/service", "other"),))


def with_tags() -> Iterator[Client]:
    """Without certificates."""
    for service in (*targets.SERVICES, "edge"):
        for variant in _VARIANTS:
            tags = {"kuma.io/service": service, **variant, "kuma.io/zone": "default"}
            yield Client(tags=tuple(sorted(tags.items())))


def contested(mesh: str, documents: Iterable[Json]) -> Iterator[Client]:
    """Those of whom entries of `from` of several permissions, or of one, say different things."""
    entries = [
        (each["targetRef"], each["default"].get("action"))
        for document in documents
        if document["type"] == "MeshTrafficPermission"
        for each in document["spec"].get("from") or ()
    ]
    for client in clients(mesh):
        tags = dict(client.tags)
        if len({action for target, action in entries if _is_meant(target, tags)}) > 1:
            yield client


def _is_meant(target: Json, tags: Mapping[str, str]) -> bool:
    wanted = dict(target.get("tags") or {})
    if "name" in target:
        wanted["kuma.io/service"] = target["name"]
    return all(key in tags and text in {"*", tags[key]} for key, text in wanted.items())


def permission(config: Json, client: Client) -> Json:
    """Of an RBAC filter, of HTTP or not."""
    return {"is": _permits(config, client), "but": _is_counted(config, client)}


def _permits(config: Json, client: Client) -> bool:
    if matcher := config.get("matcher"):
        action = _decision(matcher, client)
        return action is not None and _config(action).get("action", "ALLOW") == "ALLOW"
    if "rules" in config:
        return _is_named(config["rules"], client)
    return True


def _is_counted(config: Json, client: Client) -> bool:
    """Whether it is let in for the time being only. Those whom no rule names are not, see
    docs/differences.md."""
    if matcher := config.get("shadowMatcher"):
        named = {"matcherList": matcher.get("matcherList", {})}
        return _decision(named, client) is not None
    return "shadowRules" in config and _is_named(config["shadowRules"], client)


def _is_named(rules: Json, client: Client) -> bool:
    policies = rules.get("policies", {}).values()
    return any(_is(each, client) for policy in policies for each in policy["principals"])


def _is(principal: Json, client: Client) -> bool:
    [(kind, body)] = principal.items()
    match kind:
        case "any":
            return bool(body)
        case "andIds":
            return all(_is(each, client) for each in body["ids"])
        case "orIds":
            return any(_is(each, client) for each in body["ids"])
        case "notId":
            return not _is(body, client)
    name = principal["authenticated"].get("principalName")
    return bool(client.uris) if name is None else _any_matches(name, client.uris)


def http(connections: Json, client: Client) -> Json:
    """What a connection manager does with its requests. What comes with the routes is for filters that
    there are."""
    filters = connections.get("httpFilters") or ()
    hosts = connections["routeConfig"].get("virtualHosts") or ()
    there = {each["name"] for each in filters}
    faults = [one for each in filters for one in _faults(each, client)]
    if FAULT in there:
        faults += [_fault(one) for each in hosts for one in _over_rds(each, FAULT, client)]
    return {
        "faults": [each for each in faults if each],
        "permission": [
            permission(_rbac(hosts, each), client) for each in filters if each["name"] == RBAC
        ],
        "routes": [
            one for each in hosts for one in _routes(each, client, is_limited=RATE_LIMIT in there)
        ],
    }


def _rbac(hosts: Iterable[Json], body: Json) -> Json:
    """The rules, which may come with the routes."""
    over_rds = (host.get("typedPerFilterConfig", {}).get(RBAC) for host in hosts)
    return next((each.get("rbac", {}) for each in over_rds if each), _config(body))


def _faults(body: Json, client: Client) -> Iterator[Json]:
    config = _config(body)
    if "extensionConfig" in config:
        inner = config["extensionConfig"]
        if inner["name"] == FAULT and not _is_skipped(config["xdsMatcher"], client):
            yield _fault(_config(inner))
    elif body["name"] == FAULT and _have(client, config.get("headers") or ()):
        yield _fault(config)


def _routes(host: Json, client: Client, *, is_limited: bool) -> list[Json]:
    """Those that are left of a host for this client, without what they ask of it, each with its limits."""
    common = [_limit(each) for each in _over_rds(host, RATE_LIMIT, client)]
    found: list[Json] = []
    for route in host.get("routes") or ():
        match = _match_for(client, route["match"])
        if match is None or any(match == each["match"] for each in found):
            continue
        own = dict(route.get("typedPerFilterConfig", {}))
        limits = [_limit(own.pop(RATE_LIMIT))] if RATE_LIMIT in own else common
        rest = {"limits": limits if is_limited else [], "typedPerFilterConfig": own}
        found.append({**route, "match": match, **rest})
    return found


def _match_for(client: Client, match: Json) -> Json | None:
    """None: it is not for this client."""
    headers = match.get("headers") or ()
    asked = [each for each in headers if each["name"].startswith("x-kuma-client-")]
    if not _have(client, asked) or not _has_state(client, match.get("filterState") or ()):
        return None
    kept = {key: each for key, each in match.items() if key != "filterState"}
    return {**kept, "headers": [each for each in headers if each not in asked]}


def _over_rds(host: Json, name: str, client: Client) -> Iterator[Json]:
    """The filters of that name that a matcher which comes with the routes chooses."""
    matcher = host.get("typedPerFilterConfig", {}).get(name, {}).get("xdsMatcher", {})
    action = _decision(matcher, client)
    if action is not None and "filterChain" in _config(action):
        yield from map(_config, _config(action)["filterChain"]["typedConfig"])


def _fault(config: Json) -> Json:
    kept = {key: each for key, each in config.items() if key not in {"@type", "headers"}}
    return {
        key: {**each, "percentage": _share(each.get("percentage", {}))}
        if isinstance(each, dict)
        else each
        for key, each in kept.items()
    }


def _share(percentage: Json) -> int:
    """In millionths."""
    denominator = percentage.get("denominator", "HUNDRED")
    return int(percentage.get("numerator", 0)) * _MILLION[denominator]


def _limit(config: Json) -> Json:
    return {key: each for key, each in config.items() if not key.startswith(("@", "filterEn"))}


def _is_skipped(matcher: Json, client: Client) -> bool:
    action = _decision(matcher, client)
    return action is not None and action["name"] == "skip"


def _decision(matcher: Json, client: Client) -> Json | None:
    """The action; None: nothing matches."""
    for each in matcher.get("matcherList", {}).get("matchers") or ():
        if _holds(each["predicate"], client):
            return each["onMatch"]["action"]
    otherwise = matcher.get("onNoMatch")
    return None if otherwise is None else otherwise["action"]


def _holds(predicate: Json, client: Client) -> bool:
    [(kind, body)] = predicate.items()
    match kind:
        case "orMatcher":
            return any(_holds(each, client) for each in body["predicate"])
        case "andMatcher":
            return all(_holds(each, client) for each in body["predicate"])
        case "notMatcher":
            return not _holds(body, client)
    config = _config(body["input"])
    name = config.get("headerName") or config["@type"].rpartition(".")[2]
    return _any_matches(body["valueMatch"], _values(name, client))


def _have(client: Client, headers: Iterable[Json]) -> bool:
    """Whoever tells no tags has none, which the rival's Envoy takes for neither."""
    return all(
        _any_matches(each["stringMatch"], _values(each["name"], client))
        != each.get("invertMatch", False)
        for each in headers
    )


def _has_state(client: Client, states: Iterable[Json]) -> bool:
    values = {each["key"]: _values(each["key"].rpartition(".match.")[2], client) for each in states}
    return all(_any_matches(each["stringMatch"], values[each["key"]]) for each in states)


def _values(name: str, client: Client) -> Sequence[str]:
    match name:
        case "UriSanInput" | "spiffe_id" | "x-kuma-client-uris":
            return client.uris
        case "ServerNameInput" | "sni" | "x-kuma-client-server-name":
            return [client.server_name] if client.server_name else []
        case "x-kuma-tags":
            return [client.header] if client.tags else []
    message = f"unknown input: {name}"
    raise AssertionError(message)


def _any_matches(match: Json, values: Iterable[str]) -> bool:
    return any(_matches(match, each) for each in values)


def _matches(match: Json, text: str) -> bool:
    found = {key: each for key, each in match.items() if key != "ignoreCase"}
    [(kind, wanted)] = found.items()
    match kind:
        case "exact":
            return bool(text == wanted)
        case "prefix":
            return text.startswith(wanted)
        case "contains":
            return wanted in text
    return re.fullmatch(wanted["regex"], text) is not None


def _config(body: Json) -> Any:
    return body.get("typedConfig", {})
