"""The schema of rule files, of `metrics.yaml` and of `campaigns.yaml`: each key, its values, an example."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from domain.warning.metrics import MetricKind
from domain.warning.rule import EVERY_PROFILE, Aggregate, Tier
from domain.warning.rule_state import RulePhase
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords, TextForm, Words, value_error
from playbooks.rule_amounts import NotAnAmount, RuleAmount, parse_amount

CONDITIONS = ("above", "below", "change_above", "change_below", "change_either")
_ONE = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[-+]?(\d+(\.\d+)?|\.\d+|[0-9dhm]+) ?(%|ms|s|points?)?$"},
    ]
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[-+]\d\d:\d\d)")


def _amount(value: object) -> RuleAmount:
    try:
        return parse_amount(value)
    except NotAnAmount as error:
        reason, _, remedy = str(error).partition("; ")
        raise value_error(reason, remedy) from error


def _limits(value: object) -> object:
    """A threshold, or one for each level."""
    if isinstance(value, Mapping):
        unknown = [str(key) for key in value if key not in set(Tier)]
        if unknown or not value:
            raise value_error(f"no level {unknown[0]!r}" if unknown else "names no level", "{yellow: 50%, red: 100%}")
        return {Tier(key): _amount(one) for key, one in value.items()}
    if value is None or isinstance(value, list):
        raise value_error("is no threshold", "for example 30s, 85%, or {yellow: 50%, red: 100%}")
    return _amount(value)


def _moment(value: object) -> object:
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise value_error("is no moment with its offset", "for example 2026-11-10T20:00:00+08:00")
    return value


def _day(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise value_error("is no date", "for example 2026-10-01")
    return value


def _in_short(key: str, form: type[BaseModel]) -> BeforeValidator:
    """A text alone is the value of the form's first key."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=form.model_fields[key].annotation | form,
    )


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", value):
        raise value_error(
            f"{value[:60]!r} is no name of a label", "lower-case letters, digits and _, for example service"
        )
    return value


