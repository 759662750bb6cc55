"""Table of the status page's subscribers: the sealed address, and nothing else about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from storage.types import UtcDateTime


def _time(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


class SubscriberRow(SQLModel, table=True):
    """A subscriber to statements by e-mail. Deleted once they leave, or where they never confirmed."""

    __tablename__ = "subscriber"
    id: str = Field(primary_key=True, max_length=40)
    mark: str = Field(unique=True, max_length=64)  # a keyed hash of the address: known again, not to be read back
    sealed: str = Field(default="", sa_column=Column(Text, nullable=False))
    language: str = Field(max_length=10)
    made_at: datetime = _time(nullable=False, index=True)
    asked_at: datetime = _time(nullable=False)  # when they were last asked to confirm
    confirmed_at: datetime | None = _time(index=True)  # None: not yet
