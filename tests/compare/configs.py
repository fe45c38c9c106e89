"""What two control planes give to the Envoys of one set, in the form in which it must be equal.

Routes of HTTP come over RDS here, where the rival has them in the listener; what an inbound does with
whom is worked out (`clients`); each side has its own ways for what is of the control plane alone. What is
left is how traffic goes: listeners and their filters, routes, clusters, endpoints. `_LEFT_OUT` and the functions below are the
exceptions, each with its reason.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from tests.compare import clients
from tests.compare.chance import Json

_TYPE = "type.googleapis.com/envoy.config.{0}.v3.{1}"
_CLUSTERS = _TYPE.format("cluster", "Cluster")
_ENDPOINTS = _TYPE.format("endpoint", "ClusterLoadAssignment")
_LISTENERS = _TYPE.format("listener", "Listener")
_ROUTES = _TYPE.format("route", "RouteConfiguration")

_NETWORK_RBAC = "envoy.filters.network.rbac"
_NOT_HERE = ("envoy.filters.network.kafka_broker", "envoy.filters.network.set_filter_state")
"""Of statistics of Kafka, for which this Envoy has no filter; of conditions on clients, who are known by
headers here."""
_ENDS = {"envoy.filters.network.http_connection_manager", "envoy.filters.network.tcp_proxy"}
"""Filters that a chain must end with."""
_COLLECTORS = ("meshaccesslog:", "meshtrace:", "system_mesh")
_OWN = (
    "kuma:",
    "_kuma",
    "kuma_",
    "system_",
    "access_log_sink",
    "ads_cluster",
    "extra",
    *_COLLECTORS,
)
"""Names of what only the control plane and kuma-dp use, and of collectors, which each side names, and
which stand where they are sent to."""
_DEFAULTS = {"idleTimeout": "3600s", "maxConnectionDuration": "0s", "maxStreamDuration": "0s"}
"""Of limits of HTTP, without which Envoy does the same."""
_SENT_TO = {"clusterName", "collectorCluster"}
_UNORDERED = {"headers", "queryParameters"}
"""Of matches: all of them must hold."""
_LEFT_OUT = {
    "initialFetchTimeout": "ours waits less for certificates",
    "enableReusePort": "does not change where connections go",
    "internalAddressConfig": "ours lists ranges of the listener's family alone",
    "disabled": "filters wait for routes that enable them",
    "tlsMinimumProtocolVersion": "what Envoy does anyway, written down here",
    "dnsLookupFamily": "IPv4 first, IPv6 else; there IPv4 alone",
    "kuma.io/unified-name": "the port's name here, as it was written in the outbound there",
    "matchTypedSubjectAltNames": "who may answer is read from the dataplanes",
    "earlyHeaderMutationExtensions": "clients are known by headers, there by filter state",
    "transportApiVersion": "there is one",
    "runtimeKey": "Envoy wants one, which nobody sets",
    "shareKey": "all chains of an inbound count together",
    "altStatName": "names of statistics of clusters of the control plane",
}


def config(dataplane: Json, documents: Sequence[Json], body: Json) -> Json:
    if not isinstance(body, dict) or "xds" not in body:
        return body
    xds = _with_shown_names(documents, body["xds"])
    by_hand = [each["name"] for each in documents if each["type"] == "MeshService"]
    hangs_on_others = any(
        each["type"] == "MeshIdentity" or '"PERMISSIVE"' in json.dumps(each.get("mtls"))
        for each in documents
    )
    routes = xds.get(_ROUTES, {})
    own = {
        each["tags"].get("kuma.io/service")
        for each in dataplane["networking"].get("outbound") or ()
        if each.get("tags")
    }
    clusters = {
        name: each if "_" in name or name.split("-")[0] in own else _without_policies(each)
        for name, each in _named(xds.get(_CLUSTERS), _cluster).items()
    }
    collectors = {
        name: _collector(each)
        for name, each in xds.get(_CLUSTERS, {}).items()
        if name.startswith(_COLLECTORS)
    }
    listeners = _named(xds.get(_LISTENERS), partial(_listener, dataplane, {**routes, **collectors}))
    for each in listeners.values():
        if any(map(_is_external, _clusters_in(each))):
            _leave_tracing_to_egress(each)
    mixed = _mixed(documents)
    used = set(_clusters_in(listeners)) - _shared(dataplane)
    clusters = {
        name: _without_way(each) if _is_external(name) else each for name, each in clusters.items()
    }
    return {
        "clusters": {
            name: _without_tls(each) if hangs_on_others or _is_of(by_hand, name) else each
            for name, each in clusters.items()
            if name in used
        },
        "endpoints": {
            name: each
            for name, each in _named(xds.get(_ENDPOINTS), _assignment).items()
            if name in used and not _is_external(name)
        },
        "listeners": listeners,
        "mixed": [
            name
            for name, each in sorted(listeners.items())
            if any(cluster.split("-")[0] in mixed for cluster in _clusters_in(each))
        ],
        "told": told(xds.get(_LISTENERS, {}).get("_kuma:dynamicconfig", {})),
        "secured": any(_serves_with_tls(each) for each in documents),
        "names multi zone": any(_names_multi_zone(each) for each in documents),
        "contested": [*map(str, clients.contested(dataplane["mesh"], documents))],
        "by server name": any(_asks_for_server_name(each) for each in documents),
    }


def _names_multi_zone(document: Json) -> bool:
    """Whether a policy names a MeshMultiZoneService, which the rival takes for no one."""
    targets = [each["targetRef"] for each in document.get("spec", {}).get("to") or ()]
    return any(each["kind"] == "MeshMultiZoneService" and "name" in each for each in targets)


def _asks_for_server_name(document: Json) -> bool:
    """Whether a rule asks for that alone, and the rival takes it for no condition."""
    rules = document.get("spec", {}).get("rules") or ()
    if document["type"] not in {"MeshRateLimit", "MeshTimeout"}:
        return False
    matches = (match for rule in rules for match in rule.get("matches") or ())
    return any("sni" in each and "spiffeID" not in each for each in matches)


def _with_shown_names(documents: Iterable[Json], xds: Json) -> Json:
    """Collectors as the rival calls them: by a name that several may have."""
    text = json.dumps(xds)
    for each in documents:
        shown = (each.get("labels") or {}).get("kuma.io/display-name", each["name"])
        if each["type"] == "MeshOpenTelemetryBackend" and shown != each["name"]:
            text = text.replace(f"kuma-otel-{each['name']}.sock", f"kuma-otel-{shown}.sock")
            text = text.replace(rf"\"name\":\"{each['name']}\"", rf"\"name\":\"{shown}\"")
    return json.loads(text)


def _serves_with_tls(document: Json) -> bool:
    """Whether it asks that metrics are served with TLS."""
    text = json.dumps(document)
    is_metric = document["type"] == "MeshMetric"
    return is_metric and ('"ProvidedTLS"' in text or '"ActiveMTLSBackend"' in text)


def told(listener: Json) -> Json:
    """What kuma-dp hears from Envoy, by path, where what is empty is left out."""
    found: Json = {}
    for each in _routes_in(listener):
        body = each.get("directResponse", {}).get("body", {}).get("inlineString")
        if body is not None:
            found[each["match"]["path"]] = _without_empty(json.loads(body))
    metrics = found.get("/meshmetric", {}).get("observability", {}).get("metrics", {})
    if not metrics.get("backends"):  # nobody asks
        found.pop("/meshmetric", None)
    return found


def _routes_in(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield from value.get("routes", ())
        for each in value.values():
            yield from _routes_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from _routes_in(each)


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        made = {key: _without_empty(each) for key, each in value.items()}
        return {key: each for key, each in made.items() if each not in ("", None, [], {}, False)}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


def _mixed(documents: Iterable[Json]) -> set[str]:
    """Services of several protocols or none that is ready, some of whose instances are not ready: those
    count here, so that the protocol does not change with what fails."""
    protocols: dict[str, set[str]] = defaultdict(set)
    ready, unready = set(), set()
    for each in documents:
        for inbound in each.get("networking", {}).get("inbound") or ():
            tags = inbound.get("tags") or {}
            service = tags.get("kuma.io/service", "")
            protocols[service].add(tags.get("kuma.io/protocol", ""))
            is_ready = inbound.get("state", "Ready") == "Ready"
            if not is_ready or inbound.get("health") or ".invalid" in json.dumps(each):
                unready.add(service)
            else:
                ready.add(service)
    return {each for each in unready if len(protocols[each]) > 1 or each not in ready}


def _clusters_in(body: Json) -> Iterator[str]:
    """What the routes and filters of listeners send to."""
    if isinstance(body, list):
        for each in body:
            yield from _clusters_in(each)
    elif isinstance(body, dict):
        for key, each in body.items():
            if key == "cluster" or (key == "name" and "weight" in body):
                yield each
            else:
                yield from _clusters_in(each)


def _is_of(services: list[str], cluster: str) -> bool:
    """Or of a MeshMultiZoneService, which only such services are behind."""
    found = re.fullmatch(r"[^_]*_(.*)__[^_]*_msvc_\d+", cluster)
    return "_mzsvc_" in cluster or (found is not None and found[1] in services)


def _is_external(cluster: str) -> bool:
    return "_extsvc_" in cluster


def _leave_tracing_to_egress(listener: Json) -> None:
    """Which calls MeshExternalServices there."""
    for each in _configs_in(listener):
        each.pop("tracing", None)


def _without_way(cluster: Json) -> Json:
    """A MeshExternalService is called, and checked, there by way of an egress, with the mesh's own TLS,
    and here directly."""
    own = {"type", "edsClusterConfig", "loadAssignment", "transportSocket", "healthChecks"}
    kept = {key: each for key, each in cluster.items() if key not in own}
    options = kept.get("typedExtensionProtocolOptions", {}).values()
    for each in options:
        if each.get("commonHttpProtocolOptions") == _DEFAULTS:
            del each["commonHttpProtocolOptions"]
    if not any(each.keys() - {"@type"} for each in options):
        kept.pop("typedExtensionProtocolOptions", None)
    return kept


def _without_tls(cluster: Json) -> Json:
    """Whether a MeshService by hand is ready for TLS hangs on when it was seen without proxies, and of
    a permissive mesh, and with identities, on which proxies have certificates yet."""
    return {key: each for key, each in cluster.items() if key != "transportSocket"}


def _without_policies(cluster: Json) -> Json:
    """What policies say of services by tags that a route alone sends to, the rival leaves out."""
    return {
        key: each
        for key, each in cluster.items()
        if key not in {"lbPolicy", "circuitBreakers", "outlierDetection", "healthChecks"}
        and not key.endswith("LbConfig")
    }


def _shared(dataplane: Json) -> set[str]:
    """Clusters of several inbounds before one port: each side has those of another one."""
    inbounds = dataplane["networking"].get("inbound") or ()
    ports = Counter(each.get("servicePort") or each["port"] for each in inbounds)
    return {f"localhost:{port}" for port, count in ports.items() if count > 1}


def _named(resources: Json, normal: Callable[[Json], Json]) -> Json:
    """Without listeners at no port."""
    made = {
        name: normal(each) for name, each in (resources or {}).items() if not name.startswith(_OWN)
    }
    return {name: each for name, each in made.items() if each}


def _plain(body: Json) -> Json:
    if isinstance(body, list):
        return [_plain(each) for each in body]
    if not isinstance(body, dict):
        return body
    if body.get("header", {}).get("key") == "x-kuma-tags":
        return {"header": body["header"]}
    if "value" in body.get("header", {}):  # `%` is a percent sign
        text = str(body["header"].get("value", "")).replace("%%", "%")
        body = {**body, "header": {**body["header"], "value": text}}
    kept = {key: _plain(each) for key, each in body.items() if key not in _LEFT_OUT}
    if isinstance(match := kept.get("match"), dict):
        match |= {key: sorted(match[key], key=str) for key in _UNORDERED & match.keys()}
    if "retryOn" in kept:  # of which Envoy knows one spelling
        kept["retryOn"] = kept["retryOn"].replace("canceled", "cancelled")
    if "cipherSuites" in kept:  # the rival names some twice
        kept["cipherSuites"] = list(dict.fromkeys(kept["cipherSuites"]))
    if isinstance(kept.get("safeRegex"), dict):
        kept |= _of_uris(kept.pop("safeRegex"))
    return {key: each for key, each in kept.items() if each not in ({}, [])}


def _of_uris(regex: Json) -> Json:
    """A match on one of several URIs of a certificate, as if there were one."""
    found = re.fullmatch(r"\(\.\*,\)\?(.*?)(\[\^,\]\*)?\(,\.\*\)\?", regex["regex"])
    if found is None:
        return {"safeRegex": regex}
    text = re.sub(r"\\(.)", r"\1", found[1])
    return {"prefix": text} if found[2] else {"exact": text}


def _cluster(body: Json) -> Json:
    """Checks of health do not say whose they are."""
    found = _plain(body)
    for each in found.get("healthChecks") or ():
        headers = each.get("httpHealthCheck", {}).pop("requestHeadersToAdd", ())
        own = [one for one in headers if one["header"]["key"] != "x-kuma-tags"]
        if own:
            each["httpHealthCheck"]["requestHeadersToAdd"] = own
    return found


def _assignment(body: Json) -> Json:
    """Endpoints by address, where it is known. The tags are in the metadata once here, and twice there,
    where an endpoint without any has that of the zone."""
    found: dict[str, Any] = {}
    for locality in body.get("endpoints") or ():
        for each in locality.get("lbEndpoints") or ():
            tags = each.get("metadata", {}).get("filterMetadata", {}).get("envoy.lb") or {}
            address = json.dumps(each["endpoint"]["address"], sort_keys=True)
            if ".invalid" in address:
                continue
            found[address] = {
                "tags": tags if set(tags) - {"kuma.io/zone"} else None,
                "weight": each.get("loadBalancingWeight"),
                "health": each.get("healthStatus"),
                "priority": locality.get("priority"),
            }
    return {"endpoints": found, "policy": body.get("policy")}


def _collector(cluster: Json) -> Json:
    """Where it is, and how it is spoken to."""
    found = _plain(cluster)
    options = found.get("typedExtensionProtocolOptions", {}).values()
    assignment = json.dumps(_assignment(found["loadAssignment"])["endpoints"], sort_keys=True)
    return {
        "at": assignment.replace('"weight": 1', '"weight": null'),
        "speaks": [each["explicitHttpConfig"] for each in options if "explicitHttpConfig" in each],
        "tls": "transportSocket" in found,
    }


def _listener(dataplane: Json, parts: Json, body: Json) -> Json:
    """Neither with the tag of the zone alone, nor with an inspector whose findings nobody asks for; none
    of Envoy itself, which a patch may call otherwise."""
    address = body.get("address", {}).get("socketAddress", {})
    if not address.get("portValue") or "trafficDirection" not in body:
        return {}
    listener = _inlined(body, parts)
    if listener.get("trafficDirection") == "INBOUND":
        _ask_for_clients(dataplane["mesh"], listener)
        _name_source(dataplane, listener)
    else:
        _ask_for_routes(listener)
    listener = _plain(listener)
    tags = listener.get("metadata", {}).get("filterMetadata", {}).get("io.kuma.tags")
    if tags is not None and set(tags) <= {"kuma.io/zone"}:
        del listener["metadata"]
    if "transportProtocol" not in json.dumps(listener.get("filterChains")):
        listener.pop("listenerFilters", None)
    for chain in listener.get("filterChains") or ():
        chain["filters"] = [each for each in map(_filter, chain.get("filters") or ()) if each]
    return listener


def _ask_for_clients(mesh: str, listener: Json) -> None:
    """What holds for clients, in place of the filters and routes that make it so."""
    chains = listener.get("filterChains") or ()
    is_secured = any("transportSocket" in each for each in chains)
    for chain in chains:
        if "transportSocket" in chain:
            known = tuple(clients.clients(mesh))
        else:
            known = (clients.ANYBODY,) if is_secured else tuple(clients.with_tags())
        for each in chain.get("filters") or ():
            config = each.get("typedConfig", {})
            if each["name"] == _NETWORK_RBAC:
                found = {str(one): clients.permission(config, one) for one in known}
                each["typedConfig"] = {"clients": found}
            elif "routeConfig" in config:
                config["clients"] = {str(one): clients.http(config, one) for one in known}
                config["httpFilters"] = [
                    one for one in config.get("httpFilters") or () if not _is_by_client(one)
                ]
                for host in config["routeConfig"].get("virtualHosts") or ():
                    host.pop("routes", None)
                    host.pop("typedPerFilterConfig", None)


def _ask_for_routes(listener: Json) -> None:
    """Which loggers there are for requests of each route, and of none, in place of their conditions."""
    for config in _configs_in(listener):
        logs = config.pop("accessLog", None) or ()
        hosts = config.get("routeConfig", {}).get("virtualHosts") or ()
        routes = [each for host in hosts for each in host.get("routes") or () if not _is_own(each)]
        config["logs"] = [[*_logged(logs, route)] for route in ({}, *routes)] if logs else []
        for each in routes:
            each.pop("metadata", None)
        filters = config.get("httpFilters") or ()
        config["httpFilters"] = [each for each in filters if "lua" not in each["name"]]


def _configs_in(listener: Json) -> Iterator[Json]:
    for chain in listener.get("filterChains") or ():
        for each in chain.get("filters") or ():
            if each["name"] in _ENDS:
                yield each["typedConfig"]


def _logged(logs: Iterable[Json], route: Json) -> Iterator[Json]:
    kri = (
        route.get("metadata", {}).get("filterMetadata", {}).get("kuma.routes", {}).get("route_kri")
    )
    for each in logs:
        found = each.get("filter", {})
        if wanted := found.get("metadataFilter"):
            value = wanted["matcher"].get("value", {}).get("stringMatch", {}).get("exact")
            holds = kri == value
        elif extension := found.get("extensionFilter"):
            expression = extension["typedConfig"]["expression"]
            names = json.loads(expression[expression.index("[") :].rstrip(")"))
            holds = (route.get("name", "") in names) != expression.startswith("!")
        else:
            holds = True
        if holds:
            yield {key: body for key, body in each.items() if key != "filter"}


def _name_source(dataplane: Json, listener: Json) -> None:
    """Of a call that comes in, the rival logs as source the proxy's own address, and as destination one
    of its services."""
    address = dataplane["networking"].get("advertisedAddress") or dataplane["networking"]["address"]
    inbounds = dataplane["networking"].get("inbound") or ()
    services = {(each.get("tags") or {}).get("kuma.io/service", "unknown") for each in inbounds}
    for chain in listener.get("filterChains") or ():
        for each in chain.get("filters") or ():
            if logs := each.get("typedConfig", {}).get("accessLog"):
                text = json.dumps(logs).replace("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", address)
                text = text.replace("%DOWNSTREAM_REMOTE_ADDRESS%", f"{address}:0")
                for service in services if len(services) > 1 else ():
                    text = re.sub(rf"(?<![\w/]){service}(?![\w/])", "one-of-them", text)
                each["typedConfig"]["accessLog"] = json.loads(text)


def _is_by_client(http_filter: Json) -> bool:
    inner = http_filter.get("typedConfig", {}).get("extensionConfig", {}).get("name")
    return http_filter["name"] in clients.BY_CLIENT or inner in clients.BY_CLIENT


def reconciled(ours: Json, theirs: Json) -> tuple[Json, Json]:
    """Both as below, and without listeners
    - that end connections: ours where no backend can be reached, the rival's where it has no filter for
      a protocol,
    - to services of mixed protocols,
    - that send to a MeshMultiZoneService on one side alone, as its name means it here, and to all where
      a policy names one,
    - that send to what nobody serves on one side alone, as it has no share here;
    without what is told of metrics where they would be served without the TLS that is asked for, without
    clients that ask for a server by name where rules do, too, and without permissions of clients of whom
    several entries say other things, of which the strongest holds here."""
    left_out = {*ours["mixed"], *theirs["mixed"]}
    for side in (ours, theirs):
        left_out |= {name for name, each in side["listeners"].items() if _is_broken(each)}
    for name in ours["listeners"].keys() | theirs["listeners"].keys():
        for part in (_multi_zone, _unserved):
            if part(ours, name) != part(theirs, name):
                left_out.add(name)
        if ours["names multi zone"] and _multi_zone(ours, name):
            left_out.add(name)
    one, other = _without_listeners(ours, left_out), _without_listeners(theirs, left_out)
    if ours["by server name"]:
        one, other = _without_asking(one), _without_asking(other)
    for name in ours["contested"]:
        one, other = _without_permission(name, one), _without_permission(name, other)
    return _alike(one, other), other


def _without_permission(client: str, body: Json) -> Json:
    if isinstance(body, list):
        return [_without_permission(client, each) for each in body]
    if not isinstance(body, dict):
        return body
    found = {key: _without_permission(client, each) for key, each in body.items()}
    if isinstance(said := found.get(client), dict):
        own = {"permission", "is", "but"}
        found[client] = {key: each for key, each in said.items() if key not in own}
    return found


def _without_asking(body: Json) -> Json:
    if isinstance(body, list):
        return [_without_asking(each) for each in body]
    if not isinstance(body, dict):
        return body
    return {
        key: _without_asking(each)
        for key, each in body.items()
        if not any(name and f" {name} " in key for name in clients.SERVER_NAMES)
    }


def _is_broken(listener: Json) -> bool:
    return any(
        not _ENDS.intersection(each["name"] for each in chain.get("filters") or ())
        for chain in listener.get("filterChains") or ()
    )


def _unserved(config: Json, listener: str) -> set[str]:
    known = config["endpoints"]
    used = _clusters_in(config["listeners"].get(listener, {}))
    return {each for each in used if each in known and not known[each].get("endpoints")}


def _multi_zone(config: Json, listener: str) -> set[str]:
    used = _clusters_in(config["listeners"].get(listener, {}))
    return {each for each in used if "_mzsvc_" in each}


def _without_listeners(config: Json, names: set[str]) -> Json:
    kept = {name: each for name, each in config["listeners"].items() if name not in names}
    used = set(_clusters_in(kept))
    parts = {
        part: {name: each for name, each in config[part].items() if name in used}
        for part in ("clusters", "endpoints")
    }
    told = {
        path: each
        for path, each in config["told"].items()
        if path != "/meshmetric" or not config["secured"]
    }
    return {**parts, "listeners": kept, "told": told}


def _alike(ours: Json, theirs: Json) -> Json:
    """Ours without what holds here for all that is not HTTP, and there for services that say `tcp`:
    checks of health and attempts to connect; with what the rival leaves out for grpc, and for http2,
    which it never retries; without what is lost there where localityAwareness has a say, the ciphers
    of gateways and of permissive inbounds, and a least size of a ring that is not more than the most."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [_alike(one, other) for one, other in zip(ours, theirs, strict=True)]
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return ours
    known = {
        key: theirs[key] if _is_same(key, each, theirs.get(key)) else _alike(each, theirs.get(key))
        for key, each in ours.items()
        if key in theirs or not (_is_more(key, each) or _is_limit_of_tcp(key, ours))
    }
    return known | {key: each for key, each in theirs.items() if _is_less(key, each, ours.get(key))}


