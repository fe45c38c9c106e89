"""What the schema of a MeshHTTPRoute cannot say."""

from collections.abc import Sequence
from ipaddress import ip_address

from kuma.policies.backend_refs import destination_kinds, validate_backend_refs
from kuma.policies.constraints import (
    PROXIES,
    Found,
    changeable_header,
    header_matches,
    header_value,
    is_system_policy,
    percentage,
    regex,
)
from kuma.policies.lists import validate_top
from kuma.policies.meshhttproute.model import (
    Filter,
    FilterType,
    HeaderModifier,
    Match,
    MeshHTTPRouteSpec,
    PathMatch,
    PathMatchType,
    PathRewrite,
    QueryParamsMatch,
    QueryParamsMatchType,
    RequestMirror,
    RequestRedirect,
    Rule,
    To,
    UrlRewrite,
)
from kuma.resources.match import find_subdomain_errors
from kuma.resources.resource import Resource
from kuma.resources.target_ref import WHOLE_MESH, TargetRefKind, validate_target_ref
from kuma.resources.violation import Violation, at

_LONGEST_QUERY_NAME = 1024
_QUERY_REGEX = QueryParamsMatchType.REGULAR_EXPRESSION
UNRESOLVED_BACKEND = "kuma.io/unresolved-backend"
"""The name that a converted Gateway API route gives a backend that was not found."""


def validate(resource: Resource[MeshHTTPRouteSpec]) -> Found:
    spec = resource.spec
    top = (spec.target_ref or WHOLE_MESH).kind
    found: list[Violation] = []
    found += validate_top(
        spec.target_ref,
        kinds=(*PROXIES, TargetRefKind.MESH_GATEWAY) if is_system_policy(resource) else PROXIES,
        gateway_tags_allowed=is_system_policy(resource),
    )
    for index, item in enumerate(spec.to or ()):
        found += at(f"to[{index}]", _validate_to(item, top))
    return at("spec", found)


def _validate_to(item: To, top: TargetRefKind) -> list[Violation]:
    found = [
        *at("targetRef", validate_target_ref(item.target_ref, kinds=destination_kinds(top))),
    ]
    for index, rule in enumerate(item.rules):
        found += at(f"rules[{index}]", _validate_rule(rule, top))
    if item.hostnames and top is not TargetRefKind.MESH_GATEWAY:
        found.append(Violation("hostnames", "must not be defined"))
    return found


def _validate_rule(rule: Rule, top: TargetRefKind) -> list[Violation]:
    found: list[Violation] = []
    for index, match in enumerate(rule.matches):
        found += at(f"matches[{index}]", _validate_match(match))
    filters = rule.default.filters or ()
    for index, each in enumerate(filters):
        found += at(f"default.filters[{index}]", _validate_filter(each, rule.matches, top))
    refs = rule.default.backend_refs or ()
    redirects = any(each.type is FilterType.REQUEST_REDIRECT for each in filters)
    if not refs and top is TargetRefKind.MESH_GATEWAY and not redirects:
        found.append(Violation("default.backendRefs", "must not be empty"))
    names = (UNRESOLVED_BACKEND,)
    return [
        *found,
        *at("default.backendRefs", validate_backend_refs(refs, also_valid_names=names)),
    ]


def _validate_match(match: Match) -> list[Violation]:
    found: list[Violation] = []
    if match.path is not None:
        found += _validate_path(match.path)
    seen: set[str] = set()
    for index, query in enumerate(match.query_params or ()):
        if query.name in seen:
            text = f"multiple entries for name {query.name}"
            found.append(Violation(f"queryParams[{index}].name", text))
        seen.add(query.name)
        found += at(f"queryParams[{index}]", _validate_query(query))
    return [*found, *header_matches("headers", match.headers)]


def _validate_query(query: QueryParamsMatch) -> Found:
    """Differs from Kuma: what Envoy refuses is refused here."""
    if len(query.name.encode()) > _LONGEST_QUERY_NAME:
        return (Violation("name", f"must be at most {_LONGEST_QUERY_NAME} bytes"),)
    return regex("value", query.value) if query.type is _QUERY_REGEX else ()


def _validate_path(path: PathMatch) -> list[Violation]:
    is_prefix = path.type is PathMatchType.PATH_PREFIX
    if path.type is PathMatchType.REGULAR_EXPRESSION:
        return list(regex("path.value", path.value))
    if is_prefix and path.value == "/":
        return []
    found: list[Violation] = []
    if is_prefix and path.value.endswith("/"):
        text = (
            "does not need a trailing slash because only a `/`-separated prefix "
            "or an entire path is matched"
        )
        found.append(Violation("path.value", text))
    if not path.value.startswith("/"):
        found.append(Violation("path.value", "must be an absolute path"))
    return found


