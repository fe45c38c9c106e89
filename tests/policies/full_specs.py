"""Specs of every policy that, taken together, have every field, for the proxies of `full_world`."""

from typing import Any

Spec = dict[str, Any]
MESH = {"kind": "Mesh"}
SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
API = {"kind": "MeshService", "name": "api"}
_SPIFFE = {"type": "Prefix", "value": "spiffe://default/a"}
_SNI = {"type": "Exact", "value": "a.b"}
_RATE = {"num": 5, "interval": "1s"}


def _to(default: Spec, *, ref: Spec = MESH, top: Spec | None = None) -> Spec:
    return _with(top, to=[{"targetRef": ref, "default": default}])


def _from(default: Spec, *, ref: Spec = MESH, top: Spec | None = None) -> Spec:
    return _with(top, **{"from": [{"targetRef": ref, "default": default}]})


def _rules(default: Spec, *matches: Spec, top: Spec | None = None) -> Spec:
    return _with(top, rules=[{"default": default, **({"matches": [*matches]} if matches else {})}])


def _with(top: Spec | None, **spec: Any) -> Spec:
    return spec if top is None else {"targetRef": top, **spec}


def _pairs(**lists: str) -> Spec:
    return {name: [{"name": header, "value": "v"}] for name, header in lists.items()}


_TIMEOUTS = {
    "connectionTimeout": "1s",
    "idleTimeout": "2s",
    "http": {
        "requestTimeout": "3s",
        "streamIdleTimeout": "4s",
        "maxStreamDuration": "5s",
        "maxConnectionDuration": "6s",
        "requestHeadersTimeout": "8s",
    },
}
_REQUEST_TIMEOUT = {"http": {"requestTimeout": "3s"}}
_BACK_OFF = {
    "numRetries": 2,
    "perTryTimeout": "1s",
    "backOff": {"baseInterval": "1s", "maxInterval": "10s"},
    "rateLimitedBackOff": {
        "maxInterval": "20s",
        "resetHeaders": [{"name": "x-reset", "format": "Seconds"}],
    },
}
_HEADERS = [
    *(
        {"name": "x-a", "type": each, "value": "b"}
        for each in ("Exact", "Prefix", "RegularExpression")
    ),
    *({"name": "x-a", "type": each} for each in ("Present", "Absent")),
]
_RETRIES = {
    "tcp": {"maxConnectAttempt": 4},
    "grpc": {**_BACK_OFF, "retryOn": ["Canceled"]},
    "http": {
        **_BACK_OFF,
        "retryOn": ["5xx"],
        "retriableRequestHeaders": _HEADERS,
        "retriableResponseHeaders": _HEADERS,
        "hostSelectionMaxAttempts": 4,
        "hostSelection": [
            {"predicate": "OmitPreviousHosts"},
            {"predicate": "OmitHostsWithTags", "tags": {"version": "v1"}},
            {"predicate": "OmitPreviousPriorities", "updateFrequency": 4},
        ],
    },
}
_BREAKER = {
    "connectionLimits": {
        "maxConnections": 11,
        "maxConnectionPools": 12,
        "maxPendingRequests": 13,
        "maxRequests": 14,
        "maxRetries": 15,
    },
    "outlierDetection": {
        "disabled": False,
        "interval": "1s",
        "baseEjectionTime": "2s",
        "maxEjectionPercent": 33,
        "splitExternalAndLocalErrors": True,
        "healthyPanicThreshold": "12.5",
        "detectors": {
            "totalFailures": {"consecutive": 21},
            "gatewayFailures": {"consecutive": 22},
            "localOriginFailures": {"consecutive": 23},
            "successRate": {
                "minimumHosts": 24,
                "requestVolume": 25,
                "standardDeviationFactor": "1.9",
            },
            "failurePercentage": {"minimumHosts": 26, "requestVolume": 27, "threshold": 28},
        },
    },
}
_CHECKS = {
    "interval": "10s",
    "timeout": "2s",
    "unhealthyThreshold": 5,
    "healthyThreshold": 6,
    "initialJitter": "5s",
    "intervalJitter": "6s",
    "intervalJitterPercent": 10,
    "healthyPanicThreshold": 50,
    "failTrafficOnPanic": True,
    "eventLogPath": "/tmp/health.log",
    "alwaysLogHealthCheckFailures": True,
    "noTrafficInterval": "10s",
    "reuseConnection": True,
    "http": {
        "disabled": False,
        "path": "/health",
        "expectedStatuses": [201],
        "requestHeadersToAdd": _pairs(set="x-set", add="x-add"),
    },
    "tcp": {"disabled": False, "send": "Zm9v", "receive": ["YmFy"]},
    "grpc": {"disabled": False, "serviceName": "service", "authority": "authority"},
}
_LIMITS = {
    "local": {
        "http": {
            "disabled": False,
            "requestRate": _RATE,
            "onRateLimit": {"status": 429, "headers": _pairs(set="x-set", add="x-add")},
        },
        "tcp": {"disabled": False, "connectionRate": _RATE},
    }
}
_HTTP_LIMIT = {"local": {"http": _LIMITS["local"]["http"]}}
_FAULTS = {
    "http": [
        {
            "abort": {"httpStatus": 500, "percentage": 50},
            "delay": {"value": "5s", "percentage": "50.5"},
            "responseBandwidth": {"limit": "50Mbps", "percentage": 51},
        }
    ]
}
_TERMS = {
    "mode": "Permissive",
    "tlsVersion": {"min": "TLS12", "max": "TLS13"},
    "tlsCiphers": ["ECDHE-ECDSA-AES128-GCM-SHA256"],
}
_MATCHES = [{"spiffeID": _SPIFFE, "sni": _SNI}]


