"""What monitors ask of an installation: how late turns and messages were in the last minutes, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection, func, select

from storage.outbox import OUTBOX
from storage.turns import TURN

SPAN = timedelta(minutes=10)  # that a measure looks back; monitors ask more often
MOST = 20_000  # rows that are read of it


def turns_late(connection: Connection, now: DateTime) -> list[float]:
    """Seconds by which each turn of the last ten minutes was late."""
    query = select(TURN.c.due_at, TURN.c.taken_at).where(TURN.c.taken_at >= now - SPAN).limit(MOST)
    return [max(0.0, (row.taken_at - row.due_at).total_seconds()) for row in connection.execute(query)]


def owed_to_sent(connection: Connection, now: DateTime) -> dict[int, list[float]]:
    """By lane (0 pages, 1 publications, 2 the rest): seconds from owed to taken by the service."""
    columns = (OUTBOX.c.lane, OUTBOX.c.created_at, OUTBOX.c.sent_at)
    query = select(*columns).where(OUTBOX.c.sent_at >= now - SPAN).order_by(OUTBOX.c.id.desc()).limit(MOST)
    found: dict[int, list[float]] = {}
    for row in connection.execute(query):
        found.setdefault(row.lane, []).append(max(0.0, (row.sent_at - row.created_at).total_seconds()))
    return found


def oldest_unsent(connection: Connection, now: DateTime) -> float:
    """Seconds that the message has waited which has been due for longest; 0 where none is due."""
    due = select(func.min(OUTBOX.c.next_attempt_at)).where(
        OUTBOX.c.state.in_(("pending", "retry")), OUTBOX.c.next_attempt_at <= now
    )
    since: DateTime | None = connection.execute(due).scalar_one_or_none()
    return (now - since).total_seconds() if since else 0.0


def buckets(values: Sequence[float], bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Cumulative counts as Prometheus has them: (upper bound, how many are at most that), then all."""
    found = [(f"{bound:g}", float(sum(value <= bound for value in values))) for bound in bounds]
    return [*found, ("+Inf", float(len(values)))]
