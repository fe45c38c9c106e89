"""How one kind of policy takes part in resolution: what it merges into, and where that rides.

Declared by each policy's folder and handed to resolution by the view, since `resolve` knows no
policy. The flags say which parts of a plan carry the merged conf in their slots.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kuma.kit.value import value
from kuma.plan.endpoint import Preference
from kuma.plan.measured import Measured
from kuma.plan.origin import Origin
from kuma.plan.reporter import Reporter
from kuma.plan.route import HeaderChange, HttpMatch, PathRewrite, Redirect
from kuma.plan.tags import Tags
from kuma.plan.tls import TlsMode, TlsParameters
from kuma.resolve.merge import Merge, merge_groups
from kuma.resources.kind import Kind
from kuma.resources.match import Match
from kuma.resources.spec import SpecModel
from kuma.resources.target_ref import BackendRef


@value
class TagPredicate:
    """Holds for whoever has the tag `key`=`value`; negated: for whoever has not."""

    key: str
    value: str
    negated: bool = False


Subset = tuple[TagPredicate, ...]
"""Whoever meets every predicate; empty: everybody."""


@value
class Source:
    """One entry of one policy, as it went into a rule."""

    origin: Origin
    conf: SpecModel


@value
class Rule:
    """What holds for a subset of clients (`from`) or destinations (`to`): the merge of `sources`,
    which are in order of rising priority."""

    subset: Subset
    conf: SpecModel
    sources: tuple[Source, ...]

    @property
    def origins(self) -> tuple[Origin, ...]:
        return tuple(source.origin for source in self.sources)


@value
class InboundRule:
    """An entry of `rules` (or of `from`, without a match) for each of its matches. `kri` is that of its
    policy."""

    match: Match | None
    conf: SpecModel
    origin: Origin
    kri: str = ""


@value
class InboundRules:
    """What the policies of one kind say of an inbound. `by_client`: one rule for each entry of
    `from`, strongest first, so that the first that holds for a client decides what it sets.
    `by_match`: most specific first."""

    by_client: tuple[Rule, ...] = ()
    by_match: tuple[InboundRule, ...] = ()


@value
class TlsTerms:
    """What policies say of mutual TLS. `mode` None: that of the mesh."""

    mode: TlsMode | None = None
    parameters: TlsParameters = TlsParameters()


@value
class RouteDraft:
    """An HTTP route whose backends are not resolved yet. `rule_hash` identifies the rule in it;
    `backends` None: those of the destination itself."""

    name: str
    rule_hash: str
    match: HttpMatch
    backends: tuple[BackendRef, ...] | None = None
    request_headers: HeaderChange = HeaderChange()
    response_headers: HeaderChange = HeaderChange()
    redirect: Redirect | None = None
    path: PathRewrite | None = None
    host: str | None = None
    mirrors: tuple[tuple[BackendRef, str], ...] = ()
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True)
class Placement:
    """What the conf of one kind of policy is about, and what it turns into."""

    kind: Kind[Any]
    conf: type[SpecModel]
    """What the entries' `default` hold and merge into."""
    merge: Merge = merge_groups
    """Empty where it fails."""
    on_outbound: bool = False
    on_route: bool = False
    on_destination: bool = False
    on_inbound: Callable[[InboundRules], tuple[object, ...]] | None = None
    """Turns the rules of an inbound into the values that ride on it."""
    on_proxy: Callable[[Rule], tuple[object, ...]] | None = None
    """The same for a kind without `to`, `from` and `rules`, whose one `default` is about the proxy as a
    whole."""
    on_reporter: Callable[[Rule, Reporter], tuple[object, ...]] | None = None
    """In its place where the proxy also has to say who it is, and then shares only with those that say
    the same."""
    on_measured: Callable[[Rule, Measured], tuple[object, ...]] | None = None
    """In its place where all of it is the proxy's own."""
    on_passthrough: Callable[[Rule], tuple[object, ...]] | None = None
    """In its place where it is about what the workload sends to nobody in the mesh, which is closed where
    policies speak of it and this says nothing."""
    on_outside: bool = False
    """What is said of calls to all services holds for calls to nobody in the mesh, too."""
    preference: Callable[[SpecModel, Tags, str], Preference] | None = None
    """Which endpoints a client with certain tags, in a certain zone, would rather use."""
    asked_tags: Callable[[SpecModel], tuple[str, ...]] | None = None
    """The tags that `preference` looks at."""
    tls: Callable[[InboundRules], TlsTerms] | None = None
    """On what terms an inbound takes, and its proxy begins, mutual TLS."""
    lets_in: Callable[[SpecModel], bool] | None = None
    """Whether an entry of `from`, or of `rules`, lets somebody in, for a kind that says who may call
    whom."""
    tells_proxy: bool = False
    """Who the proxy is rides beside the conf of outbounds and inbounds, which then are its own."""
    only_with_tls: bool = False
    """It says nothing of inbounds without mutual TLS, which know no clients."""
    http_routes: Callable[[Rule], tuple[RouteDraft, ...]] | None = None
    """The routes of HTTP that it makes."""
    tcp_backends: Callable[[Rule], tuple[BackendRef, ...] | None] | None = None
    """Where it sends connections. None: it says nothing of that."""
    rule_hashes: Callable[[SpecModel], tuple[str, ...]] | None = None
    """The hash of the matches of each of its rules, in `_rules`."""
    matches_sockets: Callable[[SpecModel], bool] | None = None
    """Whether a policy chooses transport sockets by the tags of endpoints, which those have then."""

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def is_about_proxies(self) -> bool:
        """Whether the kind has one `default`, about the proxy as a whole."""
        ways = (self.on_proxy, self.on_reporter, self.on_measured, self.on_passthrough)
        return any(way is not None for way in ways)
