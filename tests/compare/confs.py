"""What policies say, by kind: their `default`, and what `rules` may match."""

from collections.abc import Callable

from tests.compare.chance import Chance, Json
from tests.compare.targets import backend_ref

Conf = Callable[[Chance], Json]


def timeout(r: Chance) -> Json:
    return r.some(
        connectionTimeout=r.duration,
        idleTimeout=r.duration,
        http=lambda: r.some(
            requestTimeout=r.duration,
            streamIdleTimeout=r.duration,
            maxStreamDuration=r.duration,
            maxConnectionDuration=r.duration,
            requestHeadersTimeout=r.duration,
        ),
    )


def route_timeout(r: Chance) -> Json:
    return {"http": r.some(requestTimeout=r.duration, streamIdleTimeout=r.duration)}


def _back_off(r: Chance) -> Json:
    return r.some(0.8, baseInterval=r.duration, maxInterval=r.duration)


def _rate_limited(r: Chance) -> Json:
    return r.whole(
        maxInterval=r.duration,
        resetHeaders=lambda: r.many(
            lambda: r.whole(name=r.header, format=lambda: r.one(["Seconds", "UnixTimestamp"]))
        ),
    )


def _header_match(r: Chance) -> Json:
    kind = r.one(["Exact", "Present", "RegularExpression", "Absent", "Prefix"])
    value = (
        {}
        if kind in {"Present", "Absent"} and not r.is_odd
        else {"value": r.one(["a", "v1", "x.*"])}
    )
    return {"name": r.header(), **({} if r.at(0.2) else {"type": kind}), **value}


def retry(r: Chance) -> Json:
    http_on = ["5xx", "GatewayError", "Reset", "Retriable4xx", "ConnectFailure", "RefusedStream",
               "EnvoyRatelimited", "Http3PostConnectFailure", "HttpMethodGet", "HttpMethodPost", "429", "503"]  # fmt: skip
    grpc_on = ["Canceled", "DeadlineExceeded", "Internal", "ResourceExhausted", "Unavailable"]

    def selection() -> Json:
        predicate = r.one(["OmitPreviousHosts", "OmitHostsWithTags", "OmitPreviousPriorities"])
        fields = {
            "OmitHostsWithTags": {"tags": {"version": "v1"}},
            "OmitPreviousPriorities": {"updateFrequency": r.number(1, 5)},
        }
        return {"predicate": predicate, **({} if r.is_odd else fields.get(str(predicate), {}))}

    return r.some(
        tcp=lambda: r.some(maxConnectAttempt=lambda: r.number(1, 9)),
        http=lambda: r.some(
            0.4,
            numRetries=lambda: r.number(1, 9),
            perTryTimeout=r.duration,
            backOff=lambda: _back_off(r),
            rateLimitedBackOff=lambda: _rate_limited(r),
            retryOn=lambda: r.many(lambda: r.one(http_on, ("600", "x", "99", "", None))),
            retriableRequestHeaders=lambda: r.many(lambda: _header_match(r)),
            retriableResponseHeaders=lambda: r.many(lambda: _header_match(r)),
            hostSelection=lambda: r.many(selection, most=2),
            hostSelectionMaxAttempts=lambda: r.number(1, 9),
        ),
        grpc=lambda: r.some(
            numRetries=lambda: r.number(1, 9),
            perTryTimeout=r.duration,
            backOff=lambda: _back_off(r),
            rateLimitedBackOff=lambda: _rate_limited(r),
            retryOn=lambda: r.some_of(grpc_on, least=1),
        ),
    )


