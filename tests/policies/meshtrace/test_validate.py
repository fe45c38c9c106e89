"""Fields and messages are those of Kuma 2.14.3, given the same specs; what it takes and Envoy, or the
network, then refuses stands apart."""

from typing import Any

import pytest

from kuma.policies.meshtrace import KIND
from tests.policies.verdict import verdict

BACKEND = "spec.default.backends[0]"
ZIPKIN = {"type": "Zipkin", "zipkin": {"url": "http://zipkin:9411/api/v2/spans"}}
OTEL = "must be in host:port format, not a URL"
ONE_OF = "endpoint, backendRef"


def a_spec(backend: dict[str, Any] = ZIPKIN, **more: Any) -> dict[str, Any]:
    return {"default": {"backends": [backend], **more}}


def zipkin(url: str, **more: Any) -> dict[str, Any]:
    return a_spec({"type": "Zipkin", "zipkin": {"url": url, **more}})


def datadog(url: str) -> dict[str, Any]:
    return a_spec({"type": "Datadog", "datadog": {"url": url}})


def open_telemetry(**fields: Any) -> dict[str, Any]:
    return a_spec({"type": "OpenTelemetry", "openTelemetry": fields})


@pytest.mark.parametrize(
    "spec",
    [
        {"default": {"backends": []}},
        zipkin("http://localhost"),
        zipkin("https://zipkin.svc:9411"),
        zipkin("http://user:p@1.2.3.4:1/x?q=1", apiVersion="httpProto", traceId128bit=True),
        zipkin("http://[::1]:9411/x", sharedSpanContext=False),
        datadog("http://agent:8126"),
        datadog("http://[::1]:8126"),
        a_spec({**ZIPKIN, "datadog": {"url": "nonsense"}}),
        *(open_telemetry(endpoint=each) for each in ("a", "a:4317", "::1", "[::1]:4317")),
        open_telemetry(backendRef={"kind": "MeshOpenTelemetryBackend", "labels": {"a": "b"}}),
        a_spec(sampling={"overall": 0, "client": 100, "random": "12.5"}),
        a_spec(sampling={}, tags=[{"name": "a", "literal": "x"}, {"name": "a", "literal": "y"}]),
        a_spec(tags=[{"name": "a", "header": {"name": "h", "default": ""}}]),
        {"targetRef": {"kind": "Mesh", "proxyTypes": ["Sidecar"]}, **a_spec()},
        {"targetRef": {"kind": "MeshGateway", "name": "a"}, **a_spec()},
    ],
    ids=str,
)
def test_accepts(spec: dict[str, Any]) -> None:
    assert verdict(KIND, spec) == []


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, [("spec.default.backends", "must be defined")]),
        (
            {"default": {"backends": [ZIPKIN, ZIPKIN]}},
            [("spec.default.backends", "must have at most 1 items")],
        ),
        (a_spec({"type": "Zipkin"}), [(f"{BACKEND}.zipkin", "must be defined")]),
        (
            a_spec({"type": "Datadog", "zipkin": ZIPKIN["zipkin"]}),
            [(f"{BACKEND}.datadog", "must be defined")],
        ),
        (a_spec({"type": "OpenTelemetry"}), [(f"{BACKEND}.openTelemetry", "must be defined")]),
        (zipkin(""), [(f"{BACKEND}.zipkin.url", "must not be empty")]),
        *(
            (zipkin(url), [(f"{BACKEND}.zipkin.url", "must be a valid url")])
            for url in (
                *("nonsense", "http://", "a:1", "http://a b:1", "//a:1", "/path", "http://a:"),
                *("http://-a:1", "http://a:1/%zz"),
            )
        ),
        *(
            (datadog(url), [(f"{BACKEND}.datadog.url", text) for text in texts])
            for url, texts in (
                ("", ["must be a valid url"]),
                ("nonsense", ["must be a valid url"]),
                ("http://a:x", ["must be a valid url"]),
                ("http://a:1#f", ["must be a valid url"]),
                ("http://a", ["port must be defined"]),
                ("https://a:1", ["scheme must be http"]),
                ("http://a:99999", ["port must be a valid (1-65535)"]),
                ("http://a:0", ["port must be a valid (1-65535)"]),
                ("http://a:1/", ["path must not be defined"]),
                (
                    "http://u:p@a/p?q=1",
                    [
                        "port must be defined",
                        "user must not be defined",
                        "path must not be defined",
                        "query must not be defined",
                    ],
                ),
                (
                    "mailto:x",
                    ["scheme must be http", "port must be defined", "opaque must not be defined"],
                ),
            )
        ),
        (
            open_telemetry(),
            [
                (
                    f"{BACKEND}.openTelemetry",
                    f"openTelemetry must have exactly one defined: {ONE_OF}",
                )
            ],
        ),
        (
            open_telemetry(endpoint="a:1", backendRef={"kind": "MeshOpenTelemetryBackend"}),
            [
                (
                    f"{BACKEND}.openTelemetry",
                    f"openTelemetry must have only one type defined: {ONE_OF}",
                )
            ],
        ),
        (
            open_telemetry(backendRef={"kind": "MeshOpenTelemetryBackend"}),
            [
                (
                    f"{BACKEND}.openTelemetry.backendRef",
                    "backendRef must have exactly one defined: labels",
                )
            ],
        ),
        *(
            (open_telemetry(endpoint=each), [(f"{BACKEND}.openTelemetry.endpoint", OTEL)])
            for each in ("http://a:1", "a:1/x", "a:1?x")
        ),
        (
            a_spec(tags=[{"name": ""}, {"name": "a", "literal": "x", "header": {"name": "h"}}]),
            [
                ("spec.default.tags[0].name", "must not be empty"),
                *(
                    (f"spec.default.tags[{i}]", "tag must have only one type defined: header, literal")
                    for i in (0, 1)
                ),
            ],
        ),
        *(
            (a_spec(sampling={"overall": share}), [("spec.default.sampling.overall", text)])
            for share, text in (
                (-1, "must be between 0 and 100"),
                ("100.1", "must be between 0 and 100"),
                ("x", "string is not a number"),
                (" 5", "string is not a number"),
                ("1_0", "string is not a number"),
                ("NaN", "string is not a number"),
            )
        ),
        (
            {"targetRef": {"kind": "MeshHTTPRoute", "name": "a"}, **a_spec()},
            [("spec.targetRef.kind", "value 'MeshHTTPRoute' is not supported")],
        ),
        (
            {"targetRef": {"kind": "Dataplane", "name": "a", "sectionName": "b"}, **a_spec()},
            [("spec.targetRef.sectionName", "can only be used with inbound policies")],
        ),
    ],
    ids=str,
)  # fmt: skip
def test_refuses_as_kuma_does(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert verdict(KIND, spec) == expected


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (zipkin("ftp://a:1"), f"{BACKEND}.zipkin.url", "scheme must be http or https"),
        (zipkin("http://a:0"), f"{BACKEND}.zipkin.url", "port must be a valid (1-65535)"),
        (datadog("http://:8126"), f"{BACKEND}.datadog.url", "host must be defined"),
        *(
            (
                open_telemetry(endpoint=each),
                f"{BACKEND}.openTelemetry.endpoint",
                "must be in host:port format",
            )
            for each in (":4317", "a b", "a:0", "a:99999", "a:x", "a:1:2")
        ),
        (
            a_spec(tags=[{"name": "a", "literal": ""}]),
            "spec.default.tags[0].literal",
            "must not be empty",
        ),
        (
            a_spec(tags=[{"name": "a", "header": {"name": "no header\n"}}]),
            "spec.default.tags[0].header.name",
            "must be a valid name of a header",
        ),
    ],
    ids=str,
)
def test_refuses_what_envoy_or_the_network_would(
    spec: dict[str, Any], field: str, message: str
) -> None:
    assert verdict(KIND, spec) == [(field, message)]


def test_defaults_are_those_of_kuma() -> None:
    spec = KIND.spec.model_validate(zipkin("http://a:1/x"))
    assert spec.to_json()["default"]["backends"][0]["zipkin"] == {
        "url": "http://a:1/x",
        "traceId128bit": False,
        "apiVersion": "httpJson",
        "sharedSpanContext": True,
    }
