"""Whatever is accepted gives configuration that the real Envoy accepts, also at the limits of fields."""

from typing import Any

from kuma.envoy.render import Renderer
from kuma.envoy.snapshot import EnvoyResource
from kuma.plan.proxy import ProxyPlan
from kuma.policies.catalogue import REGISTRY
from kuma.policies.shapers import SHAPERS
from tests.policies.verdict import verdict
from tests.resolve.world import a_policy, plan_of
from tests.support.builders import a_dataplane, a_mesh, an_inbound
from tests.support.envoy_validate import rejections

LONGEST = "2540400h"
HIGHEST = 2**31 - 1
SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
VERSIONS = ("TLSAuto", "TLS10", "TLS11", "TLS12", "TLS13")
CIPHERS = [
    f"ECDHE-{key}-{rest}"
    for key in ("ECDSA", "RSA")
    for rest in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
]

Spec = tuple[str, dict[str, Any]]


def health(**conf: Any) -> Spec:
    checks: dict[str, Any] = {"http": {}, "tcp": {}, "grpc": {}}
    target = {"kind": "Mesh"}
    return "MeshHealthCheck", {"to": [{"targetRef": target, "default": {**checks, **conf}}]}


def limit(local: dict[str, Any], *matches: dict[str, Any]) -> Spec:
    rule = {"matches": [*matches], "default": {"local": local}}
    return "MeshRateLimit", {"targetRef": SIDECARS, "rules": [rule]}


def answer(**conf: Any) -> Spec:
    return limit({"http": {"requestRate": {"num": 1, "interval": "1s"}, "onRateLimit": conf}})


def faults(*items: dict[str, Any], matches: tuple[dict[str, Any], ...] = ()) -> Spec:
    rule = {"matches": [*matches], "default": {"http": [*items]}}
    return "MeshFaultInjection", {"targetRef": SIDECARS, "rules": [rule]}


def terms(**conf: Any) -> Spec:
    return "MeshTLS", {"rules": [{"default": conf}]}


def headers(value: str) -> dict[str, Any]:
    pair = [{"name": "x-a", "value": value}]
    return {"set": pair, "add": pair}


def every(duration: str) -> dict[str, str]:
    names = ("interval", "timeout", "noTrafficInterval", "initialJitter", "intervalJitter")
    return dict.fromkeys(names, duration)


ABORT = {"abort": {"httpStatus": 200, "percentage": "0.00001"}}
ACCEPTED = [
    health(**every("1us")),
    health(**every(LONGEST), unhealthyThreshold=HIGHEST, healthyThreshold=HIGHEST),
    health(healthyPanicThreshold="0.0000000001", intervalJitterPercent=0),
    health(healthyPanicThreshold=100, failTrafficOnPanic=False, reuseConnection=True),
    health(http={"path": "not/absolute ?#%zz\t", "expectedStatuses": [100, 599, 599]}),
    health(http={"requestHeadersToAdd": headers("a,b %PROTOCOL% %% % é")}),
    health(tcp={"send": "é\0\n", "receive": ["", "\x00"]}),
    health(grpc={"serviceName": "\n\0é", "authority": "a b é"}),
    limit(
        {
            "http": {"requestRate": {"num": HIGHEST, "interval": LONGEST}},
            "tcp": {"connectionRate": {"num": HIGHEST, "interval": LONGEST}},
        }
    ),
    limit(
        {
            "http": {"requestRate": {"num": 1, "interval": "50.001ms"}},
            "tcp": {"connectionRate": {"num": 1, "interval": "50.001ms"}},
        }
    ),
    limit({"http": {"onRateLimit": {}}}, {"sni": {"type": "Exact", "value": "a.b"}}),
    limit(
        {"http": {"requestRate": {"num": 1, "interval": "1s"}}},
        {"spiffeID": {"type": "Prefix", "value": "spiffe://a.b_c-d/E.e"}},
    ),
    *(answer(status=status) for status in (1, 399, 400, 418, 499, 599, 600, HIGHEST)),
    answer(headers=headers("100% %PROTOCOL%")),
    faults(ABORT, {"abort": {"httpStatus": 599, "percentage": 100}}, {}),
    faults({"delay": {"value": "1ns", "percentage": 1}}),
    faults({"delay": {"value": LONGEST, "percentage": "99.99999999"}}),
    faults({"responseBandwidth": {"limit": "999999999Gbps", "percentage": "1e1"}}),
    faults({"responseBandwidth": {"limit": "1kbps", "percentage": 0}}),
    faults(),
    faults(ABORT, matches=({},)),
    *(
        terms(tlsVersion={"min": oldest, "max": newest})
        for oldest in VERSIONS
        for newest in VERSIONS
        if "TLSAuto" in {oldest, newest} or oldest <= newest
    ),
    *(terms(tlsCiphers=[cipher], tlsVersion={"min": "TLS10"}) for cipher in CIPHERS),
    terms(tlsCiphers=CIPHERS, tlsVersion={"min": "TLS13"}),
]


def rendered(plan: ProxyPlan) -> list[EnvoyResource]:
    renderer = Renderer(SHAPERS)
    made = [part for inbound in plan.inbounds for part in renderer.inbound(inbound)]
    made += [part for each in plan.outbounds for part in renderer.outbound(each) if part]
    return made + [renderer.destination(each) for each in plan.destinations]


def configured(spec: Spec, *, permissive: bool) -> list[EnvoyResource]:
    services = {"web": "http", "greeter": "grpc", "db": "tcp"}
    dataplane = a_dataplane(
        "dp",
        inbounds=[
            an_inbound(name, port, protocol=protocol)
            for port, (name, protocol) in enumerate(services.items(), start=8080)
        ],
        outbounds=dict(enumerate(services, start=9000)),
    )
    mesh = a_mesh(mtls=True, permissive=permissive)
    return rendered(plan_of("dp", mesh, dataplane, a_policy(spec[0], "p", spec[1])))


def test_envoy_accepts_whatever_is_accepted() -> None:
    refused = {
        str(spec): found for spec in ACCEPTED if (found := verdict(REGISTRY.kind(spec[0]), spec[1]))
    }
    assert refused == {}
    cases = {
        f"{number} {permissive}": configured(spec, permissive=permissive)
        for number, spec in enumerate(ACCEPTED)
        for permissive in (False, True)
    }
    assert rejections(cases) == {}