def circuit_breaker(r: Chance) -> Json:
    def consecutive() -> Json:
        return r.some(consecutive=lambda: r.number(1, 20))

    detectors = r.some(
        totalFailures=consecutive,
        gatewayFailures=consecutive,
        localOriginFailures=consecutive,
        successRate=lambda: r.some(
            minimumHosts=lambda: r.number(1, 9),
            requestVolume=lambda: r.number(1, 9),
            standardDeviationFactor=lambda: r.one([1, 2, "1.9", "0.5"], ("x", -1, None, 1.5)),
        ),
        failurePercentage=lambda: r.some(
            minimumHosts=lambda: r.number(1, 9),
            requestVolume=lambda: r.number(1, 9),
            threshold=lambda: r.number(1, 100),
        ),
    )
    return r.some(
        connectionLimits=lambda: r.some(
            maxConnections=lambda: r.number(1, 4096),
            maxConnectionPools=lambda: r.number(1, 9),
            maxPendingRequests=lambda: r.number(1, 4096),
            maxRequests=lambda: r.number(1, 4096),
            maxRetries=lambda: r.number(1, 9),
        ),
        outlierDetection=lambda: {
            **({} if r.is_odd else {"detectors": detectors}),
            **r.some(
                disabled=r.flag,
                interval=r.duration,
                baseEjectionTime=r.duration,
                maxEjectionPercent=lambda: r.number(0, 100),
                splitExternalAndLocalErrors=r.flag,
                healthyPanicThreshold=r.percentage,
            ),
        },
    )


def health_check(r: Chance) -> Json:
    return r.some(
        0.4,
        interval=r.duration,
        timeout=r.duration,
        unhealthyThreshold=lambda: r.number(1, 9),
        healthyThreshold=lambda: r.number(1, 9),
        initialJitter=r.duration,
        intervalJitter=r.duration,
        intervalJitterPercent=lambda: r.number(0, 100),
        healthyPanicThreshold=r.percentage,
        failTrafficOnPanic=r.flag,
        eventLogPath=lambda: r.one(["/tmp/log"], ("", 1)),
        alwaysLogHealthCheckFailures=r.flag,
        noTrafficInterval=r.duration,
        reuseConnection=r.flag,
    ) | r.some(
        tcp=lambda: r.some(
            disabled=r.flag,
            send=lambda: r.one(["Zm9v"], ("!", "", None)),
            receive=lambda: r.many(lambda: r.one(["YmFy", "YmF6"], ("!", ""))),
        ),
        http=lambda: r.some(
            disabled=r.flag,
            path=lambda: r.one(["/", "/health"], ("", "x", None)),
            expectedStatuses=lambda: r.many(lambda: r.number(100, 599)),
            requestHeadersToAdd=lambda: _modifier(r, with_remove=False),
        ),
        grpc=lambda: r.some(
            disabled=r.flag,
            serviceName=lambda: r.one(["svc"]),
            authority=lambda: r.one(["auth"]),
        ),
    )


def _modifier(r: Chance, *, with_remove: bool = True) -> Json:
    def pair() -> Json:
        return r.whole(name=r.header, value=lambda: r.one(["a", "b c", "%"], ("", None, "x\ny")))

    fields = {"set": lambda: r.many(pair, most=2), "add": lambda: r.many(pair, most=2)}
    if with_remove:
        fields["remove"] = lambda: r.many(r.header, most=2)
    return r.some(**fields)


def rate_limit(r: Chance) -> Json:
    def rate() -> Json:
        odd = ("50ms", "10ms", "-1s", "x", "51ms")
        return r.whole(
            num=lambda: r.number(1, 1000), interval=lambda: r.one(["1s", "1m", "100ms"], odd)
        )

    return {
        "local": r.some(
            http=lambda: r.some(
                disabled=r.flag,
                requestRate=rate,
                onRateLimit=lambda: r.some(
                    status=lambda: r.one([429, 503, 401], (99, 600, 200, None)),
                    headers=lambda: _modifier(r, with_remove=False),
                ),
            ),
            tcp=lambda: r.some(disabled=r.flag, connectionRate=rate),
        )
    }


