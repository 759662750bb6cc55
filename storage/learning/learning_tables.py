"""Tables of learning: documents, suggestions, recurrences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from storage.columns import json_field, text_field, time_field


class DocumentRow(SQLModel, table=True):
    """A document as it was last made: a report, a retrospective, a proposal, an agenda."""

    __tablename__ = "document"
    __table_args__ = (Index("document_kind", "kind", "made_at"),)
    id: str = Field(primary_key=True, max_length=160)
    kind: str = Field(max_length=40)
    about: str = Field(default="", index=True, max_length=32)
    title: dict[str, str] = json_field()
    made_at: datetime = time_field(nullable=False)
    from_at: datetime | None = time_field()
    to_at: datetime | None = time_field()
    version: int = 1
    pages: dict[str, str] = json_field()
    texts: dict[str, str] = json_field()
    data: dict[str, Any] = json_field()


class SuggestionRow(SQLModel, table=True):
    """A group of suggestions in the same or nearly the same words."""

    __tablename__ = "suggestion"
    __table_args__ = (
        Index("suggestion_open", "scope", "answered_at"),
        Index("suggestion_tracker", "tracker", "tracker_next_at"),
        {"sqlite_autoincrement": True},
    )
    number: int | None = Field(default=None, primary_key=True)  # SUG-3
    scope: str = Field(default="", max_length=64)  # empty: real customers; else the id of the drill they belong to
    wording: str = text_field()  # an example, without anybody's address or number; empty once its customer is forgotten
    example: str = Field(default="", max_length=32)  # whose words the example is, by our id
    plain: str = text_field()  # the same as it is compared
    language: str = "en"
    voices: int = 0
    first_at: datetime = time_field(nullable=False)
    last_at: datetime = time_field(nullable=False)
    agenda: str = Field(default="", max_length=160)  # the newest agenda that it stood on
    answer: str = text_field()
    answered_at: datetime | None = time_field()
    answered_by: str = ""
    action: str = Field(default="", max_length=64)  # the matter that the answer opened
    tracker: str = ""  # owed | sent | refused; empty: no tracker was asked
    tracker_attempts: int = 0
    tracker_next_at: datetime | None = time_field()
    tracker_receipt: str = ""
    tracker_detail: str = ""


class SuggestionVoiceRow(SQLModel, table=True):
    """One customer's suggestion, and the group that it belongs to. Their words stay with the customer."""

    __tablename__ = "suggestion_voice"
    customer_id: str = Field(primary_key=True, max_length=32)
    suggestion: int = Field(index=True)
    incident_id: str = Field(max_length=64)
    at: datetime = time_field(nullable=False)


class RecurrenceRow(SQLModel, table=True):
    """A kind of problem that recurred so often that it became a warning and a proposal."""

    __tablename__ = "recurrence"
    id: str = Field(primary_key=True, max_length=64)  # of its warning
    kind: str = Field(max_length=60)
    source: str  # incident | tickets
    title: dict[str, str] = json_field()
    service: str = ""
    document: str = Field(default="", max_length=160)
    digest: str = ""  # of the evidence that the proposal was last written from
    first_at: datetime = time_field(nullable=False)
    last_at: datetime = time_field(nullable=False)
    made_at: datetime = time_field(nullable=False)
    ended_at: datetime | None = time_field(index=True)


class RecurrenceCaseRow(SQLModel, table=True):
    """One examined incident, or warning of a ticket category; and its recurrence."""

    __tablename__ = "recurrence_case"
    id: str = Field(primary_key=True, max_length=64)
    source: str
    at: datetime = time_field(nullable=False)
    recurrence: str = Field(default="", index=True, max_length=64)