def _log_backends() -> list[Spec]:
    plain = {"type": "Plain", "plain": "%PROTOCOL%\n", "omitEmptyValues": False}
    fields = {
        "type": "Json",
        "json": [{"key": "p", "value": "%PROTOCOL%"}],
        "omitEmptyValues": True,
    }
    collector = {
        "endpoint": "otel.example.com:4317",
        "body": {"kvlistValue": {"values": []}},
        "attributes": [{"key": "mesh", "value": "%KUMA_MESH%"}],
    }
    ref = {"backendRef": {"kind": "MeshOpenTelemetryBackend", "labels": {"for": "all"}}}
    return [
        {"type": "File", "file": {"path": "/tmp/a.log", "format": plain}},
        {"type": "File", "file": {"path": "/tmp/b.log", "format": fields}},
        {"type": "Tcp", "tcp": {"address": "192.0.2.1:5000", "format": plain}},
        {"type": "Tcp", "tcp": {"address": "192.0.2.1:5001", "format": fields}},
        {"type": "OpenTelemetry", "openTelemetry": collector},
        {"type": "OpenTelemetry", "openTelemetry": ref},
    ]


_LOGS = {"backends": _log_backends()}
_HASHES = [
    {"type": "Header", "terminal": True, "header": {"name": "x-user"}},
    {"type": "Cookie", "cookie": {"name": "session", "ttl": "1h", "path": "/app"}},
    {"type": "Connection", "connection": {"sourceIP": True}},
    {"type": "SourceIP", "connection": {"sourceIP": True}},
    {"type": "QueryParameter", "queryParameter": {"name": "user"}},
    {"type": "FilterState", "filterState": {"key": "some-key"}},
]
_RING = {"hashFunction": "XXHash", "minRingSize": 64, "maxRingSize": 512}
_NEAR = {
    "localZone": {"affinityTags": [{"key": "team", "weight": 90}, {"key": "version", "weight": 9}]},
    "crossZone": {
        "failover": [
            {"from": {"zones": ["east"]}, "to": {"type": "Only", "zones": ["west"]}},
            {"to": {"type": "AnyExcept", "zones": ["south"]}},
            {"to": {"type": "Any"}},
            {"to": {"type": "None"}},
        ],
        "failoverThreshold": {"percentage": 70},
    },
}


def _balancer(kind: str, **conf: Any) -> Spec:
    return {"loadBalancer": {"type": kind, **conf}}


def _route(matches: list[Spec], **default: Any) -> Spec:
    return _with(
        SIDECARS, to=[{"targetRef": API, "rules": [{"matches": matches, "default": default}]}]
    )


