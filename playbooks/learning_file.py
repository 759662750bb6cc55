"""The learning file, learning.yaml. A broken file changes nothing; without one the shipped values hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from domain.customers.contact_hours import parse_minute_of_day
from domain.durations import parse_duration
from domain.learning.plan import AGENDA_LEAD, WEEKDAYS, LearningPlan
from playbooks.errors import FileFinding
from playbooks.field_types import Duration, FileForm, Share, TimeZone, clock_time, parse_share
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SHIPPED = Path(__file__).resolve().parent / "sample" / "learning.yaml"
LONGEST_MINUTES = 24 * 60
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class MeetingForm(FileForm):
    """When the product meeting is held."""

    weekday: Weekday = Field(description="The day.", examples=["tuesday"])
    time: Annotated[str, clock_time("10:00")] = Field(description="When it begins.", examples=["10:00"])
    timezone: TimeZone = Field(description="Whose time that is.", examples=["Asia/Shanghai"])
    lasts: Duration = Field("60m", description="How long it is.", examples=["60m"])


class SuggestionsForm(FileForm):
    """How suggestions are gathered."""

    near: Share = Field("85%", description="From how near on they say the same.", examples=["85%"])


class RecurrenceForm(FileForm):
    """When a problem counts as recurring."""

    count: int = Field(3, ge=2, le=100, description="So many of a kind.", examples=[3])
    within: Duration = Field("90d", description="Within that time.", examples=["90d"])
    same: Share = Field("60%", description="From how alike on they are of a kind.", examples=["60%"])
    similar: Share = Field("40%", description="From how alike on one is shown.", examples=["40%"])


class TrackerForm(FileForm):
    """An issue tracker."""

    url: str = Field(
        min_length=1, max_length=500, description="Where to POST.", examples=["https://tracker.example.com"]
    )
    token_env: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", description="Variable with the token.", examples=["TRACKER_TOKEN"]
    )


class LearningForm(FileForm):
    """The whole file."""

    meeting: MeetingForm = Field(description="The product meeting.", examples=["{weekday: tuesday, ...}"])
    suggestions: SuggestionsForm = Field(
        default_factory=lambda: SuggestionsForm(near="85%"), description="Gathering.", examples=["{near: 85%}"]
    )
    recurrence: RecurrenceForm = Field(description="What comes again.", examples=["{count: 3, within: 90d}"])
    improvement: Share = Field("80%", description="The aim.", examples=["80%"])
    tracker: TrackerForm | None = Field(None, description="An issue tracker.", examples=["{url: https://...}"])


def parse_learning(text: str, file: str) -> LearningPlan:
    """Parse the plan that `text` describes.

    Raises:
        BadFile: broken YAML, unknown keys, values that cannot be.
    """
    return _built(read_form(LearningForm, text, file, _wrong))


@lru_cache(maxsize=1)
def shipped_learning_plan() -> LearningPlan:
    """Return the shipped plan."""
    return parse_learning(read_text(SHIPPED), str(SHIPPED))


def _wrong(form: LearningForm, found: YamlSource) -> Iterator[FileFinding]:
    if not 1 <= _minutes(form.meeting.lasts) <= LONGEST_MINUTES:
        yield found.finding(("meeting", "lasts"), "is no length of a meeting", "lasts: 60m")
    if not parse_duration(form.recurrence.within):
        yield found.finding(("recurrence", "within"), "is no time", "within: 90d")
    if form.tracker is not None:
        yield from _wrong_address(form.tracker, found)


def _wrong_address(tracker: TrackerForm, found: YamlSource) -> Iterator[FileFinding]:
    """Check the tracker's address. It may carry a secret, so it is never repeated."""
    where = ("tracker", "url")
    try:
        parts = urlsplit(tracker.url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname)
        named = "@" in parts.netloc
    except ValueError:
        sound, named = False, False
    if not sound:
        yield found.finding(where, "is no address that one can POST to", "url: https://tracker.example.com/hooks/1")
    elif named:
        yield found.finding(where, "holds a name or password", "put the token into a variable and name it: token_env")


def _minutes(text: str) -> int:
    return int(parse_duration(text).total_seconds() // 60)


def _built(form: LearningForm) -> LearningPlan:
    meeting, recurrence, tracker = form.meeting, form.recurrence, form.tracker
    return LearningPlan(
        weekday=WEEKDAYS.index(meeting.weekday),
        minute=parse_minute_of_day(meeting.time),
        zone=meeting.timezone,
        minutes=_minutes(meeting.lasts),
        lead=AGENDA_LEAD,
        near=parse_share(form.suggestions.near),
        count=recurrence.count,
        window=parse_duration(recurrence.within),
        same_from=parse_share(recurrence.same),
        similar_from=parse_share(recurrence.similar),
        improvement_aim=parse_share(form.improvement),
        tracker_url=tracker.url if tracker else "",
        tracker_token_env=tracker.token_env if tracker else "",
    )


class LearningFile(OptionalFile[LearningPlan]):
    """The plan in force; without a file of the home the shipped one."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(
            path, lambda file: parse_learning(read_text(file), str(file)), shipped_learning_plan, clock=clock
        )
