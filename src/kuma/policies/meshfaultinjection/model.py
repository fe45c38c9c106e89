"""MeshFaultInjection as users write it, and InboundFaults, what an inbound is handed of it."""

import re

from pydantic import Field

from kuma.kit.value import value
from kuma.plan.tags import Tags
from kuma.resources.match import Match
from kuma.resources.spec import Duration, Int32, IntOrString, SpecModel
from kuma.resources.target_ref import TargetRef

_BANDWIDTH = re.compile(r"(\d{1,9})\s?(kbps|Mbps|Gbps)")
_KBPS = {"kbps": 1, "Mbps": 1000, "Gbps": 1_000_000}


def parse_bandwidth(text: str) -> int | None:
    """In kbps; None: it is no bandwidth."""
    found = _BANDWIDTH.fullmatch(text)
    return int(found[1]) * _KBPS[found[2]] if found else None


class Abort(SpecModel):
    http_status: Int32
    """Status of the answer, 200 to 599; the application does not get the request."""
    percentage: IntOrString
    """Share of the requests, 0 to 100; a decimal in quotes."""


class Delay(SpecModel):
    value: Duration
    """How long the request waits before it goes on to the application."""
    percentage: IntOrString
    """Share of the requests, 0 to 100; a decimal in quotes."""


class ResponseBandwidth(SpecModel):
    limit: str
    """How fast the answer's body is sent, in kbps, Mbps or Gbps, such as `50 kbps`."""
    percentage: IntOrString
    """Share of the requests, 0 to 100; a decimal in quotes."""


class Fault(SpecModel):
    """Each part hits its share of the requests, whether the others do or not."""

    abort: Abort | None = None
    """Requests that are answered with an error."""
    delay: Delay | None = None
    """Requests that wait."""
    response_bandwidth: ResponseBandwidth | None = None
    """Answers that are sent slowly."""


class FaultInjectionConf(SpecModel):
    http: tuple[Fault, ...] | None = None
    """Faults of HTTP requests, one after another; other traffic has none."""


class From(SpecModel):
    target_ref: TargetRef
    """The clients: Mesh for all, or a MeshSubset, a MeshService, a MeshServiceSubset."""
    default: FaultInjectionConf = FaultInjectionConf()
    """What their requests meet."""


class To(SpecModel):
    target_ref: TargetRef
    """The destination: Mesh, that is all."""
    default: FaultInjectionConf = FaultInjectionConf()
    """What requests through a gateway meet."""


class Rule(SpecModel):
    matches: tuple[Match, ...] | None = None
    """Clients that the rule is for: those that meet one of these. Left out: all."""
    default: FaultInjectionConf
    """What their requests meet."""


class MeshFaultInjectionSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that the policy configures. Left out: all of the mesh."""
    from_: tuple[From, ...] | None = Field(default=None, alias="from")
    """For calls that these proxies receive; `rules` is the newer form."""
    to: tuple[To, ...] | None = None
    """For calls through gateways."""
    rules: tuple[Rule, ...] | None = None
    """For calls that these proxies receive."""


@value
class ClientFaults:
    """Clients that meet `match` and have `tags`; with neither, everybody."""

    faults: tuple[Fault, ...]
    match: Match | None = None
    tags: Tags = ()


@value
class InboundFaults:
    """The first that holds for a client decides."""

    clients: tuple[ClientFaults, ...]
