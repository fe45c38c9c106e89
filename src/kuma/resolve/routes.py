"""Routes of an outbound: drafts of the route policies, with their backends resolved, in the order in
which they are tried, and a default route at the end.

Source: https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule and reference 14.10.
"""

from collections.abc import Iterable, Sequence

from kuma.kit.value import value
from kuma.plan.origin import Origin
from kuma.plan.protocol import Protocol
from kuma.plan.proxy import Diagnostic
from kuma.plan.route import Forward, HttpMatch, HttpRoute, Mirror, PathKind, PathMatch, Weighted
from kuma.resolve.endpoints import is_known, service_protocol
from kuma.resolve.external import resolve_outside
from kuma.resolve.placement import RouteDraft
from kuma.resolve.ports import is_external, port_protocol
from kuma.resolve.target import (
    PortTarget,
    Reference,
    Scope,
    ServiceTarget,
    Target,
    find_port,
    scope_of_policy,
)
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.target_ref import BackendRef

DEFAULT_ROUTE = "9Zuf5Tg79OuZcQITwBbQykxAk2u4fRKrwYn3//AL4Yo="
"""The hash of the match on prefix `/` alone, which is how Kuma names the default route."""

DEFAULT_WEIGHT = 100


@value
class Backends:
    """`targets` are those of `split`, in that order."""

    split: tuple[Weighted, ...]
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


@value
class Routed:
    routes: tuple[HttpRoute, ...]
    hashes: tuple[str, ...]
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


def route_http(view: MeshView, drafts: Sequence[RouteDraft], default: Target) -> Routed:
    """`hashes` has, for each route, the hash of its rule, by which policies find it."""
    ordered = sorted(drafts, key=lambda draft: precedence(draft.match))
    if not any(is_catch_all(draft.match) for draft in ordered):
        ordered.append(RouteDraft(DEFAULT_ROUTE, DEFAULT_ROUTE, _CATCH_ALL))
    routes, targets, diagnostics = [], [], []
    for draft in ordered:
        backends = _backends_of(view, draft, default)
        mirrors = _mirrors_of(view, draft)
        routes.append(_route(view, draft, backends, mirrors))
        targets += [*backends.targets, *mirrors.targets]
        diagnostics += [*backends.diagnostics, *mirrors.diagnostics]
    return Routed(
        tuple(routes),
        tuple(draft.rule_hash for draft in ordered),
        tuple(dict.fromkeys(targets)),
        tuple(dict.fromkeys(diagnostics)),
    )


_CATCH_ALL = HttpMatch(PathMatch(PathKind.PREFIX, "/"))


def is_catch_all(match: HttpMatch) -> bool:
    return match in {HttpMatch(), _CATCH_ALL}


def precedence(match: HttpMatch) -> tuple[int, int, bool, int, int]:
    """Lower is tried first: exact paths, longer prefixes, longer expressions, everything; then with
    a method, with more headers, with more query parameters.

    # Differs from Kuma: a match without a path means prefix `/`, as Gateway API defines, so among
    # such prefixes more conditions come first. Kuma tries the explicit `/` first, and with it hides
    # header matches and regular expressions.
    """
    path = match.path or PathMatch(PathKind.PREFIX, "/")
    if path.kind is PathKind.EXACT:
        place = (0, 0)
    elif path.kind is PathKind.REGEX:
        place = (2, -len(path.value))
    else:
        place = (3, 0) if path.value == "/" else (1, -len(path.value))
    return *place, match.method is None, -len(match.headers), -len(match.query)


def _route(view: MeshView, draft: RouteDraft, backends: Backends, mirrors: "_Mirrors") -> HttpRoute:
    forward = Forward(
        backends.split,
        path=draft.path,
        host=draft.host,
        auto_host=any(_is_outside(view, target) for target in backends.targets),
        mirrors=mirrors.mirrors,
    )
    return HttpRoute(
        name=draft.name,
        match=draft.match,
        action=draft.redirect or forward,
        request_headers=draft.request_headers,
        response_headers=draft.response_headers,
        origins=draft.origins,
    )


