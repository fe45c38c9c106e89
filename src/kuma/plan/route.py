"""HTTP routes and TCP forwarding of an outbound, in the order in which they are tried."""

from enum import StrEnum

from kuma.kit.slots import EMPTY, Slots
from kuma.kit.value import value
from kuma.plan.origin import Origin


class PathKind(StrEnum):
    EXACT = "Exact"
    PREFIX = "PathPrefix"
    REGEX = "RegularExpression"


@value
class PathMatch:
    kind: PathKind
    value: str


class ValueKind(StrEnum):
    EXACT = "Exact"
    PRESENT = "Present"
    REGEX = "RegularExpression"
    ABSENT = "Absent"
    PREFIX = "Prefix"


@value
class ValueMatch:
    """A match on a header or a query parameter."""

    name: str
    kind: ValueKind = ValueKind.EXACT
    value: str = ""


@value
class HttpMatch:
    """All parts must hold. No path means prefix `/`."""

    path: PathMatch | None = None
    method: str | None = None
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()


@value
class HeaderChange:
    """`set` replaces, `add` appends, `remove` takes away, in that order."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@value
class ReplaceFullPath:
    path: str


@value
class ReplacePrefix:
    """On a match of prefix `/old`: `/old/x` becomes `/new/x`, `/old` becomes `/new`."""

    prefix: str


PathRewrite = ReplaceFullPath | ReplacePrefix


@value
class Weighted:
    """`destination` is the name of a Destination of the same plan."""

    destination: str
    weight: int


@value
class Mirror:
    destination: str
    percentage: str  # decimal, 0 to 100


@value
class Forward:
    """An empty split answers 500: nothing to forward to. `host` replaces the request's Host;
    `auto_host` does so with the name of the endpoint chosen, as external services need it."""

    split: tuple[Weighted, ...]
    path: PathRewrite | None = None
    host: str | None = None
    auto_host: bool = False
    mirrors: tuple[Mirror, ...] = ()


@value
class Redirect:
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: PathRewrite | None = None
    status: int = 302


@value
class HttpRoute:
    """`name` is unique in its outbound: a hash of the match, or the default route's name."""

    name: str
    match: HttpMatch
    action: Forward | Redirect
    request_headers: HeaderChange = HeaderChange()
    response_headers: HeaderChange = HeaderChange()
    conf: Slots = EMPTY
    origins: tuple[Origin, ...] = ()


@value
class HttpRouting:
    """`name` is the route configuration's name in RDS. `conf` is what holds for the connection
    manager as a whole."""

    name: str
    routes: tuple[HttpRoute, ...]


@value
class TcpRouting:
    split: tuple[Weighted, ...]
    origins: tuple[Origin, ...] = ()


Routing = HttpRouting | TcpRouting
