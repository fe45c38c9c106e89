"""Constraints that the confs of several policies share: a value and its field, to violations.

Unset values meet every constraint. The messages are Kuma's.
"""

import re
from collections.abc import Sequence
from datetime import timedelta

from kuma.kit.regex import find_regex_error
from kuma.resources import labels as well_known
from kuma.resources.headers import HeaderAdditions
from kuma.resources.match import HeaderMatch, HeaderMatchType
from kuma.resources.resource import AnyResource
from kuma.resources.spec import parse_decimal
from kuma.resources.target_ref import TargetRefKind
from kuma.resources.violation import Violation

Found = tuple[Violation, ...]

PROXIES = (
    TargetRefKind.MESH,
    TargetRefKind.MESH_SUBSET,
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_SERVICE_SUBSET,
    TargetRefKind.DATAPLANE,
)
"""The kinds of top-level targets that every policy takes."""

DESTINATIONS = (
    TargetRefKind.MESH,
    TargetRefKind.MESH_SERVICE,
    TargetRefKind.MESH_EXTERNAL_SERVICE,
    TargetRefKind.MESH_MULTI_ZONE_SERVICE,
)
"""What `to` may target where it cannot target routes."""

_HEADER_NAME = re.compile(r"[a-zA-Z0-9!#$%&'*+\-.^_`|~]+")
_NOT_IN_HEADERS = re.compile(r"[\0\r\n]")


def is_system_policy(resource: AnyResource) -> bool:
    """Whether it is written by the mesh's operator; only those may target gateways and routes."""
    return resource.labels.get(well_known.POLICY_ROLE, "system") == "system"


def not_negative(field: str, duration: timedelta | None) -> Found:
    if duration is None or duration >= timedelta(0):
        return ()
    return (Violation(field, "must not be negative when defined"),)


def positive_duration(field: str, duration: timedelta | None) -> Found:
    if duration is None or duration > timedelta(0):
        return ()
    return (Violation(field, "must be greater than zero when defined"),)


def positive(field: str, number: int | None) -> Found:
    if number is None or number > 0:
        return ()
    return (Violation(field, "must be greater than 0"),)


def positive_when_defined(field: str, number: int | None) -> Found:
    """As `positive`, in the words that Kuma has for signed numbers."""
    if number is None or number > 0:
        return ()
    return (Violation(field, "must be greater than zero when defined"),)


def status_code(field: str, status: int) -> Found:
    if 100 <= status < 600:
        return ()
    return (Violation(field, "must be in inclusive range [100, 599]"),)


def header_value(field: str, text: str | None) -> Found:
    """Differs from Kuma, which takes it, and Envoy then rejects the proxy's configuration."""
    if text is None or not _NOT_IN_HEADERS.search(text):
        return ()
    return (Violation(field, "must not contain line breaks or null characters"),)


def changeable_header(field: str, name: str) -> Found:
    """Differs from Kuma, where Envoy rejects the whole configuration of the proxy."""
    if not _HEADER_NAME.fullmatch(name):
        return (Violation(field, "must be the name of a header"),)
    if name.lower() == "host":
        return (Violation(field, "the header host cannot be changed"),)
    return ()


def regex(field: str, text: str | None) -> Found:
    """Differs from Kuma, as `header_value`."""
    if not text:
        return (Violation(field, "must be a regular expression, and is empty"),)
    error = find_regex_error(text)
    return () if error is None else (Violation(field, f"must be a regular expression: {error}"),)


_WITHOUT_VALUE = (HeaderMatchType.PRESENT, HeaderMatchType.ABSENT)


def header_matches(
    field: str, headers: Sequence[HeaderMatch] | None, *, ignores_values: bool = False
) -> Found:
    """`ignores_values`: one beside Present or Absent is taken, and means nothing."""
    return tuple(
        violation
        for index, header in enumerate(headers or ())
        if not (ignores_values and header.type in _WITHOUT_VALUE)
        for violation in _header_match(f"{field}[{index}].value", header)
    )


def _header_match(field: str, header: HeaderMatch) -> Found:
    match header.type:
        case _ if header.type in _WITHOUT_VALUE:
            return (Violation(field, "must not be defined"),) if header.value else ()
        case HeaderMatchType.REGULAR_EXPRESSION:
            return regex(field, header.value)
        case HeaderMatchType.PREFIX if not header.value:
            return (Violation(field, "must not be empty"),)
    return ()


def header_additions(field: str, additions: HeaderAdditions | None) -> Found:
    if additions is None:
        return ()
    lists = {"set": additions.set or (), "add": additions.add or ()}
    return tuple(
        violation
        for name, headers in lists.items()
        for index, header in enumerate(headers)
        for violation in (
            *changeable_header(f"{field}.{name}[{index}].name", header.name),
            *header_value(f"{field}.{name}[{index}].value", header.value),
        )
    )


def whole_percentage(field: str, number: int | None) -> Found:
    if number is None or 0 <= number <= 100:
        return ()
    return (Violation(field, "must be in inclusive range [0, 100]"),)


def percentage(field: str, number: int | str | None) -> Found:
    if number is None:
        return ()
    parsed = parse_decimal(number)
    if parsed is None:
        return (Violation(field, "string must be a valid number"),)
    if not 0 <= parsed <= 100:
        return (Violation(field, "must be in inclusive range [0.0, 100.0]"),)
    return ()
