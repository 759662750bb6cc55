"""Tables of affected customers and of the follow-up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.columns import count_field, json_field, text_field, time_field

TO_CALL = text("callback <> '' AND called_at IS NULL")  # as a literal: a partial index is not found by parameters
SUGGESTED = text("suggestion <> ''")


class FollowUpRow(SQLModel, table=True):
    """The follow-up of one incident: its state, and when it is due next."""

    __tablename__ = "follow_up"
    incident_id: str = Field(primary_key=True, max_length=64)
    response_id: str = Field(max_length=64)
    state: str = Field(default="waiting", index=True)  # waiting (for the close) | running | collected | erased
    round: int = 0  # how often the incident was closed
    ticks: int = 0
    made_at: datetime = time_field(nullable=False)
    begun_at: datetime | None = time_field()
    collect_at: datetime | None = time_field()
    erase_at: datetime | None = time_field()
    next_at: datetime | None = time_field()
    result: dict[str, Any] = json_field()


class CustomerRow(SQLModel, table=True):
    """An affected customer of one incident. The contact is a row of another table."""

    __tablename__ = "customer"
    __table_args__ = (
        Index("customer_mark", "incident_id", "mark", unique=True),
        Index("customer_next", "incident_id", "state", "way", "zone", "rank"),
        Index("customer_rank", "incident_id", "rank", "id"),
        Index("customer_call", "incident_id", "rank", "id", sqlite_where=TO_CALL, postgresql_where=TO_CALL),
        Index("customer_suggested", "answered_at", sqlite_where=SUGGESTED, postgresql_where=SUGGESTED),
    )
    id: str = Field(primary_key=True, max_length=32)  # ours, random: what messages, links and the outbox name
    incident_id: str = Field(max_length=64)
    mark: str = Field(index=True, max_length=64)  # keyed hash of the CRM's number: known again after it is forgotten
    customer: str = Field(default="", index=True, max_length=64)  # the CRM's number; empty once forgotten
    masked: str = ""
    way: str = ""  # mail | phone: how they are asked next; empty: no way
    ways: list[str] = json_field()
    language: str = "en"
    zone: str = ""
    order_value: int = count_field()  # money in hundredths
    compensation: int = count_field()
    poor_service: int = 0
    public: bool = False
    poor_history: bool = False
    harmed: bool = False
    compensated: bool = False
    care: list[str] = json_field()
    owner: str = ""  # the named person, where there is one
    rank: int = count_field()  # smaller first: harm, brand, cost
    imported_at: datetime = time_field(nullable=False)
    state: str = "new"  # new | asked | reminded | answered | unreached | left | forgotten
    position: int = 0  # which of their ways was used last
    asked_at: datetime | None = time_field()
    remind_at: datetime | None = time_field()
    reminded_at: datetime | None = time_field()
    reached: str = ""  # sent | unknown | dead
    expires_at: datetime | None = time_field()  # of the link
    answered_at: datetime | None = time_field()
    csat: int | None = None
    nps: int | None = None
    solved: bool | None = None
    suggestion: str = text_field()
    complaints: int = 0  # after the close: second complaints
    reopened_at: datetime | None = time_field()
    callback: str = ""  # why a person calls them
    callback_at: datetime | None = time_field()
    called_at: datetime | None = time_field()
    called_by: str = ""
    called_note: str = text_field()


class CustomerContactRow(SQLModel, table=True):
    """A customer's contact, encrypted. A table of its own: its pages are overwritten when a row goes."""

    __tablename__ = "customer_contact"
    id: str = Field(primary_key=True, max_length=32)
    incident_id: str = Field(index=True, max_length=64)
    sealed: str = text_field()