def _is_less(key: str, theirs: Json, ours: Json) -> bool:
    """Where nobody tells clients apart, no header tells who they are."""
    if key == "requestHeadersToAdd":
        return not ours and all(each["header"]["key"] == "x-kuma-tags" for each in theirs)
    return key == "commonHttpProtocolOptions" and ours is None and bool(theirs == _DEFAULTS)


def _is_same(key: str, ours: Json, theirs: Json) -> bool:
    """Of faults the rival has some several times, where its combinations of tags overlap, and of loggers
    if several rules say the same."""
    if key in {"accessLog", "faults", "logs"} and theirs:
        return all(each in ours for each in theirs) and all(each in theirs for each in ours)
    if key == "retryOn" and theirs:  # headers of responses, too
        return set(ours.split(",")) - {"retriable-headers"} == set(theirs.split(","))
    return key == "commonHttpProtocolOptions" and _is_grpc(theirs or {"": ""})


def _is_grpc(options: Json) -> bool:
    return set(options) == {"idleTimeout"}


def _is_limit_of_tcp(key: str, ours: Json) -> bool:
    """Where a MeshTCPRoute is for a service of HTTP, the rival sets what is for HTTP, in vain."""
    return key == "idleTimeout" and ours.get("@type", "").endswith("TcpProxy")


