"""What monitors ask of an installation: how late turns and messages were in the last minutes, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, func, select

from storage.outbox import OUTBOX, next_ready
from storage.tables import IN_HAND
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
    query = select(*columns).where(_newest(), OUTBOX.c.sent_at >= now - SPAN)
    found: dict[int, list[float]] = {}
    for row in connection.execute(query):
        found.setdefault(row.lane, []).append(max(0.0, (row.sent_at - row.created_at).total_seconds()))
    return found


def gave_up(connection: Connection, since: DateTime) -> list[tuple[str, int]]:
    """By channel: how many notices it has failed for good since then."""
    query = select(OUTBOX.c.channel, func.count()).where(
        _newest(), OUTBOX.c.state == "dead", OUTBOX.c.kind == "notice", OUTBOX.c.attempt_started_at >= since
    )
    rows = connection.execute(query.group_by(OUTBOX.c.channel).order_by(OUTBOX.c.channel))
    return [(row[0], row[1]) for row in rows]


def _newest() -> ColumnElement[bool]:
    """The newest messages by their number: what is asked every few seconds must not read millions of old ones."""
    found: ColumnElement[bool] = OUTBOX.c.id > select(func.max(OUTBOX.c.id)).scalar_subquery() - MOST
    return found


def oldest_unsent(connection: Connection, now: DateTime) -> float:
    """Seconds that the message has waited which has been due for longest; 0 where none is due.

    One in the hands of a sender waits from the end of its lease on: nobody came back with it, nor judged it.
    """
    held = connection.execute(select(func.min(OUTBOX.c.leased_until)).where(IN_HAND)).scalar_one_or_none()
    times = [time for time in (next_ready(connection), held) if time is not None]
    return max(0.0, (now - min(times)).total_seconds()) if times else 0.0


def buckets(values: Sequence[float], bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Cumulative counts as Prometheus has them: (upper bound, how many are at most that), then all."""
    found = [(f"{bound:g}", float(sum(value <= bound for value in values))) for bound in bounds]
    return [*found, ("+Inf", float(len(values)))]
