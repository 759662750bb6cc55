"""Typed rows: what a query finds, as dataclasses whose fields are named as its columns."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.sql import Executable


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Record = TypeVar("Record", bound=_Dataclass)


def read_all(connection: Connection, record: type[Record], query: Executable) -> list[Record]:
    """Read every row of a query as a record; columns that it has no field for are left out."""
    return [record(*row) for row in connection.execute(query).columns(*record.__dataclass_fields__)]


def read_first(connection: Connection, record: type[Record], query: Executable) -> Record | None:
    """Read the first row of a query as a record; None: there is none."""
    row = connection.execute(query).columns(*record.__dataclass_fields__).first()
    return record(*row) if row is not None else None