def _is_more(key: str, body: Json) -> bool:
    if key == "healthChecks":
        return not any({"httpHealthCheck", "grpcHealthCheck"} & each.keys() for each in body)
    if key == "typedExtensionProtocolOptions":
        return all(set(each) <= {"@type", "commonHttpProtocolOptions"} for each in body.values())
    if key == "tlsMaximumProtocolVersion":
        return bool(body == "TLSv1_3")
    if key == "commonLbConfig":
        return set(body) == {"zoneAwareLbConfig"}
    return key in {
        "maxConnectAttempts", "zoneAwareLbConfig", "commonHttpProtocolOptions", "retryPolicy",
        "tlsParams", "minimumRingSize", "collectorEndpoint",
    }  # fmt: skip


def _inlined(body: Json, parts: Json) -> Json:
    """With the routes that come over RDS, and the collectors; `parts` by name."""
    if isinstance(body, list):
        return [_inlined(each, parts) for each in body]
    if not isinstance(body, dict):
        return body
    found = {key: _inlined(each, parts) for key, each in body.items() if key != "rds"}
    if rds := body.get("rds"):
        found["routeConfig"] = json.loads(json.dumps(parts.get(rds["routeConfigName"])))
    for key in _SENT_TO & found.keys():
        found[key] = parts.get(found[key], found[key])
    return found | found.pop("commonConfig", {})


