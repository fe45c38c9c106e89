"""Headers that Envoy adds to messages, from the plan's pairs and from what policies say."""

import re
from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption

from kuma.resources.headers import HeaderAdditions

_PLAIN = (
    r"PROTOCOL|HOSTNAME|START_TIME|EMIT_TIME|DURATION|ROUTE_NAME|STREAM_ID|TRACE_ID|CONNECTION_ID"
    r"|REQUESTED_SERVER_NAME|VIRTUAL_CLUSTER_NAME|BYTES_(?:RECEIVED|SENT)|GRPC_STATUS|UNIQUE_ID"
    r"|RE(?:QUEST|SPONSE)_DURATION|RESPONSE_(?:CODE|CODE_DETAILS|FLAGS)"
    r"|DOWNSTREAM(?:_DIRECT)?_(?:LOCAL|REMOTE)_(?:ADDRESS(?:_WITHOUT_PORT)?|PORT)"
    r"|UPSTREAM_(?:LOCAL|REMOTE)_(?:ADDRESS(?:_WITHOUT_PORT)?|PORT)"
    r"|UPSTREAM_(?:CLUSTER|HOST|PROTOCOL|REQUEST_ATTEMPT_COUNT|TRANSPORT_FAILURE_REASON)"
    r"|(?:DOWN|UP)STREAM_TLS_(?:VERSION|CIPHER|SESSION_ID)"
    r"|(?:DOWN|UP)STREAM_(?:LOCAL|PEER)_(?:URI|DNS)_SAN|(?:DOWN|UP)STREAM_PEER_(?:SUBJECT|ISSUER)"
    r"|DOWNSTREAM_LOCAL_SUBJECT|(?:DOWN|UP)STREAM_PEER_CERT(?:_V_START|_V_END)?"
    r"|DOWNSTREAM_PEER_(?:SERIAL|FINGERPRINT_256|FINGERPRINT_1)"
)
_ABOUT = "REQ|RESP|TRAILER|DYNAMIC_METADATA|PER_REQUEST_STATE|ENVIRONMENT|QUERY_PARAM"
_COMMAND = re.compile(rf"%(?:{_PLAIN})%|%(?:{_ABOUT})\([^()%]+\)(?::\d{{1,9}})?%|%%|%")
"""What stays as it is in a value, and a percent sign. An unknown command makes Envoy reject all.
Source: https://www.envoyproxy.io/docs/envoy/latest/configuration/advanced/substitution_formatter
"""


def set_header(name: str, value: str) -> HeaderValueOption:
    return _option(name, value, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD)


def add_header(name: str, value: str) -> HeaderValueOption:
    return _option(name, value, HeaderValueOption.APPEND_IF_EXISTS_OR_ADD)


def build_additions(additions: HeaderAdditions | None) -> Iterable[HeaderValueOption]:
    """Differs from Kuma, which splits a value at its commas into headers of their own: of those to
    set then only the last stays."""
    if additions is None:
        return
    yield from (add_header(each.name, each.value) for each in additions.add or ())
    yield from (set_header(each.name, each.value) for each in additions.set or ())


def _option(
    name: str, value: str, action: "HeaderValueOption.HeaderAppendAction.ValueType"
) -> HeaderValueOption:
    header = HeaderValue(key=name, value=_literal_percents(value))
    return HeaderValueOption(header=header, append_action=action)


def _literal_percents(text: str) -> str:
    """Envoy's commands (`%PROTOCOL%`) stay, as Kuma's users may rely on them; any other percent
    sign is one, also in what Envoy does not know (`%FOO%`). Differs from Kuma, where `100%` makes Envoy reject the whole configuration."""
    return _COMMAND.sub(lambda found: "%%" if found[0] == "%" else found[0], text)
