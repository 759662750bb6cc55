"""The follow-up file, followup.yaml. A broken file changes nothing; without one the shipped values hold."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from domain.customers.care import Care, CareCombination, Thresholds, uncovered_answers
from domain.customers.contact_hours import ContactQuietHours, parse_minute_of_day
from domain.customers.import_row import MINOR
from domain.customers.plan import FollowUpPlan
from domain.durations import parse_duration
from domain.text import Text
from playbooks.errors import FileFinding
from playbooks.field_types import Duration, FileForm, LocalizedWords, TimeZone, clock_time
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SAMPLES = Path(__file__).resolve().parent / "sample"
SHIPPED = SAMPLES / "followup.yaml"
FOLLOW_UP_PLAYBOOK = "customer-follow-up"  # the playbook by which people take part
SHORTEST_BATCH = timedelta(seconds=1)


class QuestionsForm(FileForm):
    """The thresholds of the three questions."""

    poor_service: int = Field(1, ge=1, le=9_999, description="Times within 30 days.", examples=[1])
    order_over: float = Field(500, ge=0, le=10**9, description="A core interest is harmed.", examples=[500])


class CombinationForm(FileForm):
    """What is given where these answers hold."""

    poor_history: bool | None = Field(None, description="A history of poor service.", examples=[True])
    harmed: bool | None = Field(None, description="A core interest harmed.", examples=[True])
    compensated: bool | None = Field(None, description="Compensated already.", examples=[False])
    give: list[Literal["compensation", "upgraded-service", "named-person"]] = Field(
        description="What is given.", examples=[["compensation"]]
    )


ClockTime = Annotated[str, clock_time("21:00")]


class QuietForm(FileForm):
    """The quiet hours of a customer's day."""

    from_: ClockTime = Field(alias="from", description="When they begin.", examples=["21:00"])
    to: ClockTime = Field(description="When they end.", examples=["09:00"])


class SurveyChannelForm(FileForm):
    """A channel to customers."""

    tag: str = Field(min_length=1, max_length=60, description="Of the channel file.", examples=["survey-mail"])
    placeholder: str = Field(
        min_length=3, max_length=100, description="What the contact replaces.", examples=["customer@recipient.invalid"]
    )


class SurveyForm(FileForm):
    """How and when customers are asked."""

    timezone: TimeZone = Field(description="Of customers without one.", examples=["Asia/Shanghai"])
    quiet: QuietForm = Field(description="Nobody is written to.", examples=[{"from": "21:00", "to": "09:00"}])
    every: Duration = Field("1m", description="How often a batch goes.", examples=["1m"])
    per_batch: int = Field(120, ge=1, le=10_000, description="Messages of a channel in a batch.", examples=[120])
    remind_after: Duration = Field("24h", description="One reminder.", examples=["24h"])
    collect_after: Duration = Field("72h", description="The result.", examples=["72h"])
    link_life: Duration = Field("7d", description="How long a link is good.", examples=["7d"])
    channels: dict[Literal["mail", "phone"], SurveyChannelForm] = Field(
        description="Channels by contact, first choice first.", examples=["{mail: {tag: survey-mail, ...}}"]
    )
    drill: str = Field("survey-sandbox", max_length=60, description="A drill's channel.", examples=["survey-sandbox"])


class CallbacksForm(FileForm):
    """Which customers a person calls."""

    unhappy_at_most: int = Field(2, ge=0, le=5, description="Of 5.", examples=[2])
    order_over: float = Field(2000, ge=0, le=10**9, description="High value.", examples=[2000])


class ContactsForm(FileForm):
    """How contacts are kept."""

    erase_after: Duration = Field("30d", description="After the close.", examples=["30d"])
    key_env: str = Field(
        "", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", description="Variable with the key.", examples=["CONTACTS_KEY"]
    )


class TextsForm(FileForm):
    """What customers read."""

    title: LocalizedWords = Field(description="Of the survey.", examples=["How did we do?"])
    body: LocalizedWords = Field(description="With {link}.", examples=["Please tell us: {link}"])
    reminder_title: LocalizedWords = Field(description="Of the reminder.", examples=["A reminder"])
    reminder_body: LocalizedWords = Field(description="With {link}.", examples=["Please tell us: {link}"])


