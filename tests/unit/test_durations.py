"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20m", 1_200),
        ("２０m", 1_200),  # as a Chinese keyboard may write it
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1w", 604_800),
        ("90s", 90),
        ("0m", 0),
        (" 5m ", 300),
        ("PT20M", 1_200),
        ("PT1H30M", 5_400),
        ("P1DT2H", 93_600),
        ("P1W", 604_800),
        ("366d", 366 * 86_400),
    ],
)
def test_it_reads(written: str, seconds: int) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "20",
        "m",
        "20 m",
        "1.5h",
        "-5m",
        "30m1h",
        "1h1h",
        "P",
        "PT",
        "PT5",
        "P1Y",
        "P1M",
        "p1d",
        "soon",
        "20m\n5m",
    ],
)
def test_it_refuses_and_says_what_would_be_right(written: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; write 20m, 1h30m, 2d or ISO 8601"):
        parse_duration(written)


@pytest.mark.parametrize("written", ["367d", "9999999999999999999s", "P53W", "99999w", "1" * 4_000 + "s"])
def test_nothing_runs_longer_than_a_year(written: str) -> None:
    with pytest.raises(ValueError, match="longer than a year"):
        parse_duration(written)


@given(st.integers(0, int(LONGEST.total_seconds())))
def test_what_is_written_reads_back_the_same(seconds: int) -> None:
    span = timedelta(seconds=seconds)
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize(("seconds", "written"), [(0, "0s"), (60, "1m"), (5_400, "1h30m"), (90_061, "1d1h1m1s")])
def test_it_writes_the_shortest_form(seconds: int, written: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == written
