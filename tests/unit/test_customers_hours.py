"""Quiet hours: of the customer's own zone, over midnight, when clocks change."""

from __future__ import annotations

from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.contact_hours import (
    ContactQuietHours,
    is_quiet_time,
    next_contact_time,
    parse_minute_of_day,
)

NIGHT, NOON, NEVER = ContactQuietHours(21 * 60, 9 * 60), ContactQuietHours(12 * 60, 14 * 60), ContactQuietHours(0, 0)
UTC = pendulum.UTC


@pytest.mark.parametrize(
    ("zone", "now", "opens"),
    [
        ("UTC", (2026, 3, 2, 20, 59), (2026, 3, 2, 20, 59)),
        ("UTC", (2026, 3, 2, 21, 0), (2026, 3, 3, 9, 0)),
        ("UTC", (2026, 3, 2, 0, 0), (2026, 3, 2, 9, 0)),
        ("UTC", (2026, 3, 2, 8, 59), (2026, 3, 2, 9, 0)),
        ("UTC", (2026, 3, 2, 9, 0), (2026, 3, 2, 9, 0)),
        ("Asia/Shanghai", (2026, 3, 2, 13, 0), (2026, 3, 3, 1, 0)),
        ("Asia/Shanghai", (2026, 3, 2, 12, 59), (2026, 3, 2, 12, 59)),
        ("Asia/Kathmandu", (2026, 3, 2, 15, 15), (2026, 3, 3, 3, 15)),
        # The night in which clocks go forward in Berlin is an hour shorter: 9:00 is 7:00 UTC, not 8:00.
        ("Europe/Berlin", (2026, 3, 28, 20, 0), (2026, 3, 29, 7, 0)),
        ("Europe/Berlin", (2026, 10, 24, 19, 0), (2026, 10, 25, 8, 0)),
    ],
)
def test_when_somebody_may_be_written_to(zone: str, now: tuple[Any, ...], opens: tuple[Any, ...]) -> None:
    assert next_contact_time(zone, pendulum.datetime(*now), NIGHT) == pendulum.datetime(*opens)


def test_a_quiet_noon_and_no_quiet_at_all() -> None:
    noon = pendulum.datetime(2026, 3, 2, 12, 30)
    assert next_contact_time("UTC", noon, NOON) == noon.set(hour=14, minute=0)
    assert next_contact_time("UTC", noon, NIGHT) == noon
    assert next_contact_time("UTC", noon, NEVER) == noon
    assert not is_quiet_time("UTC", noon.start_of("day"), NEVER)


@given(
    at=st.integers(0, 2_000_000_000),
    zone=st.sampled_from(["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    begins=st.integers(0, 1439),
    ends=st.integers(0, 1439),
)
def test_it_is_never_quiet_then_and_never_more_than_a_day_away(at: int, zone: str, begins: int, ends: int) -> None:
    now, quiet = pendulum.from_timestamp(at), ContactQuietHours(begins, ends)
    opens = next_contact_time(zone, now, quiet)
    assert now <= opens <= now.add(hours=26)
    assert (opens == now) is (not is_quiet_time(zone, now, quiet))
    assert not is_quiet_time(zone, opens, quiet) or zone != "UTC"


@pytest.mark.parametrize(("text", "minute"), [("21:00", 1260), ("9:05", 545), ("00:00", 0), ("24:00", 0)])
def test_times_of_day(text: str, minute: int) -> None:
    assert parse_minute_of_day(text) == minute


@pytest.mark.parametrize("text", ["", "9", "25:00", "12:60", "24:01", "9:5", "-1:00", "9:00pm", "٩:٠٠"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="21:00"):
        parse_minute_of_day(text)
