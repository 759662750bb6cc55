"""When the meeting is, by when a promise is due, which suggestions say the same, what a broken file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.learning.plan import BadDueDate, next_meeting, parse_due_date
from domain.learning.suggestion_groups import PlacedSuggestion, group_suggestions
from engine.learning.suggestions import find_nearest
from playbooks.errors import BadFile
from playbooks.learning_file import SHIPPED, LearningFile, parse_learning, shipped_learning_plan

NOW = pendulum.datetime(2026, 11, 22, 3, 0)  # a Sunday
TEXT = SHIPPED.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("now", "begins"),
    [
        (NOW, "2026-11-24T02:00:00+00:00"),
        (pendulum.datetime(2026, 11, 24, 1, 59), "2026-11-24T02:00:00+00:00"),
        (pendulum.datetime(2026, 11, 24, 2, 0), "2026-12-01T02:00:00+00:00"),
        (pendulum.datetime(2026, 11, 23, 17, 0), "2026-11-24T02:00:00+00:00"),  # Tuesday there already
    ],
)
def test_the_next_meeting(now: pendulum.DateTime, begins: str) -> None:
    assert next_meeting(shipped_learning_plan(), now).isoformat() == begins


def test_the_meeting_is_at_the_same_hour_in_winter_and_summer() -> None:
    plan = replace(shipped_learning_plan(), zone="Europe/Berlin", weekday=6)
    before = next_meeting(plan, pendulum.datetime(2026, 3, 22, 12))  # clocks go forward on the 29th
    assert before.in_timezone("Europe/Berlin").to_datetime_string() == "2026-03-29 10:00:00"
    assert next_meeting(plan, before) - before == timedelta(days=7)
    winter = next_meeting(plan, pendulum.datetime(2026, 3, 15, 12))
    assert (before - winter).total_hours() == 7 * 24 - 1


@given(st.integers(0, 10**9))
def test_a_meeting_is_always_ahead_and_within_a_week(seconds: int) -> None:
    now = pendulum.from_timestamp(1_700_000_000 + seconds)
    assert now < next_meeting(shipped_learning_plan(), now) <= now.add(days=7)


@pytest.mark.parametrize(
    ("text", "zone", "span"),
    [
        ("14d", "UTC", timedelta(days=14)),
        (" 36h ", "UTC", timedelta(hours=36)),
        ("2026-11-22", "UTC", timedelta(hours=21)),
        ("2026-11-22", "Asia/Shanghai", timedelta(hours=13)),
        ("1h1m30s", "UTC", timedelta(minutes=61)),
        ("366d", "UTC", timedelta(days=366)),
    ],
)
def test_a_date_by_which_something_is_done(text: str, zone: str, span: timedelta) -> None:
    assert parse_due_date(text, zone, NOW) == span


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-11-20", "in the past"),
        ("10m", "less than an hour"),
        ("2028-01-01", "more than a year"),
        ("", "no date"),
        ("tomorrow", "no date"),
        ("2026-02-30", "no date"),
        ("2026-11", "no date"),
        ("99999-01-01", "no date"),
        ("400d", "no date"),
    ],
)
def test_a_date_that_cannot_be(text: str, says: str) -> None:
    with pytest.raises(BadDueDate, match=says):
        parse_due_date(text, "Asia/Shanghai", NOW)


def by_first_letter(text: str, others: Sequence[str], at_least: float) -> tuple[int, float] | None:
    """Stands in for rapidfuzz: near is what begins alike."""
    return next(((place, at_least) for place, other in enumerate(others) if other[:1] == text[:1]), None)


def test_whoever_comes_first_makes_the_group() -> None:
    texts = ["Faster refunds", "", "first of all", "More colours", "MORE COLOURS!", "x", "x"]
    assert group_suggestions(texts, {7: "more shops"}, by_first_letter, 0.8) == [
        PlacedSuggestion(0, None, 0),
        PlacedSuggestion(2, None, 0),
        PlacedSuggestion(3, 7, -1),
        PlacedSuggestion(4, 7, -1),
        PlacedSuggestion(5, None, 5),
        PlacedSuggestion(6, None, 5),
    ]


@given(st.lists(st.text("ab退款 !", max_size=8), max_size=12))
def test_every_suggestion_that_says_something_is_placed_once_whatever_it_says(texts: list[str]) -> None:
    placed = group_suggestions(texts, {}, find_nearest, 0.85)
    assert [one.place for one in placed] == sorted({one.place for one in placed})
    assert {one.first for one in placed} <= {one.place for one in placed}
    assert all(one.first <= one.place for one in placed)
    assert group_suggestions(texts, {}, find_nearest, 0.85) == placed


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("tell me when my refund is on its way", "tell me when my refund is on it s way", True),
        ("my refund tell me when it is on its way", "tell me when my refund is on its way", True),
        ("希望退款进度能及时通知", "希望退款进度可以及时通知", True),
        ("希望退款进度能及时通知", "希望增加夜间客服", False),
        ("faster refunds please", "more colours please", False),
    ],
)
def test_nearly_the_same_words_in_either_language(one: str, other: str, same: bool) -> None:
    assert (find_nearest(one, ["nothing alike", other], 0.85) is not None) is same


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("weekday: tuesday", "weekday: someday", "meeting.weekday"),
        ('time: "10:00"', 'time: "25:00"', "'25:00' is no time of day"),
        ("Asia/Shanghai", "Mars/Base", "no time zone 'Mars/Base'"),
        ("lasts: 60m", "lasts: 60", "60 has no unit"),
        ("lasts: 60m", "lasts: 0s", "no length of a meeting"),
        ("near: 85%", "near: 850%", "suggestions.near"),
        ("count: 3", "count: 1", "recurrence.count"),
        ("within: 90d", "within: 0d", "recurrence.within"),
        ("improvement: 80%", "improvment: 80%", "improvment"),
        ("improvement: 80%", "tracker: {url: ftp://x}", "no address that one can POST to"),
        ("improvement: 80%", 'tracker: {url: "https://user:secret-word@x.example/"}', "holds a name or password"),
    ],
)
def test_a_broken_file_says_where_and_changes_nothing(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(BadFile) as caught:
        parse_learning(TEXT.replace(old, new), "learning.yaml")
    assert says in str(caught.value)
    assert "learning.yaml:" in str(caught.value)
    assert "secret-word" not in str(caught.value)
    path = tmp_path / "learning.yaml"
    path.write_text(TEXT.replace("count: 3", "count: 4"), encoding="utf-8")
    times = iter(range(0, 100, 5))
    file = LearningFile(path, clock=lambda: float(next(times)))
    assert file.current().count == 4
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    assert file.current().count == 4
    assert file.findings()
