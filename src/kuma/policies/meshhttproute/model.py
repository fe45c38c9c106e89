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
    type: PathMatchType


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
    name: str = Field(min_length=1)
    value: str


class Match(SpecModel):
    """Every part that is set must hold."""

    path: PathMatch | None = None
    method: Method | None = None
    query_params: tuple[QueryParamsMatch, ...] | None = None
    headers: tuple[HeaderMatch, ...] | None = None


class HeaderKeyValue(SpecModel):
    name: HeaderName
    value: str


class HeaderModifier(SpecModel):
    set: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    add: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    remove: Annotated[tuple[str, ...], Items(maximum=16)] | None = None


class PathRewriteType(StrEnum):
    REPLACE_FULL_PATH = "ReplaceFullPath"
    REPLACE_PREFIX_MATCH = "ReplacePrefixMatch"


class PathRewrite(SpecModel):
    type: PathRewriteType
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


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
    hostname: Hostname | None = None
    path: PathRewrite | None = None
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    status_code: RedirectStatus = RedirectStatus.FOUND


class UrlRewrite(SpecModel):
    hostname: Hostname | None = None
    path: PathRewrite | None = None
    host_to_backend_hostname: StrictBool | None = None


class RequestMirror(SpecModel):
    """Without a percentage every request is mirrored."""

    percentage: IntOrString | None = None
    backend_ref: BackendRef


class FilterType(StrEnum):
    REQUEST_HEADER_MODIFIER = "RequestHeaderModifier"
    RESPONSE_HEADER_MODIFIER = "ResponseHeaderModifier"
    REQUEST_REDIRECT = "RequestRedirect"
    URL_REWRITE = "URLRewrite"
    REQUEST_MIRROR = "RequestMirror"


class Filter(SpecModel):
    """`type` says which one of the other fields is meant."""

    type: FilterType
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_redirect: RequestRedirect | None = None
    url_rewrite: UrlRewrite | None = None
    request_mirror: RequestMirror | None = None


class RuleConf(SpecModel):
    filters: tuple[Filter, ...] | None = None
    backend_refs: tuple[BackendRef, ...] | None = None


class Rule(SpecModel):
    """Holds for requests that meet one of `matches`."""

    matches: Annotated[tuple[Match, ...], Items(minimum=1)]
    default: RuleConf


class HttpRouteConf(SpecModel):
    """Rules of several policies with the same matches are merged into one."""

    rules: Annotated[tuple[Rule, ...] | None, MergeByKey("matches")] = None
    hostnames: Annotated[tuple[str, ...] | None, SplitBy()] = None


class To(SpecModel):
    hostnames: tuple[str, ...] | None = None
    target_ref: TargetRef
    rules: tuple[Rule, ...]

    @property
    def default(self) -> HttpRouteConf:
        return HttpRouteConf(rules=self.rules or None, hostnames=self.hostnames or None)


class MeshHTTPRouteSpec(SpecModel):
    target_ref: TargetRef | None = None
    to: tuple[To, ...] | None = None