def fault_injection(r: Chance) -> Json:
    def fault() -> Json:
        return r.some(
            abort=lambda: r.whole(
                httpStatus=lambda: r.one([500, 404, 503], (99, 600, 0)), percentage=r.percentage
            ),
            delay=lambda: r.whole(value=r.duration, percentage=r.percentage),
            responseBandwidth=lambda: r.whole(
                limit=lambda: r.one(["50 Mbps", "10kbps", "1 Gbps"], ("x", "5", "0Mbps", "1 bps")),
                percentage=r.percentage,
            ),
        )

    return {"http": r.many(fault, most=2)}


def permission(r: Chance) -> Json:
    return r.some(action=lambda: r.one(["Allow", "Deny", "AllowWithShadowDeny"]))


def spiffe_match(r: Chance) -> Json:
    def spiffe() -> Json:
        odd = ("web", "", "spiffe://", "http://x/y", "spiffe://m ", None)
        values = ["spiffe://m/web", "spiffe://m/api", "spiffe://other/ns/a", "spiffe://m"]
        return r.whole(type=lambda: r.one(["Exact", "Prefix"]), value=lambda: r.one(values, odd))

    def sni() -> Json:
        return r.whole(
            type=lambda: r.one(["Exact"]),
            value=lambda: r.one(["web.mesh", "a.b"], ("A_B", "", "*.x")),
        )

    return r.some(spiffeID=spiffe, sni=sni)


def permission_rule(r: Chance) -> Json:
    def matches() -> Json:
        return r.many(lambda: spiffe_match(r), most=2)

    return r.some(allow=matches, deny=matches, allowWithShadowDeny=matches)


def tls(r: Chance) -> Json:
    versions = ["TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13"]
    ciphers = [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ]
    return r.some(
        mode=lambda: r.one(["Strict", "Permissive"]),
        tlsVersion=lambda: r.some(min=lambda: r.one(versions), max=lambda: r.one(versions)),
        tlsCiphers=lambda: r.many(lambda: r.one(ciphers)),
    )


def _hash_policy(r: Chance) -> Json:
    found = r.tagged(
        Header=lambda: r.whole(name=lambda: r.one(["x-user"], ("",))),
        Cookie=lambda: {
            **r.whole(name=lambda: r.one(["session"], ("",))),
            **({} if r.at(0.5) else r.some(ttl=r.duration, path=lambda: r.one(["/", "/a"]))),
        },
        Connection=lambda: r.some(sourceIP=r.flag),
        QueryParameter=lambda: r.whole(name=lambda: r.one(["q"], ("",))),
        FilterState=lambda: r.whole(key=lambda: r.one(["k"], ("",))),
    )
    if r.at(0.1):
        found = {"type": "SourceIP"}
    return {**found, **({"terminal": r.flag()} if r.at(0.4) else {})}


def load_balancing(r: Chance) -> Json:
    def hashes() -> Json:
        return r.many(lambda: _hash_policy(r), most=2)

    def balancer() -> Json:
        return r.choice(
            [
                lambda: {"type": "RoundRobin"},
                lambda: {"type": "Random"},
                lambda: {
                    "type": "LeastRequest",
                    "leastRequest": r.some(
                        choiceCount=lambda: r.number(2, 9),
                        activeRequestBias=lambda: r.one([1, "1.3", "0.2"], (-1, "x", "0")),
                    ),
                },
                lambda: {
                    "type": "RingHash",
                    "ringHash": r.some(
                        hashFunction=lambda: r.one(["XXHash", "MurmurHash2"]),
                        minRingSize=lambda: r.number(1, 1000),
                        maxRingSize=lambda: r.number(1000, 8000000),
                        hashPolicies=hashes,
                    ),
                },
                lambda: {
                    "type": "Maglev",
                    "maglev": r.some(
                        tableSize=lambda: r.one([65537, 7, 65539], (0, 4, 5000012)),
                        hashPolicies=hashes,
                    ),
                },
                lambda: {"type": r.one(["RoundRobin", "Maglev", "RingHash", "LeastRequest"])},
            ]
        )()

    def zones() -> list[str]:
        return r.many(lambda: r.one(["default", "east", "west"], ("",)), most=2)

    def failover() -> Json:
        kind = r.one(["None", "Any", "Only", "AnyExcept"])
        wants = kind in {"Only", "AnyExcept"} or r.is_odd
        to = {"type": kind, **({"zones": zones()} if wants else {})}
        return {"to": to, **({"from": {"zones": zones()}} if r.at(0.5) else {})}

    def locality() -> Json:
        weighted = r.at(0.5)
        tags = r.some_of(["version", "team", "kuma.io/zone"], least=1)
        return r.some(
            disabled=r.flag,
            localZone=lambda: {
                "affinityTags": [
                    {
                        "key": tag,
                        **({"weight": r.number(1, 100)} if weighted and not r.is_odd else {}),
                    }
                    for tag in tags
                ]
            },
            crossZone=lambda: r.some(
                failover=lambda: r.many(failover, most=2),
                failoverThreshold=lambda: r.whole(percentage=r.percentage),
            ),
        )

    if r.at(0.3):
        return {"hashPolicies": hashes()}
    return r.some(loadBalancer=balancer, localityAwareness=locality)


