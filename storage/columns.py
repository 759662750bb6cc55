"""Columns of the tables, as fields of SQLModel."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Text
from sqlmodel import Field

from storage.types import DurationType, UtcDateTime


def time_field(*, nullable: bool = True, index: bool = False) -> Any:
    """A point in time, exact and in UTC."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


def duration_field() -> Any:
    """A duration, or none."""
    return Field(default=None, sa_column=Column(DurationType, nullable=True))


def json_field() -> Any:
    """A list or an object, as JSON."""
    return Field(default=None, sa_column=Column(JSON, nullable=False))


def count_field() -> Any:
    """A count or a sum, of 64 bits."""
    return Field(default=0, sa_column=Column(BigInteger, nullable=False))


def text_field() -> Any:
    """A text of any length."""
    return Field(default="", sa_column=Column(Text, nullable=False))
