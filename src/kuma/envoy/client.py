"""Who sent a request, in a form on which routes and HTTP filters can match.

    TLS handshake -> headers of Envoy's own (URIs of the certificate, server name) -> matches

What rides on routes can match on headers only. Every inbound sets these, or takes them away, before
anything sees the request, and takes them away again before it leaves; so nobody can forge them, and
nobody sees them.
An inbound without TLS knows the tags that the client's sidecar sends along, and no identity.
"""

import re
from collections.abc import Iterable

from envoy.config.common.mutation_rules.v3.mutation_rules_pb2 import HeaderMutation as Mutation
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2 import (
    HeaderMutation as EarlyMutation,
)

from kuma.envoy.endpoint import SERVICE
from kuma.envoy.message import pack
from kuma.envoy.route import CLIENT_TAGS_HEADER, CLIENT_URIS_HEADER, SERVER_NAME_HEADER
from kuma.plan.proxy import Inbound
from kuma.plan.route import ValueKind, ValueMatch
from kuma.plan.tags import Tags
from kuma.resources.match import Match, SpiffeMatchType

ANY = "*"
"""As the value of a tag: whatever the value is."""


def matches_of(match: Match) -> list[ValueMatch]:
    """What a match of `rules` says, as matches on headers; all must hold."""
    found = []
    if match.spiffe_id is not None:
        rest = "[^,]*" if match.spiffe_id.type is SpiffeMatchType.PREFIX else ""
        found.append(_has_uri(re.escape(match.spiffe_id.value) + rest))
    if match.sni is not None:
        found.append(ValueMatch(SERVER_NAME_HEADER, value=match.sni.value))
    return found


def matches_of_tags(tags: Tags, inbound: Inbound) -> list[ValueMatch]:
    """What a target of `from` says, as matches on headers; all must hold."""
    if inbound.tls is None:
        return [_has_tag(key, text) for key, text in tags]
    mesh = inbound.tls.san_prefixes[0] if inbound.tls.san_prefixes else ""
    return [
        _has_uri(re.escape(mesh if key == SERVICE else f"kuma://{key}/") + _value(text, r"[^,]*"))
        for key, text in tags
    ]


def _has_uri(uri: str) -> ValueMatch:
    """All URIs of the certificate come joined by commas, which none of them can contain."""
    return ValueMatch(CLIENT_URIS_HEADER, ValueKind.REGEX, f"(.*,)?{uri}(,.*)?")


def _has_tag(key: str, text: str) -> ValueMatch:
    """`&version=v1,v2&&team=a&`: every tag with all of its values."""
    values = rf"([^&]*,)?{_value(text, '[^&]*')}(,[^&]*)?"
    return ValueMatch(CLIENT_TAGS_HEADER, ValueKind.REGEX, f".*&{re.escape(key)}={values}&.*")


def _value(text: str, anything: str) -> str:
    return anything if text == ANY else re.escape(text)


def _mutations(name: str, command: str) -> Iterable[Mutation]:
    """Removed first: what the client sent under that name must not stay if there is no value."""
    option = HeaderValueOption(
        header=HeaderValue(key=name, value=command),
        append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
    return Mutation(remove=name), Mutation(append=option)


CLIENT_HEADERS = TypedExtensionConfig(
    name="envoy.http.early_header_mutation.header_mutation",
    typed_config=pack(
        EarlyMutation(
            mutations=[
                *_mutations(CLIENT_URIS_HEADER, "%DOWNSTREAM_PEER_URI_SAN%"),
                *_mutations(SERVER_NAME_HEADER, "%REQUESTED_SERVER_NAME%"),
            ]
        )
    ),
)
"""Of the connection manager of every inbound, whatever the policies: a connection whose chain did not
set the headers would take the client's word for them, until it is drained."""
