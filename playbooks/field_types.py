"""Types of fields that several files have: words, names, durations, time zones, times of day, shares."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.customers.contact_hours import parse_minute_of_day
from domain.durations import parse_duration
from domain.wall_clock import is_time_zone
from playbooks.errors import quote_value

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DURATION_PATTERN = (
    r"^(?!$)(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?$"
    r"|^P(?=[0-9T])(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?$"
)


class FileForm(BaseModel):
    """Base of all forms: a mapping of the file with no unknown key and no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


def value_error(reason: str, remedy: str) -> PydanticCustomError:
    """Make a validation error that says what would be right."""
    return PydanticCustomError("tocsin", "{reason}", {"reason": reason, "remedy": remedy})


def _span(value: object) -> object:
    if not isinstance(value, str):
        if isinstance(value, int) and not isinstance(value, bool):
            raise value_error(f"{value} has no unit", f"write {value}m for minutes or {value}h for hours")
        return value
    try:
        parse_duration(value)
    except ValueError as error:
        reason, _, remedy = str(error).partition("; ")
        if quote_value(value) not in reason:  # a long value is shown short
            reason = f"{quote_value(value)} is not a duration"
        raise value_error(reason, remedy) from error
    return value


def _words(value: str) -> str:
    if _CONTROL.search(value):
        raise value_error("has a control character", "remove it; line breaks are welcome")
    return value


def _in_english(value: object) -> object:
    return {"en": value} if isinstance(value, str) else value


def _time_zone(value: str) -> str:
    if not is_time_zone(value):
        raise value_error(f"no time zone {quote_value(value)}", "for example Asia/Shanghai")
    return value


def _share(value: str) -> str:
    if parse_share(value) > 1:
        raise value_error("is more than all", "write a share up to 100%")
    return value


def parse_share(text: str) -> float:
    """Parse a share that is written as `Share` is: `85%` is 0.85."""
    return float(text.rstrip("%")) / 100


def clock_time(example: str) -> AfterValidator:
    """Make the check of a time of day such as `21:00`; the remedy of a wrong one is `example`."""

    def check(value: str) -> str:
        try:
            parse_minute_of_day(value)
        except ValueError:
            raise value_error(f"{quote_value(value)} is no time of day", f'write "{example}"') from None
        return value

    return AfterValidator(check)


Words = Annotated[str, AfterValidator(_words), Field(max_length=20_000)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Share = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d+)?%$", max_length=20), AfterValidator(_share)]
Duration = Annotated[
    str,
    BeforeValidator(_span),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["20m", "1h30m", "PT20M"]}),
]


class TextForm(FileForm):
    """Words for people: a text in English, or both languages."""

    en: Words = Field(min_length=1, description="The English words.", examples=["Draft the apology"])
    zh: Words = Field("", description="The same in Simplified Chinese.", examples=["起草致歉声明"])


LocalizedWords = Annotated[
    TextForm,
    BeforeValidator(_in_english),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"en": {"type": "string", "minLength": 1}, "zh": {"type": "string"}},
                    "required": ["en"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
