"""State of polled sources, and whose turn it is to poll: one process polls, however many run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection, delete, insert, select, update

from domain.durations import later
from storage.conflict_insert import insert_into
from storage.samples.sample_store import SampleStore, from_micros, to_micros
from storage.samples.sample_tables import SOURCE


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source's state: last success, last failure with its reason (empty: none since), failures in a row."""

    name: str
    next_at: DateTime
    ok_at: DateTime | None
    failed_at: DateTime | None
    error: str
    failures: int
    samples: int


def claim_source(figures: SampleStore, name: str, now: DateTime, lease: timedelta) -> DateTime | None:
    """Claim the turn to poll a source for the lease; None if it is ours, else when to try again."""
    present = to_micros(now)
    taken = (
        update(SOURCE)
        .where(SOURCE.c.name == name, SOURCE.c.next_at <= present)
        .values(next_at=to_micros(now + lease))
    )  # fmt: skip
    with figures.database.write() as connection:
        fresh = insert_into(connection, SOURCE).values(name=name, next_at=present, error="", failures=0, samples=0)
        connection.execute(fresh.on_conflict_do_nothing(index_elements=["name"]))
        if connection.execute(taken).rowcount:
            return None
        return from_micros(connection.execute(select(SOURCE.c.next_at).where(SOURCE.c.name == name)).scalar_one())


def record_success(
    figures: SampleStore, name: str, now: DateTime, samples: int, next_at: DateTime, error: str = ""
) -> None:
    """Record a successful poll. `error`: what was wrong with a part of the answer."""
    with figures.database.write() as connection:
        _set(
            connection, name, ok_at=to_micros(now), next_at=to_micros(next_at), failures=0, samples=samples, error=error
        )


def record_failure(
    figures: SampleStore, name: str, now: DateTime, reason: str, pause: Callable[[int], timedelta]
) -> int:
    """Record a failed poll; return the failures in a row. `pause` gives the wait after so many."""
    with figures.database.write() as connection:
        times = 1 + int(connection.execute(select(SOURCE.c.failures).where(SOURCE.c.name == name)).scalar() or 0)
        next_at = to_micros(later(now, pause(times)))
        _set(connection, name, failed_at=to_micros(now), next_at=next_at, failures=times, error=reason, samples=0)
        return times


def _set(connection: Connection, name: str, **values: object) -> None:
    if not connection.execute(update(SOURCE).where(SOURCE.c.name == name).values(**values)).rowcount:
        connection.execute(insert(SOURCE).values(name=name, **values))


def delete_unknown_sources(figures: SampleStore, known: frozenset[str]) -> None:
    """Delete the state of sources that are no longer in the file."""
    with figures.database.write() as connection:
        connection.execute(delete(SOURCE).where(SOURCE.c.name.not_in(known)))


def list_source_states(figures: SampleStore) -> list[SourceState]:
    """List every source, by name."""
    with figures.database.read() as connection:
        rows = connection.execute(select(SOURCE).order_by(SOURCE.c.name)).all()
    return [
        SourceState(
            name=row.name,
            next_at=from_micros(row.next_at),
            ok_at=None if row.ok_at is None else from_micros(row.ok_at),
            failed_at=None if row.failed_at is None else from_micros(row.failed_at),
            error=row.error,
            failures=row.failures,
            samples=row.samples,
        )
        for row in rows
    ]
