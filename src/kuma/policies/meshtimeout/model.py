"""MeshTimeout as users write it, and TimeoutConf, what is left after merging."""

from pydantic import Field

from kuma.kit.value import value
from kuma.resources.match import Match
from kuma.resources.spec import Duration, SpecModel
from kuma.resources.target_ref import TargetRef


class TimeoutHttp(SpecModel):
    """Zero switches a timeout off."""

    request_timeout: Duration | None = None
    """From the end of the request to the end of its response, retries included. Default for
    calls: 15s."""
    stream_idle_timeout: Duration | None = None
    """How long a request or its response may pause. Default for calls: 30m."""
    max_stream_duration: Duration | None = None
    """How long a request and its response may take in all, streams included. Default: off."""
    max_connection_duration: Duration | None = None
    """How long a connection may live. Default: off."""
    request_headers_timeout: Duration | None = None
    """How long a client may take to send the headers. Default: off."""


class TimeoutConf(SpecModel):
    connection_timeout: Duration | None = None
    """How long opening a TCP connection, with its TLS handshake, may take. Default: 5s."""
    idle_timeout: Duration | None = None
    """How long a connection without traffic is kept. Default: 1h."""
    http: TimeoutHttp | None = None
    """Timeouts of HTTP, HTTP/2 and gRPC."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh for all, a service of any kind, or a MeshHTTPRoute."""
    default: TimeoutConf = TimeoutConf()
    """The timeouts of calls to it."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh, that is all."""
    default: TimeoutConf = TimeoutConf()
    """The timeouts of calls from them."""


class Rule(SpecModel):
    """Holds for connections that meet one of `matches`; without matches for all."""

    matches: tuple[Match, ...] | None = None
    """Only connections that meet one of these. Left out: all."""
    default: TimeoutConf = TimeoutConf()
    """The timeouts of these connections."""


class MeshTimeoutSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """For calls that these proxies make."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""


@value
class ConditionalTimeout:
    """`conf` holds for connections that meet `match`, and includes what holds for all."""

    match: Match
    conf: TimeoutConf


@value
class ConditionalTimeouts:
    """Most specific match first; the first that holds decides, none: the inbound's TimeoutConf."""

    rules: tuple[ConditionalTimeout, ...]