def _format(r: Chance) -> Json:
    if r.at(0.5):
        return {
            "type": "Plain",
            "plain": r.one(["%START_TIME%", "[%KUMA_MESH%] %REQ(X)%"], ("", None)),
        }
    pair = {"key": r.one(["k", "start"], ("",)), "value": r.one(["%START_TIME%", "v"], ("",))}
    return {"type": "Json", "json": [pair], **({"omitEmptyValues": r.flag()} if r.at(0.5) else {})}


def _collector(r: Chance) -> Json:
    odd = ("", "x y:1", "http://a:1", "a", "a:0", "a:99999", "a:1/x")
    return r.one(["otel.example:4317", "10.0.0.1:4317", "otel:4317"], odd)


def _collector_fields(r: Chance) -> Json:
    if r.at(0.3):
        labels = {"labels": {"kuma.io/display-name": r.choice(["collector", "none"])}}
        name = {"name": r.one(["collector", "otel"], ("nobody", "", "A"))}
        ref = {**labels, **name} if r.is_odd else r.choice([labels] * 4 + [name])
        return {"backendRef": {"kind": "MeshOpenTelemetryBackend", **ref}}
    return r.whole(endpoint=lambda: _collector(r))


def access_log(r: Chance) -> Json:
    def attribute() -> Json:
        return r.whole(
            key=lambda: r.one(["team", "a.b_c"], ("A", "", "mesh")),
            value=lambda: r.one(["x", "%KUMA_MESH%"]),
        )

    def with_format(conf: Json) -> Json:
        return {**conf, **({"format": _format(r)} if r.at(0.5) else {})}

    def backend() -> Json:
        return r.tagged(
            File=lambda: with_format(
                r.whole(path=lambda: r.one(["/tmp/a.log", "/dev/stdout"], ("", "a b", "x")))
            ),
            Tcp=lambda: with_format(
                r.whole(address=lambda: r.one(["10.0.0.1:5000", "logs:80"], ("", "x", "a:b")))
            ),
            OpenTelemetry=lambda: {
                **_collector_fields(r),
                **({"attributes": r.many(attribute)} if r.at(0.4) else {}),
                **({"body": {"kvlistValue": {"values": []}}} if r.at(0.3) else {}),
            },
        )

    return {"backends": r.many(backend, least=0, most=2)}


