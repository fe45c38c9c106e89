"""HTTP routes, as RDS has them: all of an inbound's requests go to the workload; those of an outbound
are matched, split, rewritten, redirected."""

import re
from collections.abc import Iterable
from decimal import Decimal

from envoy.config.core.v3.base_pb2 import HeaderValueOption, RuntimeFractionalPercent
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    QueryParameterMatcher,
    RedirectAction,
    Route,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.type.matcher.v3.regex_pb2 import RegexMatchAndSubstitute, RegexMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.duration_pb2 import Duration
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy.headers import add_header, set_header
from kuma.envoy.message import uint
from kuma.plan.proxy import Inbound
from kuma.plan.route import (
    Forward,
    HeaderChange,
    HttpMatch,
    HttpRoute,
    Mirror,
    PathKind,
    PathMatch,
    PathRewrite,
    Redirect,
    ReplaceFullPath,
    ValueKind,
    ValueMatch,
    Weighted,
)
from kuma.plan.tags import Tags

CLIENT_TAGS_HEADER = "x-kuma-tags"
CLIENT_URIS_HEADER = "x-kuma-client-uris"
SERVER_NAME_HEADER = "x-kuma-client-server-name"
NO_TIMEOUT = Duration()  # a proxy must not end a request that no policy limits
_WELL_KNOWN_PORTS = {"http": 80, "https": 443}
_STATUS = {
    301: RedirectAction.MOVED_PERMANENTLY,
    302: RedirectAction.FOUND,
    303: RedirectAction.SEE_OTHER,
    307: RedirectAction.TEMPORARY_REDIRECT,
    308: RedirectAction.PERMANENT_REDIRECT,
}
_TRUE = BoolValue(value=True)
_FALSE = BoolValue(value=False)


def build_inbound_routes(inbound: Inbound) -> RouteConfiguration:
    """One virtual host with one route, for whoever the chains let in."""
    name, cluster = inbound.route_name, inbound.cluster_name
    to_workload = Route(
        match=RouteMatch(prefix="/"), route=RouteAction(cluster=cluster, timeout=NO_TIMEOUT)
    )
    made = build_routes(
        name, virtual_host=inbound.unified_name or inbound.service or name, routes=[to_workload]
    )
    hidden = (CLIENT_TAGS_HEADER, CLIENT_URIS_HEADER, SERVER_NAME_HEADER)
    made.request_headers_to_remove.extend(hidden)
    return made


def build_client_tags(tags: Tags) -> HeaderValueOption:
    """`&team=a&&version=v1,v2&`. Whatever the workload has sent under that name is replaced.

    Differs from Kuma, which adds to it.
    """
    return set_header(CLIENT_TAGS_HEADER, "".join(f"&{key}={text}&" for key, text in tags))


def build_routes(name: str, *, virtual_host: str, routes: Iterable[Route]) -> RouteConfiguration:
    """One virtual host for every Host: the listener's address already says which service it is."""
    host = VirtualHost(name=virtual_host, domains=["*"], routes=routes)
    return RouteConfiguration(name=name, virtual_hosts=[host], validate_clusters=_FALSE)


def build_route(route: HttpRoute) -> Route:
    made = Route(name=route.name, match=build_match(route.match))
    _add_header_changes(made, route)
    match route.action:
        case Redirect() as redirect:
            made.redirect.CopyFrom(_redirect(redirect, route.match.path))
        case Forward() as forward:
            split = _positive(forward.split)
            if split:
                made.route.CopyFrom(_forward(forward, split, route.match.path))
            else:
                made.direct_response.CopyFrom(DirectResponseAction(status=500))
    return made


def build_match(match: HttpMatch) -> RouteMatch:
    made = _path_match(match.path)
    if match.method:
        made.headers.append(
            HeaderMatcher(name=":method", string_match=StringMatcher(exact=match.method))
        )
    made.headers.extend(build_header_match(header) for header in match.headers)
    made.query_parameters.extend(_query_match(parameter) for parameter in match.query)
    return made


def build_header_match(header: ValueMatch) -> HeaderMatcher:
    if header.kind in {ValueKind.PRESENT, ValueKind.ABSENT}:
        return HeaderMatcher(name=header.name, present_match=header.kind is ValueKind.PRESENT)
    return HeaderMatcher(name=header.name, string_match=_string_match(header))


def _query_match(parameter: ValueMatch) -> QueryParameterMatcher:
    if parameter.kind in {ValueKind.PRESENT, ValueKind.ABSENT}:
        present = parameter.kind is ValueKind.PRESENT
        return QueryParameterMatcher(name=parameter.name, present_match=present)
    return QueryParameterMatcher(name=parameter.name, string_match=_string_match(parameter))


def _string_match(match: ValueMatch) -> StringMatcher:
    match match.kind:
        case ValueKind.REGEX:
            return StringMatcher(safe_regex=RegexMatcher(regex=match.value))
        case ValueKind.PREFIX:
            return StringMatcher(prefix=match.value)
        case _:
            return StringMatcher(exact=match.value)