_PREFIX = {"path": {"type": "PathPrefix", "value": "/old"}}
_BACKENDS = [{"kind": "MeshService", "name": "echo", "weight": 3}, {**API, "weight": 5}]
_CHANGES = {**_pairs(set="x-set", add="x-add"), "remove": ["x-gone"]}


def _filter(kind: str, field: str, **conf: Any) -> Spec:
    return {"type": kind, field: conf}


def _path(kind: str, field: str) -> Spec:
    return {"type": kind, field: "/new"}


_PREFIX_PATH = _path("ReplacePrefixMatch", "replacePrefixMatch")
_FULL_PATH = _path("ReplaceFullPath", "replaceFullPath")
_REDIRECT = {"scheme": "https", "hostname": "a.b", "port": 8443, "statusCode": 301}
_ROUTES = [
    _route(
        [
            {
                "path": {"type": "Exact", "value": "/exact"},
                "method": "GET",
                "headers": _HEADERS,
                "queryParams": [{"type": "Exact", "name": "q", "value": "v"}],
            }
        ],
        backendRefs=_BACKENDS,
        filters=[
            _filter("RequestHeaderModifier", "requestHeaderModifier", **_CHANGES),
            _filter("ResponseHeaderModifier", "responseHeaderModifier", **_CHANGES),
            _filter(
                "RequestMirror",
                "requestMirror",
                percentage="12.5",
                backendRef={"kind": "MeshService", "name": "echo"},
            ),
        ],
    ),
    *(
        _route([_PREFIX], filters=[each])
        for path in (_PREFIX_PATH, _FULL_PATH)
        for each in (
            _filter("RequestRedirect", "requestRedirect", path=path, **_REDIRECT),
            _filter("URLRewrite", "urlRewrite", path=path, hostname="a.b"),
        )
    ),
]


def _json_patches(
    adds: tuple[str, object],
    replaces: tuple[str, object],
    copies: tuple[str, str],
    moves: tuple[str, str],
) -> list[Spec]:
    """What is replaced is removed as well; what is copied or moved comes from the second path."""
    (added, value), (replaced, other) = adds, replaces
    return [
        {"op": "add", "path": added, "value": value},
        {"op": "replace", "path": replaced, "value": other},
        {"op": "remove", "path": replaced},
        *(
            {"op": op, "path": path, "from": source}
            for op, (path, source) in (("copy", copies), ("move", moves))
        ),
    ]


