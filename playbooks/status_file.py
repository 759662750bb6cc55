"""The status file, status.yaml: what the public status page shows. Without one the shipped file holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from domain.durations import parse_duration
from domain.service_status import PublicService, StatusPlan
from domain.text import Text
from playbooks.errors import FileFinding, quote_value
from playbooks.field_types import Duration, FileForm, Id, LocalizedWords
from playbooks.validation_messages import read_form
from playbooks.watched_file import Clock, OptionalFile
from playbooks.yaml_source import YamlSource, read_text

SHIPPED = Path(__file__).resolve().parent / "sample" / "status.yaml"


class ServiceForm(FileForm):
    """A service as the public knows it."""

    id: Id = Field(description="Its name.", examples=["payment"])
    title: LocalizedWords = Field(description="For the public.", examples=["Payment"])
    covers: list[str] = Field(
        min_length=1, description="What incidents call it; `*` is every incident.", examples=[["payment", "checkout"]]
    )


class MailForm(FileForm):
    """How mails reach subscribers."""

    tag: str = Field(
        "status-mail", min_length=1, max_length=60, description="Of the channel file.", examples=["status-mail"]
    )
    placeholder: str = Field(
        "customer@recipient.invalid", min_length=3, max_length=100, description="What the address replaces.",
        examples=["customer@recipient.invalid"],
    )  # fmt: skip


class StatusForm(FileForm):
    """The whole file."""

    title: LocalizedWords = Field(description="Of the page.", examples=["Service status"])
    services: list[ServiceForm] = Field(description="In the order of the page.", examples=["[{id: payment}]"])
    outage: list[str] = Field(["critical"], description="Severities that are an outage.", examples=[["critical"]])
    shown_for: Duration = Field("14d", description="How long statements stay on the page.", examples=["14d"])
    mail: MailForm = Field(default_factory=MailForm, description="Subscriptions.", examples=["{tag: status-mail}"])


def parse_status(text: str, file: str) -> StatusPlan:
    """Parse the plan that `text` describes.

    Raises:
        BadFile: broken YAML, unknown keys, values that cannot be.
    """
    form = read_form(StatusForm, text, file, _wrong)
    return StatusPlan(
        title=_text(form.title),
        services=tuple(
            PublicService(one.id, _text(one.title), tuple(name.strip().lower() for name in one.covers))
            for one in form.services
        ),
        outage=frozenset(form.outage),
        shown_for=parse_duration(form.shown_for),
        tag=form.mail.tag,
        placeholder=form.mail.placeholder,
    )


def _text(words: LocalizedWords) -> Text:
    return Text(words.en, words.zh or "")


@lru_cache(maxsize=1)
def shipped_status_plan() -> StatusPlan:
    """Return the shipped plan."""
    return parse_status(read_text(SHIPPED), str(SHIPPED))


def _wrong(form: StatusForm, found: YamlSource) -> Iterator[FileFinding]:
    seen: set[str] = set()
    for place, one in enumerate(form.services):
        if one.id in seen:
            yield found.finding(
                ("services", place, "id"), f"service {quote_value(one.id)} is there twice", "one entry each"
            )
        seen.add(one.id)


class StatusFile(OptionalFile[StatusPlan]):
    """The plan in force; without a file of the home the shipped one."""

    def __init__(self, path: Path, *, clock: Clock = time.monotonic) -> None:
        super().__init__(path, lambda file: parse_status(read_text(file), str(file)), shipped_status_plan, clock=clock)