def _validate_filter(
    each: Filter, matches: Sequence[Match], top: TargetRefKind
) -> Sequence[Violation]:
    field, payload = _payload(each)
    if payload is None:
        return [Violation(field, "must be defined")]
    if isinstance(payload, HeaderModifier):
        return at(field, _validate_modifier(payload))
    if isinstance(payload, RequestRedirect):
        return at(field, [*_validate_rewrite(payload.path, matches), *_no_ip(payload.hostname)])
    if isinstance(payload, UrlRewrite):
        return at(field, _validate_url_rewrite(payload, matches, top))
    return at(field, _validate_mirror(payload))


def _payload(
    each: Filter,
) -> tuple[str, HeaderModifier | RequestRedirect | UrlRewrite | RequestMirror | None]:
    match each.type:
        case FilterType.REQUEST_HEADER_MODIFIER:
            return "requestHeaderModifier", each.request_header_modifier
        case FilterType.RESPONSE_HEADER_MODIFIER:
            return "responseHeaderModifier", each.response_header_modifier
        case FilterType.REQUEST_REDIRECT:
            return "requestRedirect", each.request_redirect
        case FilterType.URL_REWRITE:
            return "urlRewrite", each.url_rewrite
        case FilterType.REQUEST_MIRROR:
            return "requestMirror", each.request_mirror


def _validate_modifier(modifier: HeaderModifier) -> list[Violation]:
    if modifier == HeaderModifier():
        return [Violation("", "must have at least one defined: set, add, remove")]
    names = [
        *((f"set[{i}].name", each.name) for i, each in enumerate(modifier.set or ())),
        *((f"add[{i}].name", each.name) for i, each in enumerate(modifier.add or ())),
        *((f"remove[{i}].name", each) for i, each in enumerate(modifier.remove or ())),
    ]
    found: list[Violation] = []
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            found.append(Violation(path, "duplicate header name"))
        seen.add(name)
        found += changeable_header(path, name)
    for kind, headers in (("set", modifier.set), ("add", modifier.add)):
        for index, header in enumerate(headers or ()):
            found += header_value(f"{kind}[{index}].value", header.value)
    return found


def _validate_rewrite(rewrite: PathRewrite | None, matches: Sequence[Match]) -> Sequence[Violation]:
    if rewrite is None:
        return ()
    prefixes_only = all(
        match.path is not None and match.path.type is PathMatchType.PATH_PREFIX for match in matches
    )
    if rewrite.replace_prefix_match is not None and not prefixes_only:
        text = "can only appear if all matches match a path prefix"
        return (Violation("path.replacePrefixMatch", text),)
    return (
        *header_value("path.replacePrefixMatch", rewrite.replace_prefix_match),
        *header_value("path.replaceFullPath", rewrite.replace_full_path),
    )


def _no_ip(hostname: str | None) -> Sequence[Violation]:
    if hostname is None:
        return ()
    try:
        ip_address(hostname)
    except ValueError:
        return [Violation("hostname", text) for text in find_subdomain_errors(hostname)]
    return (Violation("hostname", "cannot be an IP address"),)


def _validate_url_rewrite(
    rewrite: UrlRewrite, matches: Sequence[Match], top: TargetRefKind
) -> list[Violation]:
    found = [*_validate_rewrite(rewrite.path, matches), *_no_ip(rewrite.hostname)]
    if rewrite.host_to_backend_hostname:
        if top is not TargetRefKind.MESH_GATEWAY:
            text = "can only be set with MeshGateway"
            found.append(Violation("hostToBackendHostname", text))
        if rewrite.hostname is not None:
            text = "cannot be set together with hostname"
            found.append(Violation("hostToBackendHostname", text))
    return found


def _validate_mirror(mirror: RequestMirror) -> list[Violation]:
    kinds = (TargetRefKind.MESH_SERVICE, TargetRefKind.MESH_SERVICE_SUBSET)
    # Differs from Kuma: the percentage is checked; Kuma lets Envoy refuse it.
    return [
        *at("backendRef", validate_target_ref(mirror.backend_ref, kinds=kinds)),
        *percentage("percentage", mirror.percentage),
    ]