Number = Annotated[Any, BeforeValidator(_amount), WithJsonSchema(_ONE)]
Limits = Annotated[
    Any,
    BeforeValidator(_limits),
    WithJsonSchema(
        {
            "anyOf": [
                *_ONE["anyOf"],
                {
                    "type": "object",
                    "properties": {str(tier): _ONE for tier in Tier},
                    "additionalProperties": False,
                    "minProperties": 1,
                },
            ]
        }
    ),
]
Moment = Annotated[str, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[str, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Label = Annotated[str, AfterValidator(_label), Field(max_length=60)]
MetricId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
LabelValue = Annotated[Words, Field(max_length=200)]


class BaselineForm(FileForm):
    """The baseline of a change. `baseline: previous` is short for `{kind: previous}`."""

    kind: Literal["previous", "same-hours"] = Field(
        description="The window just before, or the median of the same hours of earlier weeks.", examples=["same-hours"]
    )
    offset: Duration | None = Field(
        None, description="previous: how much earlier the window lies. Default: one window.", examples=["1d"]
    )
    weeks: int = Field(4, ge=1, le=26, description="same-hours: how many weeks back.", examples=[4])
    min_weeks: int = Field(
        2, ge=1, le=26, description="same-hours: so many of them must have figures, else there is no baseline.",
        examples=[2],
    )  # fmt: skip
    zone: str = Field("UTC", max_length=60, description="same-hours: whose hours.", examples=["Asia/Shanghai"])


class StartsForm(FileForm):
    """What a firing rule starts. `starts: standby-agents` is short for `{playbook: standby-agents}`."""

    playbook: Id = Field(description="`tocsin playbook list` names them.", examples=["standby-agents"])
    as_: Literal["warning", "incident"] = Field(
        "warning", alias="as", description="On the warning itself, or on an incident that it declares.",
        examples=["incident"],
    )  # fmt: skip
    severity: Id | None = Field(None, description="Of the incident. Default: the playbook's.", examples=["critical"])


class SeriesForm(FileForm):
    """A series of figures of a trial, at a fixed interval."""

    values: str = Field(
        max_length=20_000,
        description="`3x10` ten times 3, `20+5x4` 20 25 30 35, `_x6` six gaps.",
        examples=["3x10 9x20"],
    )
    metric: MetricId | None = Field(None, description="Default: the rule's.", examples=["contacts"])
    labels: dict[Label, LabelValue] = Field({}, description="Labels of the samples.", examples=[{"service": "pay"}])
    every: Duration = Field("10s", description="The time from one sample to the next.", examples=["1m"])
    starts: str = Field(
        "0s",
        pattern=r"^-?[0-9A-Zwdhms]+$",
        max_length=30,
        description="When the first lies, from the start of the test; `-2h` is before it.",
        examples=["-2h"],
    )
    count: Number = Field(1, validate_default=True, description="Events that each sample stands for.", examples=[20])
    weeks: int = Field(
        0, ge=0, le=26, description="Not now, but in each of so many weeks before: a same-hours baseline.", examples=[4]
    )


class ExpectForm(FileForm):
    """The expected state of a rule at a moment of a trial."""

    at: Duration = Field(description="From the start of the test.", examples=["5m"])
    phase: Annotated[RulePhase, Field(strict=False)] = Field(
        description="ok, pending, firing, recovering or no_data.", examples=["firing"]
    )
    tier: Annotated[Tier, Field(strict=False)] | None = Field(None, description="yellow or red.", examples=["red"])
    labels: dict[Label, LabelValue] = Field(
        {}, description="With `by`: of which series.", examples=[{"service": "pay"}]
    )


class RuleTestForm(FileForm):
    """A trial that the rule file brings along."""

    name: Words = Field(min_length=1, max_length=200, description="What it shows, in a sentence.",
                        examples=["3 complaints against 2 mean nothing"])  # fmt: skip
    start: Moment = Field(
        "2026-03-02T10:00:00+00:00", description="When it begins. Default: a Monday morning.",
        examples=["2026-03-02T10:00:00+08:00"],
    )  # fmt: skip
    series: list[SeriesForm] = Field(
        min_length=1, max_length=50, description="The figures.", examples=['[{values: "3x10 9x20"}]']
    )
    holidays: list[Day] = Field([], description="Days that are no ordinary days.", examples=[["2026-03-02"]])
    expect: list[ExpectForm] = Field(
        [], max_length=100, description="How it must stand, and when.", examples=["[{at: 5m, phase: firing}]"]
    )
    never_fires: bool = Field(default=False, description="It must not fire at any moment of the test.", examples=[True])


class RuleForm(FileForm):
    """A warning rule."""

    id: Id = Field(description="Its name in commands and links.", examples=["slow-checkout"])
    title: LocalizedWords = Field(description="Its name for people.", examples=["Checkout is slow"])
    version: int = Field(1, ge=1, description="Counts up when the rule changes.", examples=[1])
    summary: LocalizedWords | None = Field(
        None, description="What it is for, in a sentence.", examples=["Customers wait."]
    )
    tier: Literal[0, 1, 2, 3] = Field(0, description="1, 2 or 3 of the tiered warning; 0: none of them.", examples=[1])
    owner: Id | None = Field(None, description="The role that it belongs to.", examples=["workforce-manager"])
    profile: Id = Field(
        EVERY_PROFILE, description="Evaluated only in this profile (standard, strict); every: in all.",
        examples=["strict"],
    )  # fmt: skip
    metric: MetricId = Field(description="Which figure.", examples=["response_time"])
    per: MetricId | None = Field(None, description="A share: the metric divided by this one.", examples=["contacts"])
    labels: dict[Label, LabelValue] = Field(
        {}, description="Only samples with these labels.", examples=[{"channel": "phone"}]
    )
    by: list[Label] = Field(
        [],
        max_length=10,
        description="Labels that tell its series apart: each is judged alone.",
        examples=[["service"]],
    )
    aggregate: Annotated[Aggregate, Field(strict=False)] | None = Field(
        None,
        description="How the samples of a window become one value. Default: the metric's usual one.",
        examples=["p95"],
    )
    at_least: Number | None = Field(
        None, description="aggregate share: values that count are at least this.", examples=[4]
    )
    window: Duration | None = Field(
        None, description="How much time it looks at. Required, except with consecutive_days.", examples=["10m"]
    )
    above: Limits | None = Field(None, description="Bad when the value is above.", examples=["30s"])
    below: Limits | None = Field(None, description="Bad when the value is below.", examples=["85%"])
    change_above: Limits | None = Field(
        None,
        description="Bad when it is up by so much, or more, on the baseline.",
        examples=["{yellow: 50%, red: 100%}"],
    )
    change_below: Limits | None = Field(
        None, description="Bad when it is down by so much, or more.", examples=["10 points"]
    )
    change_either: Limits | None = Field(None, description="Bad when it is up or down by so much.", examples=["30%"])
    level: Annotated[Tier, Field(strict=False)] | None = Field(
        None, description="The level of a single threshold. Default: yellow.", examples=["red"]
    )
    recover: Limits | None = Field(
        None,
        description="Good again only when no longer past this, on the good side. Default: the threshold.",
        examples=["25s"],
    )
    baseline: Annotated[BaselineForm, _in_short("kind", BaselineForm)] | None = Field(
        None, description="What a change is measured against.", examples=["same-hours"]
    )
    min_samples: Number = Field(
        0,
        validate_default=True,
        description="Events (also of the baseline) below which nothing is concluded.",
        examples=[20],
    )
    significance: Number | None = Field(
        None, description="How likely by chance it may be at most, for volumes that change and for shares.",
        examples=["5%"],
    )  # fmt: skip
    for_: Duration = Field("0s", alias="for", description="How long it must be bad before it fires.", examples=["2m"])
    keep_firing: Duration = Field(
        "0s", description="How long it must be good before the warning ends.", examples=["5m"]
    )
    no_data: Literal["keep", "warn", "resolve"] = Field(
        "keep",
        description="When figures stop: keep what fires, warn of it, or end it (a red never).",
        examples=["warn"],
    )
    no_data_after: Duration = Field(
        "5m", description="Without a sample for so long figures have stopped.", examples=["15m"]
    )
    consecutive_days: int = Field(
        0, ge=0, le=366, description="The daily value must be bad on so many calendar days in a row.", examples=[3]
    )
    zone: str = Field("UTC", max_length=60, description="Whose calendar days.", examples=["Asia/Shanghai"])
    quiet: Duration = Field(
        "0s", description="Firing again within so long after its end calls nobody anew.", examples=["30m"]
    )
    starts: Annotated[StartsForm, _in_short("playbook", StartsForm)] | None = Field(
        None, description="The playbook that it begins. None: it is shown on the board.", examples=["standby-agents"]
    )
    inhibits: list[Id] = Field(
        [], description="Rules that call nobody for the same labels while this one fires.",
        examples=[["tier-1-response-time"]],
    )  # fmt: skip
    tests: list[RuleTestForm] = Field(
        [], max_length=100, description="Tests that `tocsin rule test` runs.", examples=["[{name: ..., ...}]"]
    )


class MetricForm(FileForm):
    """A metric of the installation."""

    title: LocalizedWords = Field(description="Its name for people.", examples=["Parcels on the dock"])
    kind: Annotated[MetricKind, Field(strict=False)] = Field(
        description="duration (seconds), share (0 to 1), volume, score or gauge.", examples=["gauge"]
    )
    better: Literal["up", "down"] = Field(description="Which way is better.", examples=["down"])
    aggregate: Annotated[Aggregate, Field(strict=False)] | None = Field(
        None, description="The usual aggregate. Default: sum of a volume, last of a gauge, else the mean.",
        examples=["mean"],
    )  # fmt: skip
    unit: Words = Field("", max_length=40, description="Its unit for people.", examples=["parcels"])
    most: Number | None = Field(None, description="The largest value that makes sense.", examples=[100])
    at_least: Number | None = Field(None, description="aggregate share: values that count.", examples=[4])


class MetricsForm(FileForm):
    """The installation's own metrics and labels."""

    metrics: dict[MetricId, MetricForm] = Field({}, description="Figures by id.", examples=["{dock: {...}}"])
    labels: list[Label] = Field([], max_length=200, description="Labels that samples carry.", examples=[["vip"]])


class OverrideForm(FileForm):
    """A campaign's changes to a rule."""

    threshold: Limits | None = Field(None, description="Instead of the rule's, as written there.", examples=["60s"])
    recover: Limits | None = Field(
        None, description="Instead of the rule's; with a new threshold, that one if it is left out.", examples=["50s"]
    )
    min_samples: Number | None = Field(None, description="Instead of the rule's.", examples=[100])
    for_: Duration | None = Field(None, alias="for", description="Instead of the rule's.", examples=["5m"])


class CampaignForm(FileForm):
    """A campaign: a time with its own thresholds."""

    id: Id = Field(description="Its name.", examples=["double-eleven"])
    title: LocalizedWords = Field(description="Its name for people.", examples=["Double Eleven"])
    start: Moment = Field(description="Its first moment, with the offset.", examples=["2026-11-10T20:00:00+08:00"])
    end: Moment = Field(description="The first moment after it.", examples=["2026-11-12T00:00:00+08:00"])
    task_group: Id | None = Field(
        None, description="The role of the special task group that is told beside the owner.", examples=["task-group"]
    )
    lock_drills: bool = Field(default=True, description="No load drill while it runs.", examples=[True])
    rules: dict[Id, OverrideForm] = Field(
        {}, description="What it changes, by rule.", examples=["{tier-1-response-time: {threshold: 60s}}"]
    )


class CalendarForm(FileForm):
    """Campaigns and holidays."""

    campaigns: list[CampaignForm] = Field([], max_length=200, description="Campaigns.", examples=["[{id: ..., ...}]"])
    holidays: list[Day] = Field([], max_length=1000, description="Days that are no ordinary days.",
                                examples=[["2026-10-01"]])  # fmt: skip


FORMS: tuple[type[BaseModel], ...] = (
    RuleForm, BaselineForm, StartsForm, RuleTestForm, SeriesForm, ExpectForm, MetricsForm, MetricForm, CalendarForm,
    CampaignForm, OverrideForm, TextForm,
)  # fmt: skip
