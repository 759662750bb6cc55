"""Tables of the on-call schedule: overrides by hand, and the handovers that were made."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import time_field


class OverrideRow(SQLModel, table=True):
    """An override by hand. Rows are ended, never removed: they say who changed what, and why."""

    __tablename__ = "roster_override"
    id: str = Field(primary_key=True, max_length=64)
    role: str = Field(max_length=60)
    person: str = Field(max_length=60)
    starts_at: datetime = time_field(nullable=False)
    ends_at: datetime = time_field(nullable=False, index=True)
    reason: str = ""
    made_by: str = ""
    made_at: datetime = time_field(nullable=False)
    ended_at: datetime | None = time_field()  # before its time, by hand
    ended_by: str = ""


class HandoverRow(SQLModel, table=True):
    """A handover that was made: its row is the claim, written with its results."""

    __tablename__ = "handover"
    role: str = Field(primary_key=True, max_length=60)
    shift: str = Field(primary_key=True, max_length=40)  # when it began
    before: str = ""
    after: str = ""
    made_at: datetime = time_field(nullable=False)