def _modifications() -> list[Spec]:
    """With a value, then with JSON patches."""
    proxy, manager, router, rbac = (
        f"{{{{name: envoy.filters.{name}, typedConfig: "
        f"{{{{'@type': type.googleapis.com/envoy.extensions.filters.{type_}, {{}}}}}}}}}}"
        for name, type_ in (
            ("network.tcp_proxy", "network.tcp_proxy.v3.TcpProxy"),
            (
                "network.http_connection_manager",
                "network.http_connection_manager.v3.HttpConnectionManager",
            ),
            ("http.router", "http.router.v3.Router"),
            ("http.rbac", "http.rbac.v3.RBAC"),
        )
    )
    tags = {"kuma.io/service": "web"}
    in_http = {"listenerName": "inbound:192.168.0.1:80", "listenerTags": tags, "origin": "inbound"}
    of = {
        "cluster": {"name": "api", "origin": "outbound"},
        "listener": {"name": "inbound:192.168.0.1:80", "origin": "inbound", "tags": tags},
        "networkFilter": {"name": "envoy.filters.network.http_connection_manager", **in_http},
        "httpFilter": {"name": "envoy.filters.http.rbac", **in_http},
        "virtualHost": {
            "name": "api",
            "origin": "outbound",
            "routeConfigurationName": "outbound:api",
        },
    }
    values = {
        "cluster": ["altStatName: a"],
        "listener": ["statPrefix: a"],
        "networkFilter": [manager.format("serverName: a"), manager.format("serverName: b")],
        "httpFilter": [rbac.format("rulesStatPrefix: a"), rbac.format("rulesStatPrefix: b")],
        "virtualHost": ["requestHeadersToRemove: [x-a]", "requestHeadersToRemove: [x-b]"],
    }
    patches = {
        "cluster": _json_patches(
            ("/altStatName", "a"),
            ("/connectTimeout", "9s"),
            ("/altStatName", "/name"),
            ("/ignoreHealthOnHostRemoval", "/circuitBreakers/thresholds/0/trackRemaining"),
        ),
        "listener": _json_patches(
            ("/statPrefix", "a"),
            ("/enableReusePort", False),
            ("/statPrefix", "/name"),
            ("/freebind", "/enableReusePort"),
        ),
        "networkFilter": _json_patches(
            ("/serverName", "a"),
            ("/streamIdleTimeout", "9s"),
            ("/serverName", "/statPrefix"),
            ("/requestTimeout", "/streamIdleTimeout"),
        ),
        "httpFilter": _json_patches(
            ("/rulesStatPrefix", "a"),
            ("/rules", {"action": "DENY"}),
            ("/shadowRules", "/rules"),
            ("/shadowRules", "/rules"),
        ),
        "virtualHost": _json_patches(
            ("/requestHeadersToRemove/0", "x-a"),
            ("/routes/0/route/timeout", "9s"),
            ("/requestHeadersToRemove", "/domains"),
            ("/routes/0/route/idleTimeout", "/routes/0/route/timeout"),
        ),
    }
    whole = {
        "cluster": "{name: added, connectTimeout: 1s}",
        "listener": "name: added",
        "networkFilter": proxy.format("statPrefix: a, cluster: api"),
        "httpFilter": router.format("suppressEnvoyHeaders: true"),
        "virtualHost": "{name: added, domains: [a.b]}",
    }
    beside = {
        "networkFilter": [
            {"name": name, "listenerName": "inbound:192.168.0.1:82"}
            for name in ("envoy.filters.network.rbac", "envoy.filters.network.tcp_proxy")
        ],
        "httpFilter": [{**in_http, "name": "envoy.filters.http.fault"}],
    }
    added: dict[str, Spec] = {
        "cluster": {},
        "listener": {},
        "virtualHost": {"match": {"routeConfigurationName": "outbound:api"}},
    }
    made = [
        {each: {"match": match, **rest}}
        for each, match in of.items()
        for rest in (
            {"operation": "Remove"},
            *({"operation": "Patch", "value": value} for value in values[each]),
            *({"operation": "Patch", "jsonPatches": [patch]} for patch in patches[each]),
        )
    ]
    made += [
        {each: {"operation": operation, "match": match, "value": whole[each]}}
        for each, found in beside.items()
        for match in found
        for operation in ("AddFirst", "AddLast", "AddBefore", "AddAfter")
    ]
    made += [{each: {"operation": "Add", "value": whole[each], **added[each]}} for each in added]
    return made


def _passed(kind: str, value: str, protocol: str = "tcp") -> Spec:
    match = {"type": kind, "value": value, "protocol": protocol, "port": 9000}
    return _with(SIDECARS, default={"passthroughMode": "Matched", "appendMatch": [match]})


_METRIC_BACKENDS = [
    {
        "type": "Prometheus",
        "prometheus": {
            "clientId": "main",
            "port": 5671,
            "path": "/all",
            "tls": {"mode": "ProvidedTLS"},
        },
    },
    *(
        {"type": "OpenTelemetry", "openTelemetry": {**where, "refreshInterval": "30s"}}
        for where in (
            {"endpoint": "otel.example.com:4317"},
            {"backendRef": {"kind": "MeshOpenTelemetryBackend", "labels": {"for": "all"}}},
        )
    ),
]


