"""How the sources that are asked for figures do, and whose turn it is: one process asks, however many run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.durations import later
from storage.figures import Figures, micros, moment
from storage.figures_tables import SOURCE


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source: its last answer, its last failure with the reason (empty: none since), how many in a row."""

    name: str
    next_at: DateTime
    ok_at: DateTime | None
    failed_at: DateTime | None
    error: str
    failures: int
    samples: int


def claim(figures: Figures, name: str, now: DateTime, lease: timedelta) -> DateTime | None:
    """Take the turn to ask a source, for so long; None if it is ours, else when to look again."""
    present = micros(now)
    dialect = postgresql if not figures.database.is_sqlite else sqlite
    fresh = dialect.insert(SOURCE).values(name=name, next_at=present, error="", failures=0, samples=0)
    taken = (
        update(SOURCE)
        .where(SOURCE.c.name == name, SOURCE.c.next_at <= present)
        .values(next_at=micros(now + lease))
    )  # fmt: skip
    with figures.database.write() as connection:
        connection.execute(fresh.on_conflict_do_nothing(index_elements=["name"]))
        if connection.execute(taken).rowcount:
            return None
        return moment(connection.execute(select(SOURCE.c.next_at).where(SOURCE.c.name == name)).scalar_one())


def answered(figures: Figures, name: str, now: DateTime, samples: int, next_at: DateTime, error: str = "") -> None:
    """It answered. `error`: what was wrong with a part of it."""
    with figures.database.write() as connection:
        _set(connection, name, ok_at=micros(now), next_at=micros(next_at), failures=0, samples=samples, error=error)


def failed(figures: Figures, name: str, now: DateTime, reason: str, pause: Callable[[int], timedelta]) -> int:
    """It did not; how many times in a row that is. `pause` says for how long after so many it is left alone."""
    with figures.database.write() as connection:
        times = 1 + int(connection.execute(select(SOURCE.c.failures).where(SOURCE.c.name == name)).scalar() or 0)
        next_at = micros(later(now, pause(times)))
        _set(connection, name, failed_at=micros(now), next_at=next_at, failures=times, error=reason, samples=0)
        return times


def _set(connection: Connection, name: str, **values: object) -> None:
    if not connection.execute(update(SOURCE).where(SOURCE.c.name == name).values(**values)).rowcount:
        connection.execute(insert(SOURCE).values(name=name, **values))


def forget(figures: Figures, known: frozenset[str]) -> None:
    """Forget sources that are no longer in the file."""
    with figures.database.write() as connection:
        connection.execute(delete(SOURCE).where(SOURCE.c.name.not_in(known)))


def states(figures: Figures) -> list[SourceState]:
    """Every source, by name."""
    with figures.database.read() as connection:
        rows = connection.execute(select(SOURCE).order_by(SOURCE.c.name)).all()
    return [
        SourceState(
            name=row.name,
            next_at=moment(row.next_at),
            ok_at=None if row.ok_at is None else moment(row.ok_at),
            failed_at=None if row.failed_at is None else moment(row.failed_at),
            error=row.error,
            failures=row.failures,
            samples=row.samples,
        )
        for row in rows
    ]
