"""MeshTimeout as users write it, and TimeoutConf, what is left after merging."""

from pydantic import Field

from kuma.kit.value import value
from kuma.resources.match import Match
from kuma.resources.spec import Duration, SpecModel
from kuma.resources.target_ref import TargetRef


class TimeoutHttp(SpecModel):
    """Zero switches a timeout off."""

    request_timeout: Duration | None = None
    stream_idle_timeout: Duration | None = None
    max_stream_duration: Duration | None = None
    max_connection_duration: Duration | None = None
    request_headers_timeout: Duration | None = None


class TimeoutConf(SpecModel):
    connection_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    http: TimeoutHttp | None = None


class To(SpecModel):
    target_ref: TargetRef
    default: TimeoutConf = TimeoutConf()


class From(SpecModel):
    target_ref: TargetRef
    default: TimeoutConf = TimeoutConf()


class Rule(SpecModel):
    """Holds for connections that meet one of `matches`; without matches for all."""

    matches: tuple[Match, ...] | None = None
    default: TimeoutConf = TimeoutConf()


class MeshTimeoutSpec(SpecModel):
    target_ref: TargetRef | None = None
    to: tuple[To, ...] | None = None
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    rules: tuple[Rule, ...] | None = None


@value
class ConditionalTimeout:
    """`conf` holds for connections that meet `match`, and includes what holds for all."""

    match: Match
    conf: TimeoutConf


@value
class ConditionalTimeouts:
    """Most specific match first; the first that holds decides, none: the inbound's TimeoutConf."""

    rules: tuple[ConditionalTimeout, ...]
