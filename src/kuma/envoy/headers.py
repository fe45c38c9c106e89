"""Headers that Envoy adds to messages, from the plan's pairs and from what policies say."""

import re
from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption

from kuma.resources.headers import HeaderAdditions

_COMMAND = re.compile(r"%[A-Z][A-Z0-9_]*(?:\([^)%]*\))?(?::\d+)?%|%%|%")


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
    sign is one. Differs from Kuma, where `100%` makes Envoy reject the whole configuration."""
    return _COMMAND.sub(lambda found: "%%" if found[0] == "%" else found[0], text)
