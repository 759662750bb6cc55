"""Request models of the API, one for each command; unknown fields are refused."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

import pendulum
from pendulum import DateTime
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from domain.incident import Impact

MOST = 10**15
_KEPT = "\n\t"
_EXAMPLE = "2026-11-22T03:05:00+08:00"


def _words(value: object) -> object:
    """Text as people write it: no control characters in what others will read, approve and publish."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n")
    return "".join(c for c in text if c in _KEPT or not (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0))  # noqa: PLR2004


def _moment(value: object) -> object:
    if value is None or isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be a time in ISO 8601, for example {_EXAMPLE}")  # noqa: TRY004 - Pydantic's way
    try:
        when = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(f"{value[:40]!r} is no time in ISO 8601: write for example {_EXAMPLE}") from None
    if when.tzinfo is None:
        raise ValueError(f"{value[:40]!r} has no time zone: write for example {value[:40]}+08:00")
    try:
        return pendulum.instance(when).in_timezone("UTC")
    except (OverflowError, ValueError):
        raise ValueError(f"{value[:40]!r} is no time that can be: an incident began in the last days") from None


CleanText = Annotated[str, BeforeValidator(_words)]
Moment = Annotated[DateTime | None, BeforeValidator(_moment), Field(json_schema_extra={"format": "date-time"})]
QueryMoment = Annotated[datetime | None, BeforeValidator(_moment)]  # the same in a query: FastAPI knows no DateTime
Count = Annotated[int, Field(ge=0, le=MOST)]


class CommandForm(BaseModel):
    """Base of every command's request."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    id: str = Field(
        default_factory=lambda: str(uuid.uuid4()),
        min_length=1,
        max_length=64,
        pattern=r"^[\x21-\x7e]+$",
        description="Made by the caller: the same id again changes nothing and gets the same answer.",
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_characters(cls, document: Any) -> Any:
        # JSON can spell half of a surrogate pair, which no database keeps and nobody can read.
        try:
            json.dumps(document, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError:
            raise ValueError("a text holds half a character: send whole UTF-8") from None
        return document


class ImpactForm(BaseModel):
    """Impact: counts, money in the roster's currency, the brand from 0 to 3 (severe)."""

    model_config = ConfigDict(extra="forbid")

    customers: Count = 0
    orders: Count = 0
    money: Count = 0
    brand: Annotated[int, Field(ge=0, le=3)] = 0

    def impact(self) -> Impact:
        """Impact as the domain's value."""
        return Impact(self.customers, self.orders, self.money, self.brand)


class DeclareForm(CommandForm):
    """Declaration of an incident."""

    title: CleanText = Field(examples=["Checkout is down"], description="What happened, in at most 200 characters.")
    playbook: str = Field("four-hour-response", max_length=200)
    since: Moment = Field(None, description="When it began, with time zone; the clock starts then.")
    severity: CleanText = ""
    origin: CleanText = Field("", description="Where it came from, for example public-opinion.")
    service: CleanText = ""
    kind: CleanText = Field("", description="What kind of problem, for example outage.")
    impact: ImpactForm = Field(default_factory=ImpactForm)
    drill: bool = False
    pace: dict[str, float] = Field({}, description="Only for a drill: how many times real time each clock runs.")


class StepCommandForm(CommandForm):
    """Base of a command about one step."""

    step: str = Field(min_length=1, max_length=200, examples=["apology/draft"])
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


class DoneForm(StepCommandForm):
    """Completion of a step."""

    evidence: CleanText = ""
    channel: str = Field("", max_length=100, description="Of a publish step: where it was posted by hand.")
    choice: Literal["", "yes", "no"] = Field("", description="Of a decision: what was decided.")


class DraftForm(CommandForm):
    """Text handed in for a step."""

    step: str = Field(min_length=1, max_length=200, examples=["apology/draft"])
    texts: dict[str, CleanText] = Field(examples=[{"en": "We are sorry.", "zh_CN": "我们深表歉意。"}])
    amount: Count | None = None


class ApproveForm(CommandForm):
    """Approval of exactly the text with this hash."""

    step: str = Field(min_length=1, max_length=200, examples=["apology/approve"])
    digest: str = Field(min_length=1, max_length=64)


class RejectForm(CommandForm):
    """Rejection of a text: it goes back to its author."""

    step: str = Field(min_length=1, max_length=200, examples=["apology/approve"])
    reason: CleanText


class RetryForm(CommandForm):
    """Another attempt to publish on one channel."""

    step: str = Field(min_length=1, max_length=200, examples=["apology/publish"])
    channel: str = Field(min_length=1, max_length=100)


class ReassignForm(StepCommandForm):
    """Reassignment of a step to another person."""

    to: str = Field(min_length=1, max_length=100, examples=["dora"])


class BeginForm(CommandForm):
    """Start of a stage on demand."""

    stage: str = Field(min_length=1, max_length=200, examples=["correction"])
    reason: CleanText = ""


class NoteForm(CommandForm):
    """Note for the timeline."""

    text: CleanText
    corrects: int = Field(0, ge=0, le=MOST, description="The number of an entry of the timeline that was not so.")
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


class SetImpactForm(CommandForm):
    """Impact as known now."""

    impact: ImpactForm


class ReasonForm(CommandForm):
    """State change of the whole incident, with its reason."""

    reason: CleanText = ""


class MergeForm(CommandForm):
    """Merge of an incident that was declared twice."""

    into: str = Field(min_length=1, max_length=64, examples=["INC-41"], description="The incident that goes on.")


class AttachForm(CommandForm):
    """Another playbook to run for the incident."""

    playbook: str = Field(min_length=1, max_length=200, examples=["public-opinion"])
    since: Moment = None
