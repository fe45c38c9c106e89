"""Matches that several policies share: on headers, on the client's SPIFFE id, on SNI."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from kuma.resources.spec import EMPTY_IS_NONE, SpecModel
from kuma.resources.violation import Violation

HeaderName = Annotated[
    str, Field(min_length=1, max_length=256, pattern=r"^[a-z0-9!#$%&'*+\-.^_\x60|~]+$")
]
"""Lower case, since HTTP compares header names without regard to case."""


class HeaderMatchType(StrEnum):
    EXACT = "Exact"
    PRESENT = "Present"
    REGULAR_EXPRESSION = "RegularExpression"
    ABSENT = "Absent"
    PREFIX = "Prefix"


class HeaderMatch(SpecModel):
    type: HeaderMatchType = HeaderMatchType.EXACT
    """How the header is compared."""
    name: HeaderName
    """Name of the header, in lower case."""
    value: Annotated[str | None, EMPTY_IS_NONE] = None
    """What to compare with; not for Present and Absent. An empty one is as if left out."""


class SpiffeMatchType(StrEnum):
    EXACT = "Exact"
    PREFIX = "Prefix"


class SpiffeIdMatch(SpecModel):
    type: SpiffeMatchType
    """Compare the whole id, or its beginning."""
    value: str
    """A SPIFFE id such as `spiffe://default/web`, or its beginning."""


class SniMatchType(StrEnum):
    EXACT = "Exact"


class SniMatch(SpecModel):
    type: SniMatchType
    """How the server name is compared."""
    value: str
    """The server name that the client asks for in its TLS handshake."""


class Match(SpecModel):
    """A condition on the connection; every part that is set must hold."""

    spiffe_id: SpiffeIdMatch | None = Field(default=None, alias="spiffeID")
    """The identity in the client's certificate."""
    sni: SniMatch | None = None
    """The server name in the client's TLS handshake."""


def validate_match(match: Match) -> tuple[Violation, ...]:
    found: list[Violation] = []
    if match.spiffe_id is not None and (wrong := find_spiffe_id_error(match.spiffe_id.value)):
        found.append(Violation("spiffeID", f"must be a valid Spiffe ID: {wrong}"))
    if match.sni is not None:
        if not match.sni.value:
            found.append(Violation("sni.value", "must be set"))
        else:
            found += [
                Violation("sni.value", text) for text in find_subdomain_errors(match.sni.value)
            ]
    return tuple(found)


_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def find_subdomain_errors(text: str) -> tuple[str, ...]:
    """What keeps `text` from being a DNS subdomain, in Kubernetes' words. Source: RFC 1123."""
    found = []
    if len(text) > 253:
        found.append("must be no more than 253 bytes")
    if not _SUBDOMAIN.fullmatch(text):
        found.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is "
            r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
    return tuple(found)


def find_spiffe_id_error(text: str) -> str | None:
    """Why `text` is no SPIFFE id; None: it is one.

    Source: https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
    """
    if not text:
        return "cannot be empty"
    if not text.startswith("spiffe://"):
        return "scheme is missing or invalid"
    domain, slash, path = text.removeprefix("spiffe://").partition("/")
    if not domain:
        return "trust domain is missing"
    if not re.fullmatch(r"[a-z0-9.\-_]+", domain):
        return (
            "trust domain characters are limited to lowercase letters, numbers, dots, dashes, "
            "and underscores"
        )
    return _find_path_error(path) if slash else None


def _find_path_error(path: str) -> str | None:
    segments = path.split("/")
    if not segments[-1]:
        return "path cannot have a trailing slash"
    if not all(segments):
        return "path cannot contain empty segments"
    if any(segment in {".", ".."} for segment in segments):
        return "path cannot contain dot segments"
    if not all(re.fullmatch(r"[a-zA-Z0-9.\-_]+", segment) for segment in segments):
        return (
            "path segment characters are limited to letters, numbers, dots, dashes, and underscores"
        )
    return None
