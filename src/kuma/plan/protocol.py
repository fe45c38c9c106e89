"""Application protocols, as in the tag `kuma.io/protocol` and in `appProtocol`."""

from enum import StrEnum


class Protocol(StrEnum):
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    HTTP2 = "http2"
    GRPC = "grpc"
    KAFKA = "kafka"

    @property
    def is_http(self) -> bool:
        """Whether Envoy understands requests, not only bytes."""
        return self in {Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC}

    @property
    def is_http2(self) -> bool:
        return self in {Protocol.HTTP2, Protocol.GRPC}


def parse_protocol(text: str | None) -> Protocol:
    """The protocol of a tag; unset or unknown is plain TCP, as in Kuma."""
    try:
        return Protocol((text or "tcp").lower())
    except ValueError:
        return Protocol.TCP


_PARENTS = {
    Protocol.GRPC: (Protocol.GRPC, Protocol.HTTP2, Protocol.TCP),
    Protocol.HTTP2: (Protocol.HTTP2, Protocol.TCP),
    Protocol.HTTP: (Protocol.HTTP, Protocol.TCP),
    Protocol.KAFKA: (Protocol.KAFKA, Protocol.TCP),
    Protocol.TLS: (Protocol.TLS, Protocol.TCP),
    Protocol.TCP: (Protocol.TCP,),
}


def common_protocol(one: Protocol, other: Protocol) -> Protocol:
    """The most specific protocol that both speak: grpc and http2 give http2, http2 and http tcp, since
    requests can be sent on in one version of HTTP only."""
    return next(p for p in _PARENTS[one] if p in _PARENTS[other])
