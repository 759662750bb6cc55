"""Replays: samples of another time, pushed at many times its speed on a feed of their own."""

from __future__ import annotations

from dataclasses import dataclass

from pendulum import DateTime
from sqlalchemy import Connection, Row, insert, select, update

from storage.samples.sample_store import SampleStore, from_micros, to_micros
from storage.samples.sample_tables import REPLAY


class ReplayEnded(ValueError):
    """The replay is over; the message says what would be right."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay. Everything before `position` was pushed and may be evaluated; `began` is the time it began with."""

    lane: str
    started_at: DateTime
    touched_at: DateTime
    speed: float
    began: DateTime
    position: DateTime
    ended_at: DateTime | None


def announce_position(
    figures: SampleStore, feed: str, position: DateTime, now: DateTime, *, speed: float = 1.0, ended: bool = False
) -> Replay:
    """Record that everything before `position` was pushed; the first call makes the feed.

    A position never goes back.

    Raises:
        ReplayEnded: the replay is over.
        StorageError: the database cannot be written.
    """
    at, present = to_micros(position), to_micros(now)
    with figures.database.write() as connection:
        found = connection.execute(select(REPLAY).where(REPLAY.c.lane == feed).with_for_update()).first()
        if found is None:
            connection.execute(
                insert(REPLAY).values(
                    lane=feed, started_at=present, touched_at=present, speed=speed, from_at=at, position_at=at,
                    ended_at=present if ended else None,
                )
            )  # fmt: skip
        elif found.ended_at is not None and ended and at == found.position_at:
            pass  # said again: its answer was lost
        elif found.ended_at is not None:
            raise ReplayEnded(f"the replay {feed} has ended: begin another one with --lane")
        else:
            connection.execute(
                update(REPLAY).where(REPLAY.c.lane == feed).values(
                    touched_at=present, speed=speed, position_at=max(at, found.position_at),
                    ended_at=present if ended else None,
                )
            )  # fmt: skip
        kept = _find(connection, feed)
    assert kept is not None  # noqa: S101 - written a line above
    return kept


def find_replay(figures: SampleStore, feed: str) -> Replay | None:
    """Find the replay of that feed."""
    with figures.database.read() as connection:
        return _find(connection, feed)


def list_replays(figures: SampleStore, *, running: bool = False) -> list[Replay]:
    """List every kept replay, the newest last; `running`: only those that have not ended."""
    query = select(REPLAY).order_by(REPLAY.c.started_at, REPLAY.c.lane)
    if running:
        query = query.where(REPLAY.c.ended_at.is_(None))
    with figures.database.read() as connection:
        return [_replay(row) for row in connection.execute(query)]


def _find(connection: Connection, feed: str) -> Replay | None:
    row = connection.execute(select(REPLAY).where(REPLAY.c.lane == feed)).first()
    return _replay(row) if row else None


def _replay(row: Row[tuple[object, ...]]) -> Replay:
    return Replay(
        lane=row.lane,
        started_at=from_micros(row.started_at),
        touched_at=from_micros(row.touched_at),
        speed=row.speed,
        began=from_micros(row.from_at),
        position=from_micros(row.position_at),
        ended_at=None if row.ended_at is None else from_micros(row.ended_at),
    )
