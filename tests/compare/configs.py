"""What two control planes give to the Envoys of one set, in the form in which it must be equal.

Routes of HTTP come over RDS here, and permissions with them, where the rival has both in the listener;
each side has its own ways for what is of the control plane alone. What is left is how traffic goes:
listeners and their filters, routes, clusters, endpoints. `_LEFT_OUT` and the functions below are the
exceptions, each with its reason.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from tests.compare.chance import Json

_TYPE = "type.googleapis.com/envoy.config.{0}.v3.{1}"
_CLUSTERS = _TYPE.format("cluster", "Cluster")
_ENDPOINTS = _TYPE.format("endpoint", "ClusterLoadAssignment")
_LISTENERS = _TYPE.format("listener", "Listener")
_ROUTES = _TYPE.format("route", "RouteConfiguration")

_HTTP_RBAC = "envoy.filters.http.rbac"
_OVER_RDS = (_HTTP_RBAC, "envoy.filters.http.fault", "envoy.filters.http.local_ratelimit")
_OWN = ("kuma:", "_kuma", "kuma_", "system_", "access_log_sink", "ads_cluster", "meshaccesslog:", "meshtrace:", "extra")  # fmt: skip
"""Names of what only the control plane and kuma-dp use, and of collectors, which each side names."""
_LEFT_OUT = {
    "initialFetchTimeout": "ours waits less for certificates",
    "enableReusePort": "does not change where connections go",
    "internalAddressConfig": "ours lists ranges of the listener's family alone",
    "disabled": "filters wait for routes that enable them",
    "tlsMinimumProtocolVersion": "what Envoy does anyway, written down here",
    "accessLog": "clusters of collectors have other names",
    "tracing": "clusters of collectors have other names",
    "dnsLookupFamily": "IPv4 first, IPv6 else; there IPv4 alone",
    "kuma.io/unified-name": "the port's name here, as it was written in the outbound there",
    "matchTypedSubjectAltNames": "who may answer is read from the dataplanes",
    "earlyHeaderMutationExtensions": "clients are known by headers, there by filter state",
    "altStatName": "names of statistics of clusters of the control plane",
}


def config(dataplane: Json, documents: Sequence[Json], body: Json) -> Json:
    if not isinstance(body, dict) or "xds" not in body:
        return body
    xds = body["xds"]
    by_hand = [each["name"] for each in documents if each["type"] == "MeshService"]
    with_mtls = any(each.get("mtls") for each in documents if each["type"] == "Mesh")
    is_permissive = any('"PERMISSIVE"' in json.dumps(each.get("mtls")) for each in documents)
    routes = xds.get(_ROUTES, {})
    is_gateway = "gateway" in dataplane["networking"]
    clusters = _named(xds.get(_CLUSTERS), lambda each: _cluster(each, is_gateway))
    listeners = _named(xds.get(_LISTENERS), partial(_listener, routes, with_mtls))
    mixed = _mixed(documents)
    listeners = {
        name: each
        for name, each in listeners.items()
        if not any(cluster.split("-")[0] in mixed for cluster in _clusters_in(each))
    }
    used = set(_clusters_in(listeners)) - _shared(dataplane)
    return {
        "clusters": {
            name: _without_tls(each) if is_permissive or _is_of(by_hand, name) else each
            for name, each in clusters.items()
            if name in used
        },
        "endpoints": {
            name: each
            for name, each in _named(xds.get(_ENDPOINTS), _assignment).items()
            if name in used
        },
        "listeners": listeners,
    }


def _mixed(documents: Iterable[Json]) -> set[str]:
    """Services of several protocols, some of whose instances are not ready: those count here, so that
    the protocol does not change with what fails."""
    protocols: dict[str, set[str]] = defaultdict(set)
    unready = set()
    for each in documents:
        for inbound in each.get("networking", {}).get("inbound") or ():
            tags = inbound.get("tags") or {}
            service = tags.get("kuma.io/service", "")
            protocols[service].add(tags.get("kuma.io/protocol", ""))
            is_ready = inbound.get("state", "Ready") == "Ready"
            if not is_ready or inbound.get("health") or ".invalid" in json.dumps(each):
                unready.add(service)
    return {each for each in unready if len(protocols[each]) > 1}


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
    found = re.fullmatch(r"[^_]*_(.*)__[^_]*_msvc_\d+", cluster)
    return found is not None and found[1] in services


def _without_tls(cluster: Json) -> Json:
    """Whether a MeshService by hand is ready for TLS hangs on when it was seen without proxies, and of
    a permissive mesh on which proxies have certificates yet."""
    return {key: each for key, each in cluster.items() if key != "transportSocket"}


def _shared(dataplane: Json) -> set[str]:
    """Clusters of several inbounds before one port: each side has those of another one."""
    inbounds = dataplane["networking"].get("inbound") or ()
    ports = Counter(each.get("servicePort") or each["port"] for each in inbounds)
    return {f"localhost:{port}" for port, count in ports.items() if count > 1}


def _named(resources: Json, normal: Callable[[Json], Json]) -> Json:
    """Neither of MeshExternalServices, which are called through an egress there, nor of
    MeshMultiZoneServices, which no outbound can name; nor listeners at no port."""
    made = {
        name: normal(each)
        for name, each in (resources or {}).items()
        if not name.startswith(_OWN) and "_extsvc_" not in name
    }
    return {name: each for name, each in made.items() if each and "_mzsvc_" not in json.dumps(each)}


def _plain(body: Json) -> Json:
    if isinstance(body, list):
        return [_plain(each) for each in body]
    if not isinstance(body, dict):
        return body
    if body.get("header", {}).get("key") == "x-kuma-tags":
        return {"header": body["header"]}
    kept = {key: _plain(each) for key, each in body.items() if key not in _LEFT_OUT}
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


def _cluster(body: Json, is_gateway: bool) -> Json:
    """Ciphers hold for the calls of a gateway too; checks of health do not say whose they are."""
    found = _plain(body)
    for each in found.get("healthChecks") or ():
        headers = each.get("httpHealthCheck", {}).pop("requestHeadersToAdd", ())
        own = [one for one in headers if one["header"]["key"] != "x-kuma-tags"]
        if own:
            each["httpHealthCheck"]["requestHeadersToAdd"] = own
    for socket in [found, *(each for each in found.get("transportSocketMatches") or ())]:
        context = socket.get("transportSocket", {}).get("typedConfig", {}).get("commonTlsContext")
        if is_gateway and context:
            context.pop("tlsParams", None)
    return found


def _assignment(body: Json) -> Json:
    """Endpoints by address, where it is known. The tags are in the metadata once here, and twice
    there."""
    found: dict[str, Any] = {}
    for locality in body.get("endpoints") or ():
        for each in locality.get("lbEndpoints") or ():
            metadata = each.get("metadata", {}).get("filterMetadata", {})
            address = json.dumps(each["endpoint"]["address"], sort_keys=True)
            if ".invalid" in address:
                continue
            found[address] = {
                "tags": metadata.get("envoy.lb"),
                "weight": each.get("loadBalancingWeight"),
                "health": each.get("healthStatus"),
                "priority": locality.get("priority"),
            }
    return {"endpoints": found, "policy": body.get("policy")}


def _listener(routes: Json, with_mtls: bool, body: Json) -> Json:
    """Neither with the tag of the zone alone, nor with an inspector whose findings nobody asks for, nor
    with the header by which clients are known where no certificate tells."""
    address = body.get("address", {}).get("socketAddress", {})
    if not address.get("portValue"):
        return {}
    listener = _plain(_inlined(body, routes))
    tags = listener.get("metadata", {}).get("filterMetadata", {}).get("io.kuma.tags")
    if tags is not None and set(tags) <= {"kuma.io/zone"}:
        del listener["metadata"]
    if "transportProtocol" not in json.dumps(listener.get("filterChains")):
        listener.pop("listenerFilters", None)
    for chain in listener.get("filterChains") or ():
        chain["filters"] = [each for each in map(_filter, chain.get("filters") or ()) if each]
        for each in chain["filters"] if with_mtls else ():
            each.get("typedConfig", {}).get("routeConfig", {}).pop("requestHeadersToAdd", None)
    return listener


def reconciled(ours: Json, theirs: Json) -> Json:
    """Ours without what holds here for all that is not HTTP, and there for services that say `tcp`:
    checks of health and attempts to connect; with what the rival leaves out for grpc, and for http2,
    which it never retries; and without what is lost there where localityAwareness has a say."""
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [reconciled(one, other) for one, other in zip(ours, theirs, strict=True)]
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return ours
    return {
        key: theirs[key]
        if key == "commonHttpProtocolOptions" and _is_grpc(theirs.get(key, {"": ""}))
        else reconciled(each, theirs.get(key))
        for key, each in ours.items()
        if key in theirs or not _is_more(key, each)
    }


def _is_grpc(options: Json) -> bool:
    return set(options) == {"idleTimeout"}


def _is_more(key: str, body: Json) -> bool:
    if key == "healthChecks":
        return all("tcpHealthCheck" in each for each in body)
    if key == "commonLbConfig":
        return set(body) == {"zoneAwareLbConfig"}
    return key in {
        "maxConnectAttempts", "zoneAwareLbConfig", "commonHttpProtocolOptions", "retryPolicy",
    }  # fmt: skip


def _inlined(body: Json, routes: Json) -> Json:
    """With the routes that come over RDS."""
    if isinstance(body, list):
        return [_inlined(each, routes) for each in body]
    if not isinstance(body, dict):
        return body
    found = {key: _inlined(each, routes) for key, each in body.items() if key != "rds"}
    if rds := body.get("rds"):
        found["routeConfig"] = json.loads(json.dumps(routes.get(rds["routeConfigName"])))
    return found


def _filter(body: Json) -> Json:
    """Without statistics of Kafka, for which this Envoy has no filter."""
    if body["name"] == "envoy.filters.network.kafka_broker":
        return None
    config = body.get("typedConfig", {})
    if body["name"] == "envoy.filters.network.rbac":
        return {"name": body["name"], **_rules(config)}
    if routes := config.get("routeConfig"):
        routes.pop("name", None)
        config["httpFilters"] = _http_filters(config)
        _strip(routes)
    return body


def _http_filters(config: Json) -> Json:
    """Permissions are in the filter; faults and limits of rates, which each side builds its own way,
    nowhere."""
    hosts = config["routeConfig"].get("virtualHosts") or ()
    over_rds = [host.pop("typedPerFilterConfig", {}).get(_HTTP_RBAC) for host in hosts]
    filters = []
    for each in config.get("httpFilters") or ():
        inner = each.get("typedConfig", {}).get("extensionConfig", {}).get("name")
        if each["name"] == _HTTP_RBAC:
            rules = next((one.get("rbac", {}) for one in over_rds if one), each["typedConfig"])
            filters.append({"name": _HTTP_RBAC, **_rules(rules)})
        elif each["name"] not in _OVER_RDS and inner not in _OVER_RDS:
            filters.append(each)
    return filters


def _rules(config: Json) -> Json:
    """Nobody is let in by no rules, and by a matcher that matches nothing. What rules say is each side's
    own: here the strongest decides, there combinations of clients do."""
    named = ("rules", "matcher", "shadowRules", "shadowMatcher")
    found = {key: config[key] for key in named if config.get(key)}
    return {} if set(found.get("matcher", ())) == {"onNoMatch"} else dict.fromkeys(found, True)


def _strip(routes: Json) -> None:
    """Without the headers by which clients are known, which nobody else may set or see."""
    for holder in (routes, *(routes.get("virtualHosts") or ())):
        removed = holder.pop("requestHeadersToRemove", ())
        if kept := [each for each in removed if not each.startswith("x-kuma-client-")]:
            holder["requestHeadersToRemove"] = kept
    for host in routes.get("virtualHosts") or ():
        for route in host.get("routes") or ():
            own = route.get("typedPerFilterConfig", {})
            for name in _OVER_RDS:
                own.pop(name, None)
            if not own:
                route.pop("typedPerFilterConfig", None)
