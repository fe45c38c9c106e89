"""HTTP filters that are chosen for each request by its client, over RDS.

    chain: a filter that does nothing, disabled ── virtual host: which filters, for which client

So no change of a policy touches a listener, and what it says holds from the next request on, on
every connection; where nothing is said, Envoy does not even create the filter.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
"""

from collections.abc import Iterable, Sequence

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig as EnvoyExtension
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.extensions.common.matching.v3.extension_matcher_pb2 import (
    ExtensionWithMatcher,
    ExtensionWithMatcherPerRoute,
)
from envoy.extensions.filters.common.matcher.action.v3.skip_action_pb2 import SkipFilter
from envoy.extensions.filters.http.composite.v3.composite_pb2 import (
    Composite,
    ExecuteFilterAction,
    FilterChainConfiguration,
)
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpFilter,
)
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from google.protobuf.message import Message
from xds.core.v3.extension_pb2 import TypedExtensionConfig
from xds.type.matcher.v3.matcher_pb2 import Matcher
from xds.type.matcher.v3.regex_pb2 import RegexMatcher
from xds.type.matcher.v3.string_pb2 import StringMatcher

from kuma.envoy.message import pack
from kuma.kit.value import value
from kuma.plan.route import ValueKind, ValueMatch

COMPOSITE = "envoy.filters.http.composite"

_Predicate = Matcher.MatcherList.Predicate


@value
class ForClient:
    """`matches` must all hold, none: everybody. `filters` are passed in their order."""

    matches: tuple[ValueMatch, ...]
    filters: tuple[Message, ...]


def build_filter(name: str) -> HttpFilter:
    """Stands in every chain, and does nothing until `choose_filters` enables it for requests."""
    composite = EnvoyExtension(name=COMPOSITE, typed_config=pack(Composite()))
    nothing = ExtensionWithMatcher(xds_matcher=Matcher(), extension_config=composite)
    return HttpFilter(name=name, typed_config=pack(nothing), disabled=True)


def choose_filters(host: VirtualHost, name: str, cases: Iterable[ForClient]) -> None:
    """The filter `name` acts for each request as the first of `cases` whose matches hold."""
    tree = Matcher()
    for case in cases:
        action = _action(name, case.filters)
        if not case.matches:
            tree.on_no_match.action.CopyFrom(action)
            break
        tree.matcher_list.matchers.add(
            predicate=_all_of(case.matches), on_match=Matcher.OnMatch(action=action)
        )
    host.typed_per_filter_config[name].CopyFrom(
        pack(ExtensionWithMatcherPerRoute(xds_matcher=tree))
    )


def _action(name: str, filters: Sequence[Message]) -> TypedExtensionConfig:
    if not filters:
        return _SKIP
    chain = [EnvoyExtension(name=name, typed_config=pack(each)) for each in filters]
    action = ExecuteFilterAction(filter_chain=FilterChainConfiguration(typed_config=chain))
    return TypedExtensionConfig(name=name, typed_config=pack(action))


_SKIP = TypedExtensionConfig(name="skip", typed_config=pack(SkipFilter()))


def _all_of(matches: Sequence[ValueMatch]) -> _Predicate:
    predicates = [_holds(match) for match in matches]
    if len(predicates) == 1:
        return predicates[0]
    return _Predicate(and_matcher=_Predicate.PredicateList(predicate=predicates))


def _holds(match: ValueMatch) -> _Predicate:
    header = HttpRequestHeaderMatchInput(header_name=match.name)
    return _Predicate(
        single_predicate=_Predicate.SinglePredicate(
            input=TypedExtensionConfig(name="request-headers", typed_config=pack(header)),
            value_match=_string_match(match),
        )
    )


def _string_match(match: ValueMatch) -> StringMatcher:
    if match.kind is ValueKind.REGEX:
        regex = RegexMatcher(regex=match.value, google_re2=RegexMatcher.GoogleRE2())
        return StringMatcher(safe_regex=regex)
    return StringMatcher(exact=match.value)
