"""Table of the status page's subscribers: the sealed address, and nothing else about them."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from storage.columns import text_field, time_field


class SubscriberRow(SQLModel, table=True):
    """A subscriber to statements by e-mail. Deleted once they leave, or where they never confirmed."""

    __tablename__ = "subscriber"
    id: str = Field(primary_key=True, max_length=40)
    mark: str = Field(unique=True, max_length=64)  # a keyed hash of the address: known again, not to be read back
    sealed: str = text_field()
    language: str = Field(max_length=10)
    made_at: datetime = time_field(nullable=False, index=True)
    asked_at: datetime = time_field(nullable=False)  # when they were last asked to confirm
    confirmed_at: datetime | None = time_field(index=True)  # None: not yet
