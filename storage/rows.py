"""Typed rows: what a query finds, as dataclasses whose fields are named as its columns.

A record has two fields or more: a single column is read by `scalars()`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, Row
from sqlalchemy.sql import Executable


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Record = TypeVar("Record", bound=_Dataclass)


def read_all(connection: Connection, record: type[Record], query: Executable) -> list[Record]:
    """Read every row of a query as a record; columns that it has no field for are left out."""
    found = connection.execute(query)
    pick = _picker(record, tuple(found.keys()))
    return [record(*pick(row)) for row in found]


def read_first(connection: Connection, record: type[Record], query: Executable) -> Record | None:
    """Read the first row of a query as a record; None: there is none."""
    found = connection.execute(query)
    row = found.first()
    return record(*_picker(record, tuple(found.keys()))(row)) if row is not None else None


@lru_cache(maxsize=256)
def _picker(record: type[_Dataclass], columns: tuple[str, ...]) -> Callable[[Row[Any]], tuple[Any, ...]]:
    """Make what picks a record's fields out of a row: by place, found once, as looking for names costs more."""
    return itemgetter(*(columns.index(name) for name in record.__dataclass_fields__))