def trace(r: Chance) -> Json:
    def url() -> Json:
        odd = ("", "x", "http://j", "ftp://a:1/b", "http://j:99999/x", "j:1")
        return r.one(["http://jaeger:9411/api/v2/spans", "http://10.0.0.1:8126"], odd)

    def backend() -> Json:
        return r.tagged(
            Zipkin=lambda: {
                **r.whole(url=url),
                **({} if r.at(0.5) else r.some(
                    apiVersion=lambda: r.one(["httpJson", "httpProto"]),
                    sharedSpanContext=r.flag,
                    traceId128bit=r.flag,
                )),
            },
            Datadog=lambda: {
                "url": r.one(["http://dd:8126", "http://10.0.0.1:8126"], ("", "https://a:1", "http://a", "http://a:1/x")),
                **({"splitService": r.flag()} if r.at(0.5) else {}),
            },
            OpenTelemetry=lambda: _collector_fields(r),
        )  # fmt: skip

    def tag() -> Json:
        name = {"name": r.one(["team", "env"], ("", None))}
        if r.at(0.5):
            return {**name, "literal": r.one(["x", "y"], ("", None))}
        return {**name, "header": {"name": r.header(), **({"default": "d"} if r.at(0.5) else {})}}

    return r.some(
        0.6,
        backends=lambda: [backend()] * (2 if r.is_odd else 1),
        sampling=lambda: r.some(overall=r.percentage, client=r.percentage, random=r.percentage),
        tags=lambda: r.many(tag, most=2),
    )


def proxy_patch(r: Chance) -> Json:
    values = {
        "cluster": "name: extra\ntype: STATIC\nconnectTimeout: 5s\n",
        "listener": "name: extra\naddress: {socketAddress: {address: 127.0.0.1, portValue: 9}}\n",
        "virtualHost": "name: extra\ndomains: ['*']\n",
    }
    patch = [{"op": "replace", "path": "/connectTimeout", "value": "9s"}]

    def named(fields: Json) -> Json:
        return {key: make() for key, make in fields.items() if r.at(0.5)}

    def modification() -> Json:
        kind = r.choice(["cluster", "listener", "networkFilter", "httpFilter", "virtualHost"])
        is_filter = kind in {"networkFilter", "httpFilter"}
        operations = [
            "Patch",
            "Remove",
            *(["AddFirst", "AddLast", "AddBefore", "AddAfter"] if is_filter else ["Add"]),
        ]
        operation = r.one(operations, ("Add", "AddFirst", "", "x"))
        fields = {
            "origin": lambda: r.one(["inbound", "outbound"]),
            "name": lambda: r.one(["api", "inbound:10.0.0.1:80"]),
        }
        match = named(fields)
        if operation in {"AddBefore", "AddAfter"} and not r.is_odd:
            match["name"] = "envoy.filters.http.router"
        if kind == "virtualHost" and operation == "Add":
            match = {"origin": "outbound"}
        found: Json = {"operation": operation}
        if (match and operation != "Add") or kind == "virtualHost" or r.is_odd:
            found["match"] = match
        if operation == "Patch" and r.at(0.5):
            found["jsonPatches"] = patch
        elif operation != "Remove" or r.is_odd:
            found["value"] = r.one(
                [values.get(kind, "name: x\n"), "name: x\n"], ("", "[", "nonsense: 1", None)
            )
        return {kind: found}

    return {"appendModifications": r.many(modification, most=2)}


def http_rules(r: Chance) -> Json:
    return r.many(lambda: _http_rule(r), most=3)


def _http_rule(r: Chance) -> Json:
    def path() -> Json:
        odd = ("", "x", "/a/", None)
        return r.whole(
            type=lambda: r.one(["Exact", "PathPrefix", "RegularExpression"]),
            value=lambda: r.one(["/", "/v1", "/v1/users", "/old"], odd),
        )

    def query() -> Json:
        return r.whole(
            type=lambda: r.one(["Exact", "RegularExpression"]),
            name=lambda: r.one(["q", "page"], ("",)),
            value=lambda: r.one(["1", "a.*"], ("", "(")),
        )

    def match() -> Json:
        return r.some(
            0.4,
            path=path,
            method=lambda: r.one(["GET", "POST", "DELETE"], ("get", "ANY")),
            headers=lambda: r.many(lambda: _header_match(r), most=2),
            queryParams=lambda: r.many(query, most=2),
        )

    default = r.some(
        backendRefs=lambda: r.many(lambda: backend_ref(r)),
        filters=lambda: r.many(lambda: _filter(r), most=2),
    )
    return {"matches": r.many(match, most=2), "default": default if r.at(0.95) else {}}


