"""Envoy's configuration dump without the token that its proxy shows to the control plane.

Envoy itself hides private keys and passwords. Metadata of gRPC services it shows, and a kuma-dp whose
tokens are not reloadable puts its token there, in the bootstrap.
"""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json

REDACTED = "[redacted]"
"""As Envoy writes it."""


def without_tokens(dump: bytes) -> bytes:
    """Raises ValueError if `dump` is not JSON."""
    parsed = from_json(dump)
    tokens = [each for each in _metadata(parsed) if each.get("key", "").lower() == "authorization"]
    if not tokens:
        return dump
    for token in tokens:
        for field in {"value", "raw_value"} & token.keys():
            token[field] = REDACTED
    return to_json(parsed, indent=1)


def _metadata(here: Any) -> Iterator[dict[str, Any]]:
    """The entries of every `initial_metadata`, wherever it stands."""
    if isinstance(here, list):
        for each in here:
            yield from _metadata(each)
    elif isinstance(here, dict):
        for field, each in here.items():
            if field == "initial_metadata":
                yield from each
            else:
                yield from _metadata(each)