SPECS: dict[str, list[Spec]] = {
    "MeshTimeout": [
        _to(_TIMEOUTS, ref=API, top=SIDECARS),
        _from(_TIMEOUTS),
        _rules(_REQUEST_TIMEOUT, *_MATCHES),
        _rules(_TIMEOUTS),
    ],
    "MeshRetry": [_to(_RETRIES, top=SIDECARS)],
    "MeshCircuitBreaker": [
        _to(_BREAKER, top=SIDECARS),
        _from(_BREAKER),
        _rules(_BREAKER),
    ],
    "MeshHealthCheck": [_to(_CHECKS, top=SIDECARS)],
    "MeshRateLimit": [
        _from(_LIMITS, top=SIDECARS),
        _rules(_LIMITS, top=SIDECARS),
        _rules(_HTTP_LIMIT, *_MATCHES, top=SIDECARS),
        _to(_LIMITS),
    ],
    "MeshFaultInjection": [
        _from(_FAULTS, ref={"kind": "MeshService", "name": "api"}, top=SIDECARS),
        _rules(_FAULTS, *_MATCHES, top=SIDECARS),
        _to(_FAULTS),
    ],
    "MeshTrafficPermission": [
        _from({"action": "Allow"}, ref={"kind": "MeshService", "name": "api"}, top=SIDECARS),
        _with(
            SIDECARS,
            rules=[{"default": dict.fromkeys(("allow", "deny", "allowWithShadowDeny"), _MATCHES)}],
        ),
    ],
    "MeshTLS": [
        *(each(_TERMS) for each in (_from, _rules)),
        *(each({"tlsVersion": {"min": "TLS10", "max": "TLS13"}}) for each in (_from, _rules)),
        _rules({"mode": "Permissive"}, top=SIDECARS),
    ],
    "MeshAccessLog": [
        _to(_LOGS, top=SIDECARS),
        _from(_LOGS),
        _rules(_LOGS),
        _rules(_LOGS, *_MATCHES),
    ],
    "MeshTrace": [
        _with(
            SIDECARS,
            default={
                "sampling": {"overall": "12.5", "client": 13, "random": 14},
                "tags": [
                    {"name": "team", "literal": "blue"},
                    {"name": "user", "header": {"name": "x-user", "default": "nobody"}},
                ],
                "backends": [backend],
            },
        )
        for backend in (
            {
                "type": "Zipkin",
                "zipkin": {
                    "url": "http://zipkin.example.com:9411/api/v2/spans",
                    "traceId128bit": True,
                    "sharedSpanContext": False,
                    "apiVersion": "httpProto",
                },
            },
            {
                "type": "Datadog",
                "datadog": {"url": "http://datadog.example.com:8126", "splitService": True},
            },
            {"type": "OpenTelemetry", "openTelemetry": {"endpoint": "otel.example.com:4317"}},
            {
                "type": "OpenTelemetry",
                "openTelemetry": {
                    "backendRef": {"kind": "MeshOpenTelemetryBackend", "labels": {"for": "all"}}
                },
            },
        )
    ],
    "MeshMetric": [
        _with(
            SIDECARS,
            default={
                "sidecar": {
                    "includeUnused": True,
                    "profiles": {
                        "appendProfiles": [{"name": "Basic"}],
                        "include": [{"type": "Prefix", "match": "in"}],
                        "exclude": [{"type": "Regex", "match": "out"}],
                    },
                },
                "applications": [
                    {"name": "app", "path": "/stats", "address": "127.0.0.2", "port": 9100}
                ],
                "backends": [backend],
            },
        )
        for backend in _METRIC_BACKENDS
    ],
    "MeshPassthrough": [
        _passed("Domain", "example.com", "tls"),
        _passed("IP", "192.0.2.9"),
        _passed("CIDR", "198.51.100.0/24"),
    ],
    "MeshLoadBalancingStrategy": [
        *(
            _to({**_balancer(kind, **conf), "localityAwareness": _NEAR}, top=SIDECARS, ref=API)
            for kind, conf in (
                ("RoundRobin", {}),
                ("Random", {}),
                ("LeastRequest", {"leastRequest": {"choiceCount": 4, "activeRequestBias": "1.5"}}),
                ("RingHash", {"ringHash": {**_RING, "hashPolicies": _HASHES}}),
                ("Maglev", {"maglev": {"tableSize": 1009, "hashPolicies": _HASHES}}),
            )
        ),
        _to({**_balancer("Maglev"), "hashPolicies": _HASHES}, ref=API),
        _to({"localityAwareness": {"disabled": True}}, ref=API),
    ],
    "MeshHTTPRoute": _ROUTES,
    "MeshTCPRoute": [
        _with(
            SIDECARS,
            to=[
                {
                    "targetRef": {"kind": "MeshService", "name": "db"},
                    "rules": [{"default": {"backendRefs": _BACKENDS}}],
                }
            ],
        )
    ],
    "MeshProxyPatch": [
        _with(SIDECARS, default={"appendModifications": [each]}) for each in _modifications()
    ],
}