def _backends_of(view: MeshView, draft: RouteDraft, default: Target) -> Backends:
    if draft.redirect is not None:
        return Backends((), ())
    if draft.backends is None:
        return Backends((Weighted(default.name, DEFAULT_WEIGHT),), (default,))
    return resolve_backends(view, draft.backends, draft.origins, needs_http=True)


def resolve_backends(
    view: MeshView, refs: Iterable[BackendRef], origins: Sequence[Origin], *, needs_http: bool
) -> Backends:
    """Backends that nobody serves, or that cannot be reached this way, get no share.

    # Differs from Kuma: where none is left the split is empty (500), and traffic meant for another
    # place does not fall through to the next route.
    """
    weights: dict[Target, int] = {}
    diagnostics: list[Diagnostic] = []
    scope = _scope(view, origins)
    for ref in refs:
        target, problem = _find_target(view, ref, scope, needs_http=needs_http)
        if problem:
            diagnostics += [Diagnostic(origin, "backendRefs", problem) for origin in origins]
        elif target is not None and ref.weight:
            weights[target] = weights.get(target, 0) + ref.weight
    return Backends(
        tuple(Weighted(target.name, weight) for target, weight in weights.items()),
        tuple(weights),
        tuple(diagnostics),
    )


@value
class _Mirrors:
    mirrors: tuple[Mirror, ...]
    targets: tuple[Target, ...]
    diagnostics: tuple[Diagnostic, ...]


def _mirrors_of(view: MeshView, draft: RouteDraft) -> _Mirrors:
    mirrors, targets, diagnostics = [], [], []
    scope = _scope(view, draft.origins)
    for ref, percentage in draft.mirrors:
        target, problem = _find_target(view, ref, scope, needs_http=True)
        if target is None:
            text = f"requestMirror: {problem}"
            diagnostics += [Diagnostic(origin, "filters", text) for origin in draft.origins]
            continue
        mirrors.append(Mirror(target.name, percentage))
        targets.append(target)
    return _Mirrors(tuple(mirrors), tuple(targets), tuple(diagnostics))


def _scope(view: MeshView, origins: Sequence[Origin]) -> Scope:
    """References stand where the strongest policy of the route does."""
    return scope_of_policy(view, origins[-1]) if origins else Scope()


def _is_outside(view: MeshView, target: Target) -> bool:
    if isinstance(target, PortTarget):
        return is_external(target.resource)
    return resolve_outside(view, target.service, target.tags) is not None


def _find_target(
    view: MeshView, ref: BackendRef, scope: Scope, *, needs_http: bool
) -> tuple[Target | None, str]:
    """The destination, or what is wrong with the reference."""
    if ref.references_real_object:
        return _find_port_target(view, ref, scope, needs_http=needs_http)
    if ref.labels:
        return None, f"{ref.kind} by labels needs a port"
    tags = tuple(pair for pair in ref.tags or () if pair[0] != well_known.SERVICE_TAG)
    target = ServiceTarget(ref.name or "", tags)
    if not is_known(view, target.service):
        return None, f'nothing serves "{target.service}"'
    protocol = service_protocol(view, target.service)
    if needs_http and not protocol.is_http:
        return None, f'"{target.service}" does not speak HTTP but {Protocol(protocol).value}'
    return target, ""


def _find_port_target(
    view: MeshView, ref: BackendRef, scope: Scope, *, needs_http: bool
) -> tuple[Target | None, str]:
    within = Scope(scope.zone, ref.namespace or scope.namespace)
    section = ref.section_name or str(ref.port or "")
    reference = Reference(ref.kind.value, ref.name or "", section, ref.labels or ())
    target = find_port(view, reference, within)
    called = f'{ref.kind} "{ref.name or dict(ref.labels or ())}"'
    if target is None:
        port = f" with port {section}" if section else ""
        return None, f"{called}{port} is not found"
    protocol = port_protocol(view, target.resource)
    if needs_http and not protocol.is_http:
        return None, f"port {section} of {called} does not speak HTTP but {protocol.value}"
    return target, ""
