"""The tables of what is learned from what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index
from sqlmodel import Field, SQLModel

from storage.types import UtcDateTime


def _time(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))


def _json() -> Any:
    return Field(default=None, sa_column=Column(JSON, nullable=False))


class DocumentRow(SQLModel, table=True):
    """A document as it was last made: a report, a retrospective, a proposal, an agenda."""

    __tablename__ = "document"
    __table_args__ = (Index("document_kind", "kind", "made_at"),)
    id: str = Field(primary_key=True, max_length=160)
    kind: str = Field(max_length=40)
    about: str = Field(default="", index=True, max_length=32)
    title: dict[str, str] = _json()
    made_at: datetime = _time(nullable=False)
    from_at: datetime | None = _time()
    to_at: datetime | None = _time()
    version: int = 1
    pages: dict[str, str] = _json()
    texts: dict[str, str] = _json()
    data: dict[str, Any] = _json()
