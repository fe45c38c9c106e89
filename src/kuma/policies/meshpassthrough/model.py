"""MeshPassthrough as users write it, and PassthroughConf, what is left after merging."""

from enum import StrEnum

from kuma.resources.spec import Int32, SpecModel
from kuma.resources.target_ref import TargetRef


class PassthroughMode(StrEnum):
    ALL = "All"
    MATCHED = "Matched"
    NONE = "None"


class MatchType(StrEnum):
    DOMAIN = "Domain"
    IP = "IP"
    CIDR = "CIDR"


class MatchProtocol(StrEnum):
    TCP = "tcp"
    TLS = "tls"
    GRPC = "grpc"
    HTTP = "http"
    HTTP2 = "http2"
    MYSQL = "mysql"


LAYER_7 = (MatchProtocol.GRPC, MatchProtocol.HTTP, MatchProtocol.HTTP2)


class Match(SpecModel):
    type: MatchType
    """Domain: by the name that the workload asks for; IP, CIDR: by the address that it calls."""
    value: str
    """The name, maybe with `*.` in front, the address, or the range."""
    port: Int32 | None = None
    """The port that the workload calls. Left out: any."""
    protocol: MatchProtocol = MatchProtocol.TCP
    """What it speaks there."""


class PassthroughConf(SpecModel):
    passthrough_mode: PassthroughMode | None = None
    """All: every destination may be called; None: no one; Matched: those of `appendMatch`. Left out:
    Matched."""
    append_match: tuple[Match, ...] | None = None
    """The destinations that may be called, beside those of other policies."""


class MeshPassthroughSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    default: PassthroughConf = PassthroughConf()
    """What their workloads may call."""
