"""What kuma-dp is told of the collectors that it sends on to. Source: Kuma's form, at `/otel`."""

from typing import Any

from kuma.envoy.told import Told, as_body
from kuma.kit.durations import format_duration
from kuma.plan.collector import Collector
from kuma.plan.piped import Piped, PipedBackend, PipedSignal

_PATH = "/otel"


def told_of(piped: Piped, *, is_unified: bool) -> Told:
    body = as_body({"backends": [_backend(each) for each in piped.backends]})
    return Told(_PATH, body, piped.work_dir, is_unified)


def _backend(backend: PipedBackend) -> dict[str, Any]:
    collector = backend.collector
    host = f"[{collector.host}]" if ":" in collector.host else collector.host
    told = {
        "name": collector.name,
        "socketPath": backend.socket,
        "endpoint": f"{host}:{collector.port}",
        "useHTTP": collector.is_http,
        **{str(each.signal): _signal(each) for each in backend.signals},
    }
    optional = {
        "useHTTPS": collector.is_secure,
        "path": collector.path,
        "envPolicy": _terms(collector),
    }
    return told | {name: each for name, each in optional.items() if each}


def _terms(collector: Collector) -> dict[str, Any] | None:
    if collector.env is None:
        return None
    terms = collector.terms
    allows = {} if terms.allow_signal_overrides is False else {"allowSignalOverrides": True}
    return {"mode": str(terms.mode), "precedence": str(terms.precedence), **allows}


def _signal(signal: PipedSignal) -> dict[str, Any]:
    optional = {
        "envInputPresent": signal.env_present,
        "overrideKinds": list(signal.overrides),
        "missingFields": list(signal.missing),
        "blockedReasons": list(map(str, signal.blocked)),
        "refreshInterval": "" if signal.every is None else format_duration(signal.every),
    }
    return {"enabled": True, **{name: each for name, each in optional.items() if each}}