def _path_match(path: PathMatch | None) -> RouteMatch:
    """Differs from Kuma: a prefix is one match by path elements there two, so `/old` is tried once
    and stays one route, one place for a policy."""
    match path:
        case None:
            return RouteMatch(prefix="/")
        case PathMatch(kind=PathKind.EXACT):
            return RouteMatch(path=path.value)
        case PathMatch(kind=PathKind.REGEX):
            return RouteMatch(safe_regex=RegexMatcher(regex=path.value))
        case _:
            prefix = path.value.rstrip("/")
            # Envoy takes no separated prefix with these; as a plain one it matches no path, rightly.
            if "?" in prefix or "#" in prefix:
                return RouteMatch(prefix=prefix)
            return RouteMatch(path_separated_prefix=prefix) if prefix else RouteMatch(prefix="/")


def _forward(forward: Forward, split: list[Weighted], path: PathMatch | None) -> RouteAction:
    action = RouteAction(
        timeout=NO_TIMEOUT,
        request_mirror_policies=[_mirror(mirror) for mirror in forward.mirrors],
    )
    if len(split) == 1:
        action.cluster = split[0].destination
    else:
        action.weighted_clusters.clusters.extend(
            WeightedCluster.ClusterWeight(name=each.destination, weight=uint(each.weight))
            for each in split
        )
    if forward.host is not None:
        action.host_rewrite_literal = forward.host
    elif forward.auto_host:
        action.auto_host_rewrite.CopyFrom(_TRUE)
    if forward.path is not None:
        prefix, regex = _rewrite(forward.path, path)
        if regex is not None:
            action.regex_rewrite.CopyFrom(regex)
        action.prefix_rewrite = prefix
    return action


def _redirect(redirect: Redirect, path: PathMatch | None) -> RedirectAction:
    action = RedirectAction(response_code=_STATUS.get(redirect.status, RedirectAction.FOUND))
    if redirect.scheme:
        action.scheme_redirect = redirect.scheme
    if redirect.host:
        action.host_redirect = redirect.host
    action.port_redirect = redirect.port or _port_of_scheme(redirect)
    match redirect.path:
        case None:
            pass
        case ReplaceFullPath(path=whole):
            action.path_redirect = whole
        case rewrite:
            prefix, regex = _rewrite(rewrite, path)
            if regex is not None:
                action.regex_rewrite.CopyFrom(regex)
            elif prefix:
                action.prefix_rewrite = prefix
    return action


def _port_of_scheme(redirect: Redirect) -> int:
    """Without a port, the one that belongs to the scheme; a new host implies it already.

    Differs from Kuma, which keeps the port of the outbound that the request came to.
    Source: Gateway API, HTTPRequestRedirectFilter.port.
    """
    return 0 if redirect.host else _WELL_KNOWN_PORTS.get(redirect.scheme or "", 0)


def _rewrite(
    rewrite: PathRewrite, path: PathMatch | None
) -> tuple[str, RegexMatchAndSubstitute | None]:
    """Envoy's prefix rewrite, or else its regex rewrite.

    A prefix is replaced by whole path elements: with `/old` -> `/new`, `/old/x` becomes `/new/x`.
    Differs from Kuma, which makes it `/newx`. Source: Gateway API, HTTPPathModifier.
    """
    if isinstance(rewrite, ReplaceFullPath):
        return "", _substitute(".*", rewrite.path)
    matched = path.value.rstrip("/") if path and path.kind is PathKind.PREFIX else None
    new = rewrite.prefix.rstrip("/")
    if path is None or matched == "":
        return f"{new}/", None
    if matched is None:  # refused at admission: there is no prefix that could be replaced
        return "", _substitute(".*", new or "/")
    if not new:  # Envoy's prefix rewrite would make `/old/x` into `//x`
        return "", _substitute(f"^{re.escape(matched)}/*", "/")
    return new, None


def _substitute(regex: str, text: str) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(
        pattern=RegexMatcher(regex=regex), substitution=text.replace("\\", "\\\\")
    )


def _mirror(mirror: Mirror) -> RouteAction.RequestMirrorPolicy:
    fraction = FractionalPercent(
        numerator=int(Decimal(mirror.percentage) * 100), denominator=FractionalPercent.TEN_THOUSAND
    )
    return RouteAction.RequestMirrorPolicy(
        cluster=mirror.destination,
        runtime_fraction=RuntimeFractionalPercent(default_value=fraction),
    )


def _positive(split: tuple[Weighted, ...]) -> list[Weighted]:
    """Envoy refuses a split whose weights are all 0, and one of weight 0 gets nothing."""
    return [each for each in split if each.weight > 0]


def _add_header_changes(route: Route, plan: HttpRoute) -> None:
    route.request_headers_to_add.extend(_added(plan.request_headers))
    route.request_headers_to_remove.extend(plan.request_headers.remove)
    route.response_headers_to_add.extend(_added(plan.response_headers))
    route.response_headers_to_remove.extend(plan.response_headers.remove)


def _added(change: HeaderChange) -> list[HeaderValueOption]:
    """Envoy removes first and adds then; so what is to be removed in the end is not added."""
    removed = {name.lower() for name in change.remove}
    made = [set_header(*pair) for pair in change.set] + [add_header(*pair) for pair in change.add]
    return [each for each in made if each.header.key.lower() not in removed]
