"""Tables of affected customers and of the follow-up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from storage.types import UtcDateTime


def _time(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON, nullable=False))


def _big() -> Any:
    return Field(default=0, sa_column=Column(BigInteger, nullable=False))


def _text() -> Any:
    return Field(default="", sa_column=Column(Text, nullable=False))


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
    made_at: datetime = _time(nullable=False)
    begun_at: datetime | None = _time()
    collect_at: datetime | None = _time()
    erase_at: datetime | None = _time()
    next_at: datetime | None = _time()
    result: dict[str, Any] = _json()


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
    ways: list[str] = _json()
    language: str = "en"
    zone: str = ""
    order_value: int = _big()  # money in hundredths
    compensation: int = _big()
    poor_service: int = 0
    public: bool = False
    poor_history: bool = False
    harmed: bool = False
    compensated: bool = False
    care: list[str] = _json()
    owner: str = ""  # the named person, where there is one
    rank: int = _big()  # smaller first: harm, brand, cost
    imported_at: datetime = _time(nullable=False)
    state: str = "new"  # new | asked | reminded | answered | unreached | left | forgotten
    position: int = 0  # which of their ways was used last
    asked_at: datetime | None = _time()
    remind_at: datetime | None = _time()
    reminded_at: datetime | None = _time()
    reached: str = ""  # sent | unknown | dead
    expires_at: datetime | None = _time()  # of the link
    answered_at: datetime | None = _time()
    csat: int | None = None
    nps: int | None = None
    solved: bool | None = None
    suggestion: str = _text()
    complaints: int = 0  # after the close: second complaints
    reopened_at: datetime | None = _time()
    callback: str = ""  # why a person calls them
    callback_at: datetime | None = _time()
    called_at: datetime | None = _time()
    called_by: str = ""
    called_note: str = _text()


class CustomerContactRow(SQLModel, table=True):
    """A customer's contact, encrypted. A table of its own: its pages are overwritten when a row goes."""

    __tablename__ = "customer_contact"
    id: str = Field(primary_key=True, max_length=32)
    incident_id: str = Field(index=True, max_length=64)
    sealed: str = _text()
