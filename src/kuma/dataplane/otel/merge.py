"""What the control plane says and what the environment has -> where a signal goes, and how.

    explicit, then variables for all signals, then those of the signal   the later goes before
    variables, then explicit                                             with ExplicitFirst

The protocol is decided first, since the path in an endpoint depends on it. Source: Kuma, kuma-dp.
# Differs from Kuma: an address that is not given goes before no variable, with ExplicitFirst neither;
there the machine's own would.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kuma.dataplane.otel.environment import GRPC, HTTP, Environment, Layer
from kuma.dataplane.otel.told import ToldBackend
from kuma.plan.signal import Signal

_LONGEST = timedelta(seconds=10)
"""Of one attempt. Source: OpenTelemetry's default."""


@dataclass(frozen=True, slots=True)
class Target:
    """`endpoint` is host and port, `path` that of HTTP, empty: over gRPC. Files are named, and read when
    a connection is made."""

    endpoint: str
    path: str = ""
    is_secure: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_compressed: bool = False
    longest: timedelta = _LONGEST
    certificate: str = ""
    client_certificate: str = ""
    client_key: str = ""

    @property
    def is_http(self) -> bool:
        return bool(self.path)

    @property
    def url(self) -> str:
        return f"{'https' if self.is_secure else 'http'}://{self.endpoint}{self.path}"


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a signal is not sent."""

    reason: str


Step = Callable[[Target], Target]


def resolve_target(
    backend: ToldBackend, signal: Signal, environment: Environment, *, local: str
) -> Target | Unavailable:
    """`local`: the address of the machine."""
    told = backend.of(signal)
    if told is None:
        return Unavailable("the signal is not enabled")
    if told.is_blocked:
        why = ", ".join(told.blocked) or "RequiredEnvMissing"
        return Unavailable(f"blocked: {why}")
    layers = [environment.shared] if told.allows_env else []
    layers += [environment.of(signal)] if told.allows_overrides else []
    protocol = _protocol(backend, layers)
    steps = [_from_layer(layer, signal, is_http=protocol == HTTP) for layer in layers]
    said = _explicit(backend, local)
    is_last = backend.explicit_first and bool(backend.host)
    target = Target("")
    for step in (*steps, said) if is_last else (said, *steps):
        target = step(target)
    if protocol == HTTP and (not target.path or (is_last and backend.is_http)):
        return replace(target, path=_joined(backend.path, signal))
    return target if protocol == HTTP else replace(target, path="")


def _protocol(backend: ToldBackend, layers: list[Layer]) -> str:
    said = HTTP if backend.is_http else GRPC
    if backend.explicit_first and (backend.host or backend.is_http):
        return said
    return next((e.known_protocol for e in reversed(layers) if e.known_protocol), said)


def _explicit(backend: ToldBackend, local: str) -> Step:
    host = backend.host or local
    endpoint = f"[{host}]:{backend.port}" if ":" in host else f"{host}:{backend.port}"
    return lambda target: replace(target, endpoint=endpoint, is_secure=backend.is_secure)


def _from_layer(layer: Layer, signal: Signal, *, is_http: bool) -> Step:
    def step(target: Target) -> Target:
        target = _addressed(target, layer, signal, is_http=is_http)
        if pairs := layer.header_pairs:
            target = replace(target, headers=pairs)
        if layer.is_compressed is not None:
            target = replace(target, is_compressed=layer.is_compressed)
        if layer.longest:
            target = replace(target, longest=layer.longest)
        if layer.certificate:
            target = replace(target, certificate=layer.certificate)
        if layer.client_certificate and layer.client_key:
            one, other = layer.client_certificate, layer.client_key
            target = replace(target, client_certificate=one, client_key=other)
        return target

    return step


def _addressed(target: Target, layer: Layer, signal: Signal, *, is_http: bool) -> Target:
    """The scheme of a URL says whether there is TLS; else the variable does."""
    address = layer.address
    if address is not None and (is_http or not address.path):
        own = layer.scope == signal
        path = (address.path or "/") if own else _joined(address.path, signal)
        path = path if is_http else ""
        return replace(target, endpoint=address.host, path=path, is_secure=address.is_secure)
    if address is None and layer.endpoint:
        target = replace(target, endpoint=layer.endpoint)
    if layer.is_insecure is not None:
        target = replace(target, is_secure=not layer.is_insecure)
    return target


def _joined(base: str, signal: Signal) -> str:
    return f"{base.rstrip('/')}/{signal.path}"