def _filter(r: Chance) -> Json:
    def path() -> Json:
        if r.at(0.5):
            return {"type": "ReplaceFullPath", "replaceFullPath": r.one(["/new", "/"], ("", "x"))}
        return {"type": "ReplacePrefixMatch", "replacePrefixMatch": r.one(["/new", "/"], ("", "x"))}

    def hostname() -> Json:
        return r.one(["other.example", "a"], ("", "A.B", "*.x"))

    return r.tagged(
        RequestHeaderModifier=lambda: _modifier(r),
        ResponseHeaderModifier=lambda: _modifier(r),
        RequestRedirect=lambda: r.some(
            scheme=lambda: r.one(["http", "https"]),
            hostname=hostname,
            port=lambda: r.number(1, 65535),
            statusCode=lambda: r.one([301, 302, 307], (200, 304)),
            path=path,
        ),
        RequestMirror=lambda: {
            "backendRef": backend_ref(r),
            **({"percentage": r.percentage()} if r.at(0.5) else {}),
        },
    ) if r.at(0.75) else {
        "type": "URLRewrite",
        "urlRewrite": r.some(hostname=hostname, path=path, **({"hostToBackendHostname": r.flag} if r.is_odd else {})),
    }  # fmt: skip


def tcp_rules(r: Chance) -> Json:
    rule = {"default": {"backendRefs": r.many(lambda: backend_ref(r))}}
    return [rule] * (2 if r.is_odd else 1)


def metric(r: Chance) -> Json:
    def matcher() -> Json:
        kinds = ["Prefix", "Regex", "Exact", "Contains"]
        return r.whole(
            type=lambda: r.one(kinds), match=lambda: r.one(["http", "a.*"], ("(", "", None))
        )

    def backend() -> Json:
        return r.tagged(
            Prometheus=lambda: r.some(
                clientId=lambda: r.one(["one", "two"]),
                port=lambda: r.number(1, 65535),
                path=lambda: r.one(["/metrics", "/x"]),
                tls=lambda: r.some(
                    mode=lambda: r.one(["Disabled", "ProvidedTLS", "ActiveMTLSBackend"])
                ),
            ),
            OpenTelemetry=lambda: {
                **_collector_fields(r),
                **({"refreshInterval": r.duration()} if r.at(0.5) else {}),
            },
        )

    def application() -> Json:
        return {
            "port": r.number(1, 65535),
            **({} if r.at(0.5) else r.some(
                address=lambda: r.one(["10.0.0.1"]), name=lambda: r.one(["app"]), path=lambda: r.one(["/m"])
            )),
        }  # fmt: skip

    return r.some(
        sidecar=lambda: r.some(
            includeUnused=r.flag,
            profiles=lambda: r.some(
                appendProfiles=lambda: [{"name": r.one(["All", "Basic", "None"])}],
                exclude=lambda: r.many(matcher, most=2),
                include=lambda: r.many(matcher, most=2),
            ),
        ),
        applications=lambda: r.many(application, most=2),
        backends=lambda: r.many(backend, most=2),
    )


def passthrough(r: Chance) -> Json:
    def match() -> Json:
        kind, value = r.choice([
            ("Domain", "example.com"), ("Domain", "*.example.com"), ("IP", "10.0.0.7"),
            ("IP", "10.0.0.8"), ("CIDR", "10.1.0.0/16"), ("Domain", "api.example.com"),
        ])  # fmt: skip
        protocols = (
            ["tls", "http", "http2", "grpc"]
            if kind == "Domain"
            else ["tcp", "tls", "http", "mysql"]
        )
        return {
            "type": r.one([kind]),
            "value": r.one([value], ("*-x.y", "*", "10.0.0.0/99", "", "a b")),
            "protocol": r.one(protocols, ("tcp", "mysql", "x")),
            "port": r.number(1, 65535),
        }

    return r.some(
        passthroughMode=lambda: r.one(["All", "Matched", "None"]),
        appendMatch=lambda: r.many(match, most=3),
    )
