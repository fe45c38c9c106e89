"""Merged rules of MeshHTTPRoutes -> route drafts in the plan's words, one for each match.

Filters of one kind add up in order; a redirect stands in place of the backends.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable, Sequence

from kuma.plan.origin import Origin
from kuma.plan.route import (
    HeaderChange,
    HttpMatch,
    PathKind,
    PathRewrite,
    Redirect,
    ReplaceFullPath,
    ReplacePrefix,
    ValueKind,
    ValueMatch,
)
from kuma.plan.route import PathMatch as PlanPathMatch
from kuma.policies.meshhttproute.model import (
    Filter,
    FilterType,
    HeaderModifier,
    HttpRouteConf,
    Match,
    PathRewriteType,
    RequestRedirect,
)
from kuma.policies.meshhttproute.model import PathRewrite as DeclaredRewrite
from kuma.policies.meshhttproute.model import Rule as RouteRule
from kuma.resolve.placement import RouteDraft, Rule
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import BackendRef


def draft_routes(rule: Rule) -> tuple[RouteDraft, ...]:
    if not isinstance(rule.conf, HttpRouteConf):
        return ()
    origins = _origins(rule)
    return tuple(
        draft
        for each in rule.conf.rules or ()
        for draft in _drafts(each, tuple(origins.get(each.matches, ())))
    )


def rule_hashes(conf: SpecModel) -> tuple[str, ...]:
    """The hash of each rule, by which other policies find it."""
    rules = conf.rules if isinstance(conf, HttpRouteConf) else None
    return tuple(hash_matches(rule.matches) for rule in rules or ())


def hash_matches(matches: Sequence[Match]) -> str:
    """Kuma's name of a route: the base64 of the SHA-256 of its matches as Go writes them in JSON."""
    text = json.dumps(
        [match.to_json() for match in matches], separators=(",", ":"), ensure_ascii=False
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _origins(rule: Rule) -> dict[tuple[Match, ...], list[Origin]]:
    """For the matches of each rule the policies that have one with them, strongest last."""
    found: dict[tuple[Match, ...], list[Origin]] = {}
    for source in rule.sources:
        rules = source.conf.rules if isinstance(source.conf, HttpRouteConf) else None
        for matches in dict.fromkeys(each.matches for each in rules or ()):
            found.setdefault(matches, []).append(source.origin)
    return found


def _drafts(rule: RouteRule, origins: tuple[Origin, ...]) -> Iterable[RouteDraft]:
    found = hash_matches(rule.matches)
    filters = rule.default.filters or ()
    path, host = _rewrite(filters)
    for index, match in enumerate(rule.matches):
        yield RouteDraft(
            name=f"{found}-{index}" if index else found,
            rule_hash=found,
            match=as_http_match(match),
            backends=rule.default.backend_refs or None,
            request_headers=_header_change(
                each.request_header_modifier
                for each in filters
                if each.type is FilterType.REQUEST_HEADER_MODIFIER
            ),
            response_headers=_header_change(
                each.response_header_modifier
                for each in filters
                if each.type is FilterType.RESPONSE_HEADER_MODIFIER
            ),
            redirect=_redirect(filters),
            path=path,
            host=host,
            mirrors=tuple(_mirrors(filters)),
            origins=origins,
        )


def as_http_match(match: Match) -> HttpMatch:
    """Of several matches on one header or parameter the first counts, as in Gateway API."""
    headers = {
        each.name: ValueMatch(each.name, ValueKind(each.type.value), each.value or "")
        for each in reversed(match.headers or ())
    }
    query = {
        each.name: ValueMatch(each.name, ValueKind(each.type.value), each.value)
        for each in reversed(match.query_params or ())
    }
    path = match.path
    return HttpMatch(
        path=None if path is None else PlanPathMatch(PathKind(path.type.value), path.value),
        method=None if match.method is None else match.method.value,
        headers=tuple(headers[name] for name in sorted(headers)),
        query=tuple(query[name] for name in sorted(query)),
    )


def _header_change(modifiers: Iterable[HeaderModifier | None]) -> HeaderChange:
    given = [modifier for modifier in modifiers if modifier is not None]
    return HeaderChange(
        set=tuple((each.name, each.value) for mod in given for each in mod.set or ()),
        add=tuple((each.name, each.value) for mod in given for each in mod.add or ()),
        remove=tuple(name for mod in given for name in mod.remove or ()),
    )


def _redirect(filters: Iterable[Filter]) -> Redirect | None:
    found: Redirect | None = None
    for each in filters:
        if each.type is FilterType.REQUEST_REDIRECT and each.request_redirect is not None:
            found = _as_redirect(each.request_redirect)
    return found


def _as_redirect(declared: RequestRedirect) -> Redirect:
    return Redirect(
        scheme=None if declared.scheme is None else declared.scheme.value,
        host=declared.hostname,
        port=declared.port,
        path=_as_path_rewrite(declared.path),
        status=int(declared.status_code),
    )


def _rewrite(filters: Iterable[Filter]) -> tuple[PathRewrite | None, str | None]:
    path: PathRewrite | None = None
    host: str | None = None
    for each in filters:
        if each.type is FilterType.URL_REWRITE and each.url_rewrite is not None:
            path = _as_path_rewrite(each.url_rewrite.path) or path
            host = each.url_rewrite.hostname or host
    return path, host


def _as_path_rewrite(declared: DeclaredRewrite | None) -> PathRewrite | None:
    """A rewrite without the value that its type asks for does nothing.

    # Differs from Kuma: the new prefix takes the place of the old one whole segments at a time, as
    Gateway API defines: `/old/x` becomes `/new/x`, where Kuma gives `/newx`.
    """
    if declared is None:
        return None
    if declared.type is PathRewriteType.REPLACE_PREFIX_MATCH:
        prefix = declared.replace_prefix_match
        return None if prefix is None else ReplacePrefix(prefix)
    full = declared.replace_full_path
    return None if full is None else ReplaceFullPath(full)


def _mirrors(filters: Iterable[Filter]) -> Iterable[tuple[BackendRef, str]]:
    for each in filters:
        if each.type is FilterType.REQUEST_MIRROR and each.request_mirror is not None:
            share = each.request_mirror.percentage
            yield each.request_mirror.backend_ref, "100" if share is None else str(share)
