"""MeshHTTPRoute as users write it, and HttpRouteConf, what is left after merging."""

from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import Field, StrictBool

from kuma.resolve.merge import MergeByKey, SplitBy
from kuma.resources.match import HeaderMatch, HeaderName
from kuma.resources.spec import IntOrString, Items, SpecModel
from kuma.resources.target_ref import BackendRef, TargetRef

Hostname = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]


class PathMatchType(StrEnum):
    EXACT = "Exact"
    PATH_PREFIX = "PathPrefix"
    REGULAR_EXPRESSION = "RegularExpression"


class PathMatch(SpecModel):
    """A prefix matches whole segments: `/a` matches `/a` and `/a/b`, not `/ab`."""

    value: str = Field(min_length=1)
    """The path, its beginning, or a regular expression."""
    type: PathMatchType
    """How the path is compared."""


class Method(StrEnum):
    CONNECT = "CONNECT"
    DELETE = "DELETE"
    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    PATCH = "PATCH"
    POST = "POST"
    PUT = "PUT"
    TRACE = "TRACE"


class QueryParamsMatchType(StrEnum):
    EXACT = "Exact"
    REGULAR_EXPRESSION = "RegularExpression"


class QueryParamsMatch(SpecModel):
    type: QueryParamsMatchType
    """How the value is compared."""
    name: str = Field(min_length=1)
    """Name of the query parameter."""
    value: str
    """What to compare with."""


class Match(SpecModel):
    """Every part that is set must hold."""

    path: PathMatch | None = None
    """The path. Left out: any."""
    method: Method | None = None
    """The method. Left out: any."""
    query_params: tuple[QueryParamsMatch, ...] | None = None
    """Query parameters; all must match."""
    headers: tuple[HeaderMatch, ...] | None = None
    """Headers; all must match."""


class HeaderKeyValue(SpecModel):
    name: HeaderName
    """Name of the header, in lower case."""
    value: str
    """Its value."""


class HeaderModifier(SpecModel):
    set: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    """Headers to set, in place of any with the same name."""
    add: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    """Headers to add."""
    remove: Annotated[tuple[str, ...], Items(maximum=16)] | None = None
    """Names of headers to remove."""


class PathRewriteType(StrEnum):
    REPLACE_FULL_PATH = "ReplaceFullPath"
    REPLACE_PREFIX_MATCH = "ReplacePrefixMatch"


class PathRewrite(SpecModel):
    type: PathRewriteType
    """Which of the two fields is meant."""
    replace_full_path: str | None = None
    """The new path."""
    replace_prefix_match: str | None = None
    """What replaces the matched prefix, by whole segments."""


class Scheme(StrEnum):
    HTTP = "http"
    HTTPS = "https"


class RedirectStatus(IntEnum):
    MOVED_PERMANENTLY = 301
    FOUND = 302
    SEE_OTHER = 303
    TEMPORARY_REDIRECT = 307
    PERMANENT_REDIRECT = 308


class RequestRedirect(SpecModel):
    scheme: Scheme | None = None
    """New scheme. Left out: the request's."""
    hostname: Hostname | None = None
    """New host. Left out: the request's."""
    path: PathRewrite | None = None
    """New path. Left out: the request's."""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    """New port. Left out: that of the scheme."""
    status_code: RedirectStatus = RedirectStatus.FOUND
    """Status of the answer."""


class UrlRewrite(SpecModel):
    hostname: Hostname | None = None
    """New Host header."""
    path: PathRewrite | None = None
    """New path."""
    host_to_backend_hostname: StrictBool | None = None
    """Set the Host header to the backend's name; for gateways."""


class RequestMirror(SpecModel):
    """Without a percentage every request is mirrored."""

    percentage: IntOrString | None = None
    """Share of requests that are mirrored. Left out: all."""
    backend_ref: BackendRef
    """Where copies of the requests go."""


class FilterType(StrEnum):
    REQUEST_HEADER_MODIFIER = "RequestHeaderModifier"
    RESPONSE_HEADER_MODIFIER = "ResponseHeaderModifier"
    REQUEST_REDIRECT = "RequestRedirect"
    URL_REWRITE = "URLRewrite"
    REQUEST_MIRROR = "RequestMirror"


class Filter(SpecModel):
    """`type` says which one of the other fields is meant."""

    type: FilterType
    """What the filter does."""
    request_header_modifier: HeaderModifier | None = None
    """Changes headers of the request."""
    response_header_modifier: HeaderModifier | None = None
    """Changes headers of the response."""
    request_redirect: RequestRedirect | None = None
    """Answers with a redirect."""
    url_rewrite: UrlRewrite | None = None
    """Changes host or path of the request."""
    request_mirror: RequestMirror | None = None
    """Sends copies of the requests elsewhere."""


class RuleConf(SpecModel):
    filters: tuple[Filter, ...] | None = None
    """What is done to requests and responses, in order."""
    backend_refs: tuple[BackendRef, ...] | None = None
    """Where requests go, by weight. Left out: to the target of `to`."""


class Rule(SpecModel):
    """Holds for requests that meet one of `matches`."""

    matches: Annotated[tuple[Match, ...], Items(minimum=1)]
    """Requests that meet one of these."""
    default: RuleConf
    """What happens to these requests."""


class HttpRouteConf(SpecModel):
    """Rules of several policies with the same matches are merged into one."""

    rules: Annotated[tuple[Rule, ...] | None, MergeByKey("matches")] = None
    hostnames: Annotated[tuple[str, ...] | None, SplitBy()] = None


class To(SpecModel):
    hostnames: tuple[str, ...] | None = None
    """Hosts of the requests; for gateways only."""
    target_ref: TargetRef
    """The service that is called, of any kind."""
    rules: tuple[Rule, ...]
    """What happens to which requests. What matches none goes to the target."""

    @property
    def default(self) -> HttpRouteConf:
        return HttpRouteConf(rules=self.rules or None, hostnames=self.hostnames or None)


class MeshHTTPRouteSpec(SpecModel):
    target_ref: TargetRef | None = None
    """The proxies that make the calls. Left out: all of the mesh."""
    to: tuple[To, ...] | None = None
    """The calls."""
