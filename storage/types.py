"""Column types for points in time and durations, exact and aware on every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
from pendulum import DateTime
from sqlalchemy import BigInteger, Dialect
from sqlalchemy.types import DateTime as SqlDateTime
from sqlalchemy.types import TypeDecorator

from domain.durations import elapsed, later

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = DateTime(1970, 1, 1, tzinfo=pendulum.UTC)


class UtcDateTime(TypeDecorator[DateTime]):
    """A point in time. Microseconds since 1970 on SQLite, `timestamptz` on PostgreSQL; always read as UTC.

    Raises:
        ValueError: a naive time, of which nobody knows when it is.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Return the column type of the dialect."""
        wanted: Any = SqlDateTime(timezone=True) if dialect.name == "postgresql" else BigInteger()
        return dialect.type_descriptor(wanted)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Convert a value for the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"{value} has no time zone: give one, for example {value.isoformat()}+00:00"
            raise ValueError(msg)
        return value if dialect.name == "postgresql" else elapsed(_EPOCH, value) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> DateTime | None:  # noqa: ARG002
        """Convert a value of the database."""
        if value is None:
            return None
        if isinstance(value, datetime):  # psycopg's; its fields are those of UTC, see the session's time zone
            return pendulum.instance(value.astimezone(UTC))
        return later(_EPOCH, timedelta(microseconds=value))


class DurationType(TypeDecorator[timedelta]):
    """A duration, in microseconds."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Convert a value for the database."""
        return None if value is None else value // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> timedelta | None:  # noqa: ARG002
        """Convert a value of the database."""
        return None if value is None else timedelta(microseconds=value)
