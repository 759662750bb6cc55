"""The schema of playbook and roster files: what each key means, which values it takes, an example of each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from domain.playbook import Clock, StepKind
from domain.playbook_checks import WHEN_FIELDS
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords, TextForm, Words

Condition = Annotated[str, Field(min_length=1, max_length=60)]


class StepForm(FileForm):
    """One step of a stage."""

    id: Id = Field(description="Its name within the stage.", examples=["draft"])
    kind: Annotated[StepKind, Field(strict=False)] = Field(
        description="act, tell, draft, approve, publish, meet, run or survey.", examples=["act"]
    )
    title: LocalizedWords = Field(description="What is to be done, in a few words.", examples=["Draft the apology"])
    owner: Id = Field(description="The role that does it.", examples=["pr-lead"])
    instruction: LocalizedWords | None = Field(
        None, description="How it is done well.", examples=["Say what happened and what you are doing."]
    )
    backup: Id | None = Field(
        None,
        description="The role whose holder is called next; without it, the backup of the owner's role.",
        examples=["media-contact"],
    )
    needs: list[str] = Field(
        [],
        description="Steps that must be done first: `step` of this stage, or `stage/step`.",
        examples=[["draft"]],
    )
    opens: Duration | None = Field(
        None,
        description="When it may begin, on the stage's clock. Default: the stage's start.",
        examples=["30m"],
    )
    due: Duration | None = Field(
        None, description="Its deadline, on the stage's clock. Default: the stage's end.", examples=["20m"]
    )
    ack_within: Duration | None = Field(
        None,
        description="Not acknowledged for so long: the backup is called, then the commander.",
        examples=["5m"],
    )
    remind: Duration | None = Field(
        None, description="Open for so long: a reminder, again and again.", examples=["15m"]
    )
    evidence: bool = Field(default=False, description="Done needs a word or a link that proves it.", examples=[True])
    when: dict[Literal[WHEN_FIELDS], list[Condition]] = Field(  # type: ignore[valid-type]
        {},
        description="Only for incidents whose field has one of these values.",
        examples=[{"origin": ["public-opinion"]}],
    )
    of: str | None = Field(
        None, description="approve, publish: the draft step whose text is meant.", examples=["draft"]
    )
    channels: list[Id] = Field(
        [], description="publish: the official channels. None named: all of them.", examples=[["weibo"]]
    )
    tell: list[Id] = Field([], description="Roles that get word when it opens.", examples=[["finance-lead"]])
    self_approval: bool = Field(
        default=False, description="approve: the author of the text may approve it.", examples=[True]
    )
    over_limit: Id | None = Field(
        None,
        description="approve: who approves what is above the owner's money limit.",
        examples=["executive"],
    )
    brief: bool = Field(
        default=False, description="tell: the executive's paragraph, written from the facts.", examples=[True]
    )
    withdraws: bool = Field(
        default=False, description="publish: what it posts withdraws what stood before.", examples=[True]
    )
    template: LocalizedWords | None = Field(
        None, description="draft: a text to begin with.", examples=["We apologise for [what happened]."]
    )
    promises: bool = Field(
        default=False,
        description="draft: the text promises measures; published a day and none on record, the commander is called.",
        examples=[True],
    )
    attaches: Id | None = Field(
        None,
        description="act: a decision, yes or no; on a yes this playbook begins, its clock as from the declaration.",
        examples=["four-hour-response"],
    )


class StageForm(FileForm):
    """A window on a clock, and its steps."""

    id: Id = Field(description="Its name within the playbook.", examples=["apology"])
    title: LocalizedWords = Field(description="What the window is for.", examples=["Apology within the first hour"])
    clock: Clock = Field(
        "declared",
        alias="from",
        description="What starts its clock: declared, mitigated or closed.",
        examples=["declared"],
    )
    starts: Duration = Field("0s", description="When the window opens on that clock.", examples=["0m"])
    ends: Duration = Field(description="When it ends: the deadline of every step without one.", examples=["1h"])
    repeat: Duration | None = Field(
        None,
        description="Lay its steps out anew so often; their times then count from the start of the round.",
        examples=["60m"],
    )
    on_demand: bool = Field(default=False, description="Begun by a person, and its clock then.", examples=[True])
    steps: list[StepForm] = Field(
        description="Its steps, in the order of the page.",
        max_length=100,
        examples=["[{id: draft, kind: draft, ...}]"],
    )


class NeverSilentForm(FileForm):
    """The watch on public updates."""

    within: Duration = Field(description="Nothing public for so long: `first` is reminded.", examples=["60m"])
    then: Duration = Field(description="So much later: `after` is told.", examples=["15m"])
    first: Id = Field("incident-commander", description="Who is reminded.", examples=["incident-commander"])
    after: Id = Field("executive", description="Who is told when that did not help.", examples=["executive"])


class PlaybookForm(FileForm):
    """A procedure."""

    id: Id = Field(description="Its name in commands and links.", examples=["four-hour-response"])
    title: LocalizedWords = Field(description="Its name for people.", examples=["Four-hour public response"])
    version: int = Field(1, ge=1, description="Counts up when the procedure changes.", examples=[1])
    summary: LocalizedWords | None = Field(
        None, description="What it is for, in a sentence.", examples=["Apology in an hour."]
    )
    flow: str = Field(
        "respond_publicly",
        pattern=r"^[a-z][a-z0-9_]*$",
        max_length=60,
        description="The Prefect flow that drives it, by the name of its file.",
        examples=["respond_publicly"],
    )
    severity: Id = Field("critical", description="The severity an incident gets by it.", examples=["critical"])
    commander: Id = Field(
        "incident-commander",
        description="Who is called after owner and backup.",
        examples=["incident-commander"],
    )
    last_resort: Id = Field("last-resort", description="Who is called last.", examples=["last-resort"])
    objective: Duration | None = Field(
        None, description="Service is to be back in so long (RTO), from the declaration.", examples=["15m"]
    )
    never_silent: NeverSilentForm | None = Field(
        None, description="The watchdog over public silence.", examples=["{within: 60m, then: 15m}"]
    )
    holding_script: LocalizedWords | None = Field(
        None,
        description="What agents say until there is a statement.",
        examples=["We are sorry. We know of it."],
    )
    ends_with_warning: bool = Field(
        default=False,
        description="When the warning that started it is over before anyone took a step, nothing is left to do.",
        examples=[True],
    )
    stages: list[StageForm] = Field(
        min_length=1, max_length=50, description="Its windows.", examples=["[{id: apology, ends: 1h, ...}]"]
    )


class PersonForm(FileForm):
    """A person who can be called."""

    name: Words = Field(min_length=1, max_length=100, description="How they are written.", examples=["Alice Zhang"])
    channels: list[Annotated[str, Field(min_length=1, max_length=60)]] = Field(
        description="Tags of channels.yaml, first choice first.", examples=[["alice"]]
    )
    language: Literal["en", "zh_CN"] = Field("en", description="en or zh_CN.", examples=["zh_CN"])
    timezone: str = Field("UTC", max_length=60, description="In which they read times.", examples=["Asia/Shanghai"])
    approval_limit: int | None = Field(
        None, ge=0, description="Money they may approve, in the roster's currency.", examples=[50_000]
    )
    mail: str = Field("", max_length=200, description="By which calendars name them.", examples=["alice@example.org"])
    quiet: str | None = Field(
        None, max_length=20, description="Hours in which only pages reach them.", examples=["22:00-07:00"]
    )
    test_messages: bool = Field(
        default=True, description="Whether the chain check may send to them; else it stops short of that.",
        examples=[False],
    )  # fmt: skip


class RoleForm(FileForm):
    """A duty with its holder and backup."""

    title: Words = Field(min_length=1, max_length=100, description="Its name for people.", examples=["PR lead"])
    primary: Id = Field(description="The person on duty.", examples=["alice"])
    backup: Id | None = Field(None, description="The person called next.", examples=["bob"])
    calendar: str = Field(
        "", max_length=2000, description="Its shifts: an .ics file, or an https address.", examples=["pr-lead.ics"]
    )


class PublicChannelForm(FileForm):
    """An official channel."""

    channel: str = Field(
        min_length=1, max_length=60, description="Its tag in channels.yaml.", examples=["official-weibo"]
    )
    language: Literal["en", "zh_CN"] = Field("en", description="The language of its readers.", examples=["zh_CN"])
    limit: int | None = Field(None, ge=1, description="Characters that it takes.", examples=[140])
    sandbox: bool = Field(
        default=False,
        description="Nobody outside reads it: the only kind a drill may post on.",
        examples=[True],
    )


class RosterForm(FileForm):
    """The roster: people, roles, official channels."""

    currency: str = Field(
        "CNY", pattern=r"^[A-Z]{3}$", description="Of every money limit, as in ISO 4217.", examples=["CNY"]
    )
    compensation_budget: int | None = Field(
        None, ge=0, description="What may be promised in compensation in a calendar month.", examples=[500000]
    )
    people: dict[Id, PersonForm] = Field(min_length=1, description="Persons by id.", examples=["{alice: {...}}"])
    roles: dict[Id, RoleForm] = Field(min_length=1, description="Roles by id.", examples=["{pr-lead: {...}}"])
    public_channels: dict[Id, PublicChannelForm] = Field(
        {}, description="Official channels by id.", examples=["{weibo: {...}}"]
    )


FORMS: tuple[type[BaseModel], ...] = (
    PlaybookForm,
    NeverSilentForm,
    StageForm,
    StepForm,
    TextForm,
    RosterForm,
    PersonForm,
    RoleForm,
    PublicChannelForm,
)


def example_of(form: Any, key: str) -> str:
    """Return how a key is written, for a remedy: `due: 20m`."""
    field = next((info for name, info in form.model_fields.items() if key in (name, info.alias)), None)
    if field is None or not field.examples:
        return key
    return f"{key}: {_flow_style(field.examples[0])}"


def _flow_style(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_flow_style, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow_style(item)}" for key, item in value.items()) + "}"
    return str(value)
