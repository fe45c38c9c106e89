"""Durations and times in protobuf's JSON form."""

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.resources.proto_json import (
    Numbered,
    ProtoDuration,
    ProtoModel,
    format_seconds,
    format_timestamp,
)
from kuma.resources.spec import parse_spec


class Mode(StrEnum):
    OFF = "Off"
    ON = "On"


class Moded(ProtoModel):
    mode: Annotated[Mode, Numbered()] = Mode.OFF


class Timed(ProtoModel):
    wait: ProtoDuration | None = None


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(minutes=1), "60s"),
        (timedelta(seconds=1.5), "1.500s"),
        (timedelta(microseconds=250), "0.000250s"),
        (timedelta(seconds=-1.5), "-1.500s"),
    ],
)
def test_durations_are_shown_in_seconds(duration: timedelta, text: str) -> None:
    assert format_seconds(duration) == text


@given(st.timedeltas(timedelta(days=-300), timedelta(days=300)))
def test_any_duration_reads_back(duration: timedelta) -> None:
    shown = Timed(wait=duration).to_json()
    assert Timed.model_validate(shown).wait == duration


def test_durations_are_read_in_the_form_of_go() -> None:
    assert Timed.model_validate({"wait": "1m30s"}).wait == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        (datetime(2026, 1, 1, microsecond=500, tzinfo=UTC), "2026-01-01T00:00:00.0005Z"),
        (
            datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
            "2026-01-01T00:00:00Z",
        ),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_shown_in_utc_without_trailing_zeros(time: datetime, text: str) -> None:
    assert format_timestamp(time) == text


@pytest.mark.parametrize("written", ["On", 1])
def test_a_value_of_an_enum_may_be_its_number(written: Any) -> None:
    assert Moded.model_validate({"mode": written}).to_json() == {"mode": "On"}


@pytest.mark.parametrize("written", [2, -1, True, 1.0, "1", ""])
def test_what_is_no_number_of_an_enum_is_refused(written: Any) -> None:
    [violation] = parse_spec(Moded, {"mode": written})[1]
    assert violation.message == "unsupported value, must be 'Off' or 'On'"