def _filter(body: Json) -> Json:
    """Filters are called as Envoy calls them."""
    if body["name"] in _NOT_HERE:
        return None
    config = body.get("typedConfig", {})
    if body["name"].endswith("local_ratelimit.v3.LocalRateLimit"):
        return {**body, "name": "envoy.filters.network.local_ratelimit"}
    if "provider" not in config.get("tracing", {"provider": None}):  # nothing is traced
        del config["tracing"]
    if routes := config.get("routeConfig"):
        routes.pop("name", None)
        _strip(routes)
    return body


def _strip(routes: Json) -> None:
    """Without the headers by which clients are known, which nobody else may set or see."""
    for holder in (routes, *(routes.get("virtualHosts") or ())):
        removed = holder.pop("requestHeadersToRemove", ())
        if kept := [each for each in removed if not each.startswith("x-kuma-client-")]:
            holder["requestHeadersToRemove"] = kept
    for host in routes.get("virtualHosts") or ():
        host["routes"] = [each for each in host.get("routes") or () if not _is_own(each)]
        for route in host["routes"]:
            route["name"] = re.sub(r"-\d+$", "", route.get("name", ""))


def _is_own(route: Json) -> bool:
    """Where no backend can be reached, requests are answered, and the rival has no such route."""
    return bool(route.get("directResponse", {}).get("status") == 500)
