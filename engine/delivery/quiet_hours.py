"""Quiet hours: what can wait is held until a person's quiet hours are over, then joined into one message.

Only notices of the last priority: a page is never held, never joined, and neither is anything in a drill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pendulum import DateTime

from domain.durations import elapsed
from domain.roster import Roster
from locales import translator
from storage import outbox
from storage.database import Connection
from storage.outbox import OutboxMessage

JOIN_AFTER = timedelta(seconds=30)  # what has waited so long is told with all else that waits for the same person
MAX_JOINED_BYTES = 6_000  # of a joined text; channels cut at less, with a link to the rest


def hold_and_join(
    connection: Connection, roster: Roster, rows: Sequence[OutboxMessage], now: DateTime
) -> list[OutboxMessage]:
    """Return the claimed rows to be sent now: others are held until quiet hours end, or joined into one."""
    patient = [row for row in rows if _can_wait(row)]
    sent = [row for row in rows if not _can_wait(row)]
    by_person: dict[str, list[OutboxMessage]] = defaultdict(list)
    for row in patient:
        until = quiet_until(roster, row.person, now)
        if until is None:
            by_person[row.person].append(row)
        else:
            outbox.record_state(
                connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=until,
                detail="held until the quiet hours are over",
            )  # fmt: skip
    for ones in by_person.values():
        sent += _joined(connection, ones, now)
    return sorted(sent, key=lambda row: (row.rank, row.id))


def _can_wait(row: OutboxMessage) -> bool:
    return row.kind == "notice" and row.lane == outbox.PRIORITY_REST and not row.drill


def quiet_until(roster: Roster, person: str, now: DateTime) -> DateTime | None:
    """Return when a person's quiet hours are over; None where it is not quiet for them now."""
    known = roster.people.get(person)
    return known.quiet.until(now, ZoneInfo(known.timezone)) if known and known.quiet else None


def _joined(connection: Connection, rows: list[OutboxMessage], now: DateTime) -> list[OutboxMessage]:
    """Those that have waited, as few messages; one that may be on its way already goes by itself."""
    waited = [
        row for row in rows if elapsed(row.created_at, now) >= JOIN_AFTER and not row.payload.get("possible_duplicate")
    ]
    found = [row for row in rows if row not in waited]
    newest_first = sorted(waited, key=lambda row: row.id, reverse=True)
    while newest_first:
        newest, *others = newest_first
        taken = _as_many_as_fit(newest, others)
        found.append(_carrier(connection, newest, taken))
        newest_first = others[len(taken) :]
    return found


def _as_many_as_fit(newest: OutboxMessage, others: Sequence[OutboxMessage]) -> list[OutboxMessage]:
    size, taken = len(str(newest.payload["body"]).encode()), []
    for row in others:
        size += len(f"{row.payload['title']}{row.payload['body']}".encode())
        if size > MAX_JOINED_BYTES:
            break
        taken.append(row)
    return taken


def _carrier(connection: Connection, newest: OutboxMessage, taken: Sequence[OutboxMessage]) -> OutboxMessage:
    """The newest carries what the others say."""
    for row in taken:
        detail = f"told together with {newest.key}"
        outbox.record_state(connection, row, "coalesced", attempts=row.attempts - 1, detail=detail)
    payload = join_payloads(newest.payload, [row.payload for row in taken])
    return outbox.rewrite_message(connection, newest, payload) if taken else newest


def join_payloads(newest: dict[str, Any], older: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join several texts into one: the newest under its own title, the others below it, each under theirs."""
    if not older:
        return newest
    _ = translator(newest.get("language", "en"))
    title = _("{title} (and {count} more)").format(title=newest["title"], count=len(older))
    parts = [newest["body"], *(f"{one['title']}\n{one['body']}" for one in older)]
    return {**newest, "title": title, "body": "\n\n".join(parts)}
