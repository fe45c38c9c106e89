"""The variables OTEL_EXPORTER_OTLP_* of kuma-dp, and what the control plane may know of them.

Their values stay here: the control plane hears which are there, and which cannot be read.
Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and Kuma, `otelEnv` of the bootstrap
request.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from kuma.plan.signal import Signal

SHARED = "shared"
GRPC, HTTP = "grpc", "http/protobuf"
PREFIX = "OTEL_EXPORTER_OTLP"
_NUMBER = re.compile(r"\+?[0-9]{1,12}")
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_COMPRESSIONS = {"gzip": True, "none": False}


@dataclass(frozen=True, slots=True)
class Address:
    """An endpoint that is a URL; `path` without what the signal adds."""

    host: str
    path: str
    is_secure: bool


@dataclass(frozen=True, slots=True, repr=False)
class Layer:
    """The variables of one signal, or those for all: as they are written, empty if they are not there."""

    scope: str
    endpoint: str = ""
    protocol: str = ""
    headers: str = ""
    timeout: str = ""
    compression: str = ""
    insecure: str = ""
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""

    def given(self) -> dict[str, str]:
        names = (each.name for each in fields(self) if each.name != "scope")
        return {name: text for name in names if (text := getattr(self, name))}

    def variable(self, name: str) -> str:
        scope = "" if self.scope == SHARED else f"_{self.scope.upper()}"
        return f"{PREFIX}{scope}_{name.upper()}"

    @property
    def known_protocol(self) -> str:
        return self.protocol if self.protocol in {GRPC, HTTP} else ""

    @property
    def address(self) -> Address | None:
        """None: it is no URL, and taken as it is."""
        try:
            found = urlsplit(self.endpoint)
        except ValueError:
            return None
        host = found.netloc.rpartition("@")[2]
        if not found.scheme or not host:
            return None
        return Address(host, found.path, found.scheme not in {"http", "unix"})

    @property
    def is_insecure(self) -> bool | None:
        return _BOOLEANS.get(self.insecure)

    @property
    def is_compressed(self) -> bool | None:
        return _COMPRESSIONS.get(self.compression.lower())

    @property
    def longest(self) -> timedelta | None:
        """None: it is not given, or no number of milliseconds."""
        if not _NUMBER.fullmatch(self.timeout):
            return None
        return timedelta(milliseconds=int(self.timeout))

    @property
    def header_pairs(self) -> dict[str, str]:
        pairs = (each.partition("=") for each in self.headers.split(","))
        return {
            name.strip(): unquote(text) for name, between, text in pairs if between and name.strip()
        }


@dataclass(frozen=True, slots=True)
class Environment:
    shared: Layer = Layer(SHARED)
    signals: Mapping[Signal, Layer] = field(default_factory=dict)

    def of(self, signal: Signal) -> Layer:
        return self.signals.get(signal) or Layer(signal)

    def inventory(self, *, has_pipe: bool) -> dict[str, Any]:
        """As the control plane is told it. `has_pipe`: kuma-dp takes OTLP, and sends it on."""
        layers = (self.shared, *(self.of(signal) for signal in Signal))
        found = {each.scope: self._told(each) for each in layers if each.given()}
        problems = [f"{layer.scope}.{name}" for layer, name in self._problems()]
        told = {"pipeEnabled": True, **found} if has_pipe else found
        return {**told, "validationErrors": problems} if problems else told

    def warnings(self) -> Iterator[str]:
        """About each variable that cannot be read."""
        for layer, name in self._problems():
            if name == "mtls":
                one, other = layer.variable("client_certificate"), layer.variable("client_key")
                yield f"{one} and {other} count together only"
            else:
                yield f"{layer.variable(name)} {_WRONG[name]}"

    def _problems(self) -> Iterator[tuple[Layer, str]]:
        for layer in (self.shared, *(self.of(signal) for signal in Signal)):
            yield from ((layer, name) for name in self._problems_of(layer))

    def _problems_of(self, layer: Layer) -> Iterator[str]:
        if layer.protocol and not layer.known_protocol:
            yield "protocol"
        address = layer.address
        if address is not None and address.path and self._protocol(layer) == GRPC:
            yield "endpoint"
        if layer.compression and layer.is_compressed is None:
            yield "compression"
        if layer.timeout and layer.longest is None:
            yield "timeout"
        if bool(layer.client_certificate) != bool(layer.client_key):
            yield "mtls"

    def _protocol(self, layer: Layer) -> str:
        return layer.protocol or self.shared.protocol or GRPC

    def _told(self, layer: Layer) -> dict[str, Any]:
        given, address = layer.given(), layer.address
        told: dict[str, Any] = {f"{_camel(name)}Present": True for name in given}
        if address is not None:
            told["endpointParsedAsURL"] = True
        overrides = [_camel(name) for name in sorted(given) if self._overrides(layer, name)]
        optional = {
            "endpointHasPath": address is not None and bool(address.path),
            "effectiveProtocol": (layer.known_protocol or "unknown") if layer.protocol else "",
            "overrideKinds": overrides,
            "validationErrors": [f"{layer.scope}.{name}" for name in self._problems_of(layer)],
        }
        told |= {name: each for name, each in optional.items() if each}
        return {"signal": str(layer.scope), "effectiveAuthMode": _auth_of(layer), **told}

    def _overrides(self, layer: Layer, name: str) -> bool:
        return layer.scope != SHARED and getattr(layer, name) != getattr(self.shared, name)


_WRONG = {
    "protocol": f"must be {GRPC} or {HTTP}",
    "endpoint": "must have no path, since OTLP over gRPC has none",
    "compression": "must be gzip or none",
    "timeout": "must be a number of milliseconds",
}


def read_environment(variables: Mapping[str, str]) -> Environment:
    signals = {signal: _layer(signal, variables) for signal in Signal}
    return Environment(_layer(SHARED, variables), signals)


def _layer(scope: str, variables: Mapping[str, str]) -> Layer:
    empty = Layer(scope)
    names = [each.name for each in fields(Layer) if each.name != "scope"]
    return Layer(scope, *(variables.get(empty.variable(name), "").strip() for name in names))


def _auth_of(layer: Layer) -> str:
    if layer.client_certificate and layer.client_key:
        return "mtls"
    if layer.certificate:
        return "tls"
    return "headers" if layer.headers else "none"


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
