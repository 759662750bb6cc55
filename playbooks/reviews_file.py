"""The reviews file, reviews.yaml. Without a file of the home the shipped values hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from domain.durations import parse_duration
from domain.review.plan import ClockPlan, LevelPlan, ReviewPlan
from domain.review.return_on_investment import ValueInputs
from domain.text import Text
from playbooks.errors import FileFinding
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords, Share, TimeZone, parse_share, value_error
from playbooks.rule_amounts import NotAnAmount, parse_amount
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SHIPPED = Path(__file__).resolve().parent / "sample" / "reviews.yaml"
_MOST = 10**12


def _number(value: object) -> object:
    """A number as people write it: `85%`, `30s`, `0.1`."""
    try:
        amount = parse_amount(value)
    except NotAnAmount as error:
        reason, _, remedy = str(error).partition("; ")
        raise value_error(reason, remedy) from error
    return amount.number / 100 if amount.unit == "%" else amount.number


Number = Annotated[float, BeforeValidator(_number)]


class RetrospectiveSettingsForm(FileForm):
    """Retrospectives, and how long effects are traced."""

    severities: list[str] = Field(description="Of incidents that get one.", examples=[["critical", "major"]])
    trace_for: Duration = Field("30d", description="How long effects are traced.", examples=["30d"])
    figures: list[str] = Field(description="What is traced.", examples=[["csat", "complaint_rate"]])


class HandlingLevelForm(FileForm):
    """A level of handling."""

    level: int = Field(ge=1, le=9, description="The value of the label.", examples=[1])
    title: LocalizedWords = Field(description="What it is.", examples=["Simple contacts"])
    within: Duration | None = Field(None, description="In time means closed within.", examples=["15m"])
    objective: Share | None = Field(None, description="Share closed in time.", examples=["90%"])


class ClockForm(FileForm):
    """A clock of the monthly report."""

    id: Id = Field(description="Its name.", examples=["apology"])
    title: LocalizedWords = Field(description="For people.", examples=["Hour 1: apology"])
    playbook: Id = Field(description="Whose step it is.", examples=["four-hour-response"])
    step: str = Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$", description="stage/step.", examples=["apology/publish"])


class ValueForm(FileForm):
    """Inputs of saving and return on investment, for a month."""

    labour_cost_per_hour: Number | None = Field(None, ge=0, le=_MOST, description="Of an agent.", examples=[60])
    hours_saved_per_case: Number | None = Field(None, ge=0, le=1000, description="Of a case.", examples=[0.1])
    cases: Number | None = Field(None, ge=0, le=_MOST, description="That needed no agent.", examples=[12000])
    lifetime_value: Number | None = Field(None, ge=0, le=_MOST, description="Of a customer.", examples=[800])
    customers_kept: Number | None = Field(None, ge=0, le=_MOST, description="Who stayed for it.", examples=[25])
    investment: Number | None = Field(None, ge=0, le=_MOST, description="What it cost.", examples=[30000])


class ReviewsForm(FileForm):
    """The whole file."""

    timezone: TimeZone = Field(description="Of days, weeks and months.", examples=["Asia/Shanghai"])
    retrospective: RetrospectiveSettingsForm = Field(description="After an incident.", examples=["{trace_for: 30d}"])
    weekly: list[str] = Field(min_length=1, description="Figures of the weekly review.", examples=[["csat"]])
    aims: dict[str, Number] = Field(default_factory=dict, description="Targets.", examples=["{csat: 0.85}"])
    levels: list[HandlingLevelForm] = Field(min_length=1, description="Levels of handling.", examples=["[{level: 1}]"])
    clocks: list[ClockForm] = Field(description="Clocks of the monthly report.", examples=["[{id: apology}]"])
    improvements: Share = Field("80%", description="Aim: improvements.", examples=["80%"])
    situations: Share = Field("80%", description="Aim: situations covered.", examples=["80%"])
    value: ValueForm = Field(default_factory=ValueForm, description="Saving.", examples=["{investment: 30000}"])


def parse_reviews(text: str, file: str) -> ReviewPlan:
    """Parse the plan that `text` describes.

    Raises:
        BadFile: broken YAML, unknown keys, values that cannot be.
    """
    return _built(read_form(ReviewsForm, text, file, _wrong))


@lru_cache(maxsize=1)
def shipped_review_plan() -> ReviewPlan:
    """Return the shipped plan."""
    return parse_reviews(read_text(SHIPPED), str(SHIPPED))


def _wrong(form: ReviewsForm, found: YamlSource) -> Iterator[FileFinding]:
    seen: set[int] = set()
    for place, level in enumerate(form.levels):
        if level.level in seen:
            yield found.finding(("levels", place, "level"), f"level {level.level} is there twice", "one entry a level")
        seen.add(level.level)


def _built(form: ReviewsForm) -> ReviewPlan:
    after = form.retrospective
    return ReviewPlan(
        zone=form.timezone,
        serious=tuple(after.severities),
        clocks=tuple(ClockPlan(c.id, Text(c.title.en, c.title.zh or ""), c.playbook, c.step) for c in form.clocks),
        levels=tuple(
            LevelPlan(
                one.level, Text(one.title.en, one.title.zh or ""), parse_duration(one.within) if one.within else None,
                parse_share(one.objective) if one.objective else None,
            )
            for one in sorted(form.levels, key=lambda level: level.level)
        ),
        five=tuple(form.weekly),
        traced=tuple(after.figures),
        trace_for=parse_duration(after.trace_for),
        improvements=parse_share(form.improvements),
        situations=parse_share(form.situations),
        inputs=ValueInputs(**form.value.model_dump()),
        aims=dict(form.aims),
    )  # fmt: skip


class ReviewsFile(OptionalFile[ReviewPlan]):
    """The plan in force; without a file of the home the shipped one."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(path, lambda file: parse_reviews(read_text(file), str(file)), shipped_review_plan, clock=clock)
