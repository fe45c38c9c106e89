"""What kuma-dp is told to send on, and how far its environment counts for that."""

from typing import Any

import pytest

from kuma.plan.collector import Collector
from kuma.plan.machine import Machine
from kuma.plan.otel_env import OtelEnv, parse_otel_env
from kuma.plan.piped import Blocked, PipedSignal, PipedState, piped_signal
from kuma.plan.signal import Signal
from kuma.resolve.proxy import piped_of, sender_of
from kuma.resources.kinds.mesh_open_telemetry_backend import (
    MESH_OPEN_TELEMETRY_BACKEND,
    EnvPolicy,
)
from kuma.resources.resource import AnyResource
from tests.resolve.world import PLACEMENTS, RememberingView, a_policy
from tests.support.builders import a_dataplane, a_mesh, a_resource

SHARED = {"shared": {"signal": "shared", "endpointPresent": True}}
TRACES = {"traces": {"signal": "traces", "headersPresent": True, "overrideKinds": ["headers"]}}
WRONG = {**SHARED, "validationErrors": ["shared.mtls", "traces.timeout", "logs.protocol"]}
READY, MISSING, AMBIGUOUS = PipedState.READY, PipedState.MISSING, PipedState.AMBIGUOUS


@pytest.mark.parametrize(
    ("env", "terms", "is_alone", "state", "blocked", "missing"),
    [
        ({}, {}, True, READY, (), ()),
        (SHARED, {}, True, READY, (), ()),
        (SHARED, {"mode": "Disabled"}, True, READY, (Blocked.ENV_DISABLED,), ()),
        ({}, {"mode": "Disabled"}, True, READY, (), ()),
        ({}, {"mode": "Required"}, True, MISSING, (Blocked.REQUIRED_ENV_MISSING,), ()),
        (TRACES, {"mode": "Required"}, True, READY, (), ()),
        (
            WRONG,
            {"mode": "Required"},
            True,
            MISSING,
            (Blocked.REQUIRED_ENV_MISSING,),
            ("client_certificate", "client_key", "timeout"),
        ),
        (WRONG, {}, True, READY, (), ()),
        (
            TRACES,
            {"allowSignalOverrides": False},
            True,
            READY,
            (Blocked.OVERRIDES_DISALLOWED,),
            (),
        ),
        (SHARED, {}, False, AMBIGUOUS, (Blocked.MULTIPLE_BACKENDS,), ()),
        ({}, {}, False, READY, (), ()),
        (SHARED, {"mode": "Disabled"}, False, READY, (Blocked.ENV_DISABLED,), ()),
    ],
)
def test_states_follow_from_the_environment_and_the_terms(
    env: dict[str, Any],
    terms: dict[str, Any],
    *,
    is_alone: bool,
    state: PipedState,
    blocked: tuple[Blocked, ...],
    missing: tuple[str, ...],
) -> None:
    collector = Collector("main", "", 4317, env=EnvPolicy.model_validate(terms))
    found = piped_signal(
        collector, Signal.TRACES, parse_otel_env(env), every=None, is_alone=is_alone
    )
    assert (found.state, found.blocked, found.missing) == (state, blocked, missing)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "nonsense",
        {"shared": None, "validationErrors": None, "traces": 7},
        {"shared": {"endpointPresent": False, "overrideKinds": []}},
    ],
)
def test_a_proxy_that_says_nothing_of_its_environment_has_none(told: Any) -> None:
    assert parse_otel_env(told) == OtelEnv()


class Machines(RememberingView):
    """Each proxy has a kuma-dp of its own."""

    def machine(self, name: str) -> Machine:
        return Machine(work_dir=f"/tmp/{name}", otel=parse_otel_env(SHARED))


def a_backend(name: str) -> AnyResource:
    return a_resource(MESH_OPEN_TELEMETRY_BACKEND, name, {}, labels={"name": name})


