"""What the control plane tells kuma-dp, by way of Envoy: a listener that answers with it.

    Told(path, body) of policies, and of the plan -> one listener at a socket -> kuma-dp asks

Source: names and routes as seen in Kuma's configuration.
"""

import hashlib
from collections.abc import Iterable, Iterator

from envoy.config.core.v3.base_pb2 import DataSource, HeaderValue, HeaderValueOption
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteMatch,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from kuma.envoy.address import pipe_address
from kuma.envoy.own_listener import build_own_listener
from kuma.envoy.told import Told
from kuma.plan import names
from kuma.plan.machine import dynamic_config_socket


def build_dynamic_config(told: Iterable[Told]) -> Listener | None:
    """None: there is nothing to tell."""
    sorted_told = sorted(told, key=lambda each: each.path)
    if not sorted_told:
        return None
    first = sorted_told[0]
    return build_own_listener(
        names.dynamic_config(unified=first.is_unified),
        pipe_address(dynamic_config_socket(first.work_dir)),
        [route for each in sorted_told for route in _answers(each)],
        unified=first.is_unified,
        largest=max(len(each.body.encode()) for each in sorted_told),
    )


def _answers(told: Told) -> Iterator[Route]:
    """Whoever knows the newest is told so, and no more."""
    tag = hashlib.sha256(told.body.encode()).hexdigest()
    known = HeaderMatcher(name="If-None-Match", string_match=StringMatcher(exact=tag))
    listener = names.dynamic_config(unified=told.is_unified)
    name = f"{listener}_{told.path.strip('/')}" if told.is_unified else f"{listener}:{told.path}"
    yield Route(
        name=f"{name}_not_modified" if told.is_unified else "",
        match=RouteMatch(path=told.path, headers=[known]),
        direct_response=DirectResponseAction(status=304),
    )
    yield Route(
        name=name,
        match=RouteMatch(path=told.path),
        response_headers_to_add=[HeaderValueOption(header=HeaderValue(key="Etag", value=tag))],
        direct_response=DirectResponseAction(status=200, body=DataSource(inline_string=told.body)),
    )