class FollowUpForm(FileForm):
    """The whole file."""

    questions: QuestionsForm = Field(description="The three questions.", examples=["{order_over: 500}"])
    combinations: list[CombinationForm] = Field(
        min_length=1, description="The first that fits.", examples=["[{give: [compensation]}]"]
    )
    survey: SurveyForm = Field(description="How they are asked.", examples=["{every: 1m}"])
    callbacks: CallbacksForm = Field(description="Whom a person calls.", examples=["{order_over: 2000}"])
    second_complaints: str = Field("3%", pattern=r"^\d{1,2}(\.\d)?%$", description="The aim.", examples=["3%"])
    contacts: ContactsForm = Field(description="How contacts are kept.", examples=["{erase_after: 30d}"])
    texts: TextsForm = Field(description="What customers read.", examples=["{title: How did we do?}"])


def parse_followup(text: str, file: str) -> FollowUpPlan:
    """Parse the plan that `text` describes.

    Raises:
        BadFile: broken YAML, unknown keys, values that cannot be.
    """
    return _built(read_form(FollowUpForm, text, file, _wrong))


@lru_cache(maxsize=1)
def shipped_followup_plan() -> FollowUpPlan:
    """Return the shipped plan."""
    return parse_followup(read_text(SHIPPED), str(SHIPPED))


def _wrong(form: FollowUpForm, found: YamlSource) -> Iterator[FileFinding]:
    yield from _wrong_times(form, found)
    if not form.survey.channels:
        yield found.finding(("survey", "channels"), "names no channel", "mail: {tag: survey-mail, placeholder: ...}")
    for name in ("body", "reminder_body"):
        words = getattr(form.texts, name)
        for language, said in (("en", words.en), ("zh", words.zh)):
            if said and "{link}" not in said:
                yield found.finding(("texts", name, language), "has no {link}", "say where the survey is: {link}")
    holes = uncovered_answers(_combinations(form))
    if holes:
        yield found.finding(
            ("combinations",), f"says nothing of some customers ({len(holes)} of 8)", "end with {give: [compensation]}"
        )


def _wrong_times(form: FollowUpForm, found: YamlSource) -> Iterator[FileFinding]:
    survey = form.survey
    if parse_duration(survey.every) < SHORTEST_BATCH:
        yield found.finding(("survey", "every"), "is no time", "every: 1m")
    if not parse_duration(survey.remind_after) < parse_duration(survey.collect_after):
        yield found.finding(("survey", "remind_after"), "is not before the result is collected", "remind_after: 24h")
    if parse_duration(form.contacts.erase_after) < parse_duration(survey.collect_after):
        yield found.finding(("contacts", "erase_after"), "is before the result is collected", "erase_after: 30d")


def _combinations(form: FollowUpForm) -> tuple[CareCombination, ...]:
    return tuple(
        CareCombination(tuple(Care(care) for care in one.give), one.poor_history, one.harmed, one.compensated)
        for one in form.combinations
    )


def _built(form: FollowUpForm) -> FollowUpPlan:
    survey = form.survey
    texts = {name: Text(words.en, words.zh) for name, words in form.texts}
    return FollowUpPlan(
        thresholds=Thresholds(form.questions.poor_service, round(form.questions.order_over * MINOR)),
        combinations=_combinations(form),
        zone=survey.timezone,
        channels={way: one.tag for way, one in survey.channels.items()},
        placeholder={way: one.placeholder for way, one in survey.channels.items()},
        drill=survey.drill,
        every=parse_duration(survey.every),
        per_batch=survey.per_batch,
        quiet=ContactQuietHours(parse_minute_of_day(survey.quiet.from_), parse_minute_of_day(survey.quiet.to)),
        remind_after=parse_duration(survey.remind_after),
        collect_after=parse_duration(survey.collect_after),
        link_life=parse_duration(survey.link_life),
        unhappy_at_most=form.callbacks.unhappy_at_most,
        high_value=round(form.callbacks.order_over * MINOR),
        second_aim=float(form.second_complaints.rstrip("%")) / 100,
        erase_after=parse_duration(form.contacts.erase_after),
        key_env=form.contacts.key_env,
        texts=texts,
    )


class FollowUpFile(OptionalFile[FollowUpPlan]):
    """The plan in force; without a file of the home the shipped one."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(
            path, lambda file: parse_followup(read_text(file), str(file)), shipped_followup_plan, clock=clock
        )