def to(name: str) -> dict[str, Any]:
    ref = {"kind": "MeshOpenTelemetryBackend", "labels": {"name": name}}
    return {"backends": [{"type": "OpenTelemetry", "openTelemetry": {"backendRef": ref}}]}


def logs_of(service: str, name: str) -> AnyResource:
    target = {"kind": "MeshService", "name": service}
    return a_policy(
        "MeshAccessLog", f"to-{name}", {"to": [{"targetRef": target, "default": to(name)}]}
    )


def a_world(*policies: AnyResource) -> Machines:
    outbounds = {9001: "api", 9002: "kv"}
    proxies = [
        a_dataplane(f"web-{n}", service="web", address=f"10.0.0.{n}", outbounds=outbounds)
        for n in (1, 2)
    ]
    others = [a_dataplane("api-1", service="api"), a_dataplane("kv-1", service="kv")]
    backends = map(a_backend, ("a", "b", "unused"))
    return Machines([a_mesh(), *proxies, *others, *backends, *policies], placements=PLACEMENTS)


def told(view: Machines, proxy: str = "web-1") -> dict[str, dict[Signal, PipedSignal]]:
    piped = piped_of(view, proxy)
    return {
        each.collector.name: {signal.signal: signal for signal in each.signals}
        for each in (() if piped is None else piped.backends)
    }


def test_only_what_a_proxy_reports_to_is_told_to_it() -> None:
    view = a_world(a_policy("MeshTrace", "spans", {"default": to("a")}), logs_of("api", "b"))
    found = told(view)
    assert {name: set(signals) for name, signals in found.items()} == {
        "a": {Signal.TRACES},
        "b": {Signal.LOGS},
    }
    assert {name: set(signals) for name, signals in told(view, "api-1").items()} == {
        "a": {Signal.TRACES}
    }


@pytest.mark.parametrize("fields", [{}, {"directAccessServices": ["*"]}])
def test_what_leaves_the_mesh_and_calls_of_instances_count_as_well(fields: dict[str, Any]) -> None:
    redirection = {"redirectPortInbound": 15006, "redirectPortOutbound": 15001, **fields}
    caller = a_dataplane("redirected", networking={"transparentProxying": redirection})
    to_all = {"targetRef": {"kind": "Mesh"}, "default": to("a")}
    logs = a_policy("MeshAccessLog", "logs", {"to": [to_all]})
    found = told(a_world(caller, logs), "redirected")
    assert {name: set(signals) for name, signals in found.items()} == {"a": {Signal.LOGS}}


def test_a_signal_that_goes_to_two_backends_is_ambiguous() -> None:
    spans = a_policy("MeshTrace", "spans", {"default": to("a")})
    found = told(a_world(spans, logs_of("api", "a"), logs_of("kv", "b")))
    assert found["a"][Signal.LOGS].state is AMBIGUOUS
    assert found["b"][Signal.LOGS].state is AMBIGUOUS
    assert found["a"][Signal.TRACES].state is READY


def test_proxies_that_report_spans_send_alike_whatever_their_kuma_dp() -> None:
    view = a_world(a_policy("MeshTrace", "spans", {"default": to("a")}))
    assert sender_of(view, "web-1") == sender_of(view, "web-2")
    one, other = piped_of(view, "web-1"), piped_of(view, "web-2")
    assert one is not None
    assert other is not None
    assert one.socket("a") == "/tmp/web-1/kuma-otel-a.sock"
    assert other.socket("a") == "/tmp/web-2/kuma-otel-a.sock"


def test_who_reports_to_no_resource_is_not_looked_over() -> None:
    inline = {"type": "OpenTelemetry", "openTelemetry": {"endpoint": "otel:4317"}}
    view = a_world(a_policy("MeshTrace", "spans", {"default": {"backends": [inline]}}))
    assert piped_of(view, "web-1") is None
    assert "_piped" not in view.computed
