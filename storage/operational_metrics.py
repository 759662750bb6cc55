"""Operational metrics for monitors: how late turns and messages were in the last minutes, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, func, select

from storage.incidents.tables import IN_HAND
from storage.incidents.turns import TURN
from storage.outbox import OUTBOX, next_message_at

METRICS_SPAN = timedelta(minutes=10)  # that a measure looks back; monitors ask more often
MAX_MESSAGES = 20_000  # rows that are read of it


def list_turn_delays(connection: Connection, now: DateTime) -> list[float]:
    """List the seconds by which each turn of the last ten minutes was late."""
    query = select(TURN.c.due_at, TURN.c.taken_at).where(TURN.c.taken_at >= now - METRICS_SPAN).limit(MAX_MESSAGES)
    return [max(0.0, (row.taken_at - row.due_at).total_seconds()) for row in connection.execute(query)]


def list_send_delays(connection: Connection, now: DateTime) -> dict[int, list[float]]:
    """List seconds from enqueued to accepted by the service, by priority (0 pages, 1 publications, 2 the rest)."""
    columns = (OUTBOX.c.lane, OUTBOX.c.created_at, OUTBOX.c.sent_at)
    query = select(*columns).where(_newest(), OUTBOX.c.sent_at >= now - METRICS_SPAN)
    found: dict[int, list[float]] = {}
    for row in connection.execute(query):
        found.setdefault(row.lane, []).append(max(0.0, (row.sent_at - row.created_at).total_seconds()))
    return found


def count_failed_messages(connection: Connection, since: DateTime) -> list[tuple[str, int]]:
    """Count the notices that failed for good since then, by channel."""
    query = select(OUTBOX.c.channel, func.count()).where(
        _newest(), OUTBOX.c.state == "dead", OUTBOX.c.kind == "notice", OUTBOX.c.attempt_started_at >= since
    )
    rows = connection.execute(query.group_by(OUTBOX.c.channel).order_by(OUTBOX.c.channel))
    return [(row[0], row[1]) for row in rows]


def count_stuck_messages(connection: Connection, before: DateTime) -> int:
    """Count the messages that were to go before then and are still owed."""
    owed = (OUTBOX.c.state.in_(("pending", "retry", "leased")), OUTBOX.c.next_attempt_at < before)
    return int(connection.execute(select(func.count()).where(*owed)).scalar_one())


def _newest() -> ColumnElement[bool]:
    """Restrict to the newest messages by number: a query every few seconds must not read millions of old ones."""
    found: ColumnElement[bool] = OUTBOX.c.id > select(func.max(OUTBOX.c.id)).scalar_subquery() - MAX_MESSAGES
    return found


def oldest_unsent_seconds(connection: Connection, now: DateTime) -> float:
    """Return how long the oldest due message has waited, seconds; 0 where none is due.

    A leased one waits from the end of its lease on: its sender did not return, and its outcome is not known.
    """
    held = connection.execute(select(func.min(OUTBOX.c.leased_until)).where(IN_HAND)).scalar_one_or_none()
    times = [time for time in (next_message_at(connection), held) if time is not None]
    return max(0.0, (now - min(times)).total_seconds()) if times else 0.0


def make_histogram(values: Sequence[float], bounds: Sequence[float]) -> list[tuple[str, float]]:
    """Make cumulative counts as Prometheus has them: (upper bound, how many are at most that), then all."""
    found = [(f"{bound:g}", float(sum(value <= bound for value in values))) for bound in bounds]
    return [*found, ("+Inf", float(len(values)))]
