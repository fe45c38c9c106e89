"""What a proxy has said of the variables OTEL_EXPORTER_OTLP_* in its environment: that they are there,
never what they hold.

Source: Kuma, the inventory in kuma-dp's bootstrap request and in its node metadata.
"""

from collections.abc import Mapping
from typing import Any

from kuma.kit.value import value
from kuma.plan.signal import Signal

_PRESENT, _OVERRIDES = "Present", "overrideKinds"


@value
class SignalEnv:
    """`overrides`: what is set otherwise than for all signals."""

    is_present: bool = False
    overrides: tuple[str, ...] = ()


@value
class OtelEnv:
    """`problems`: `<signal or shared>.<field>` of what cannot be read."""

    shared: SignalEnv = SignalEnv()
    signals: tuple[tuple[Signal, SignalEnv], ...] = ()
    problems: tuple[str, ...] = ()

    def of(self, signal: Signal) -> SignalEnv:
        return next((env for each, env in self.signals if each == signal), SignalEnv())

    def missing(self, signal: Signal) -> tuple[str, ...]:
        """The fields of what cannot be read, as far as the signal needs it."""
        pairs = (problem.partition(".") for problem in self.problems)
        fields = [field for scope, _, field in pairs if field and scope in {"shared", signal}]
        found = (
            each
            for field in fields
            for each in (("client_certificate", "client_key") if field == "mtls" else (field,))
        )
        return tuple(dict.fromkeys(found))


def parse_otel_env(told: object) -> OtelEnv:
    """A proxy may say anything: what does not fit says nothing."""
    if not isinstance(told, Mapping):
        return OtelEnv()
    found = ((signal, _signal_env(told.get(signal))) for signal in Signal)
    return OtelEnv(
        shared=_signal_env(told.get("shared")),
        signals=tuple((signal, env) for signal, env in found if env.is_present),
        problems=_texts(told, "validationErrors"),
    )


def _signal_env(told: object) -> SignalEnv:
    if not isinstance(told, Mapping):
        return SignalEnv()
    is_present = any(each is True for name, each in told.items() if str(name).endswith(_PRESENT))
    overrides = _texts(told, _OVERRIDES)
    return SignalEnv(is_present or bool(overrides), overrides)


def _texts(told: Mapping[Any, Any], name: str) -> tuple[str, ...]:
    found = told.get(name)
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()
