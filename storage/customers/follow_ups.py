"""Follow-ups of incidents: their state, their timer, and the surveys that they owe, as rows of the outbox.

They stand under the id of the follow-up's response, not of its incident: the page of an incident lists the
notices to its people, and a hundred thousand surveys are none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, and_, func, insert, or_, select, update

from storage.conflict_insert import insert_into
from storage.customers.customer_tables import FollowUpRow
from storage.incidents.tables import UNSENT, IncidentRow
from storage.outbox import OUTBOX, PRIORITY_REST, OutboxMessage
from storage.rows import read_first

FOLLOW_UP = FollowUpRow.__table__  # type: ignore[attr-defined]
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
SURVEY, ALARM = "survey", "survey-alarm"  # kinds of the outbox
BEGUN = "begun"  # in the detail of a row in hand: from here on its customer may have got it
ALARMS = "survey-alarms"  # the channel that alarms stand under; nothing is sent by it
OVER = ("closed", "completed", "cancelled")


@dataclass(frozen=True, slots=True)
class FollowUpRecord:
    """The follow-up of one incident as recorded."""

    incident_id: str
    response_id: str  # whose playbook has the callbacks; its surveys stand under it
    state: str  # waiting (for the close) | running | collected | erased
    round: int  # how often the incident was closed
    ticks: int  # how many checks were scheduled
    made_at: DateTime
    begun_at: DateTime | None  # the close that it began from
    collect_at: DateTime | None  # the end of the time for answers; None: it never began
    erase_at: DateTime | None  # when its contacts are erased
    next_at: DateTime | None  # its next check
    result: dict[str, Any]  # its figures once it is collected, those of `SurveyResult`

    def collects_by(self, at: DateTime) -> bool:
        """Whether the time for answers is over by then."""
        return self.collect_at is not None and at >= self.collect_at

    def erases_by(self, at: DateTime) -> bool:
        """Whether contacts are to be erased by then."""
        return self.erase_at is not None and at >= self.erase_at


def add_follow_up(connection: Connection, incident_id: str, response_id: str, now: DateTime) -> None:
    """Add the follow-up of an incident, from its close on; once."""
    values = {
        "incident_id": incident_id, "response_id": response_id, "state": "waiting", "round": 0, "ticks": 0,
        "made_at": now, "result": {},
    }  # fmt: skip
    connection.execute(insert_into(connection, FOLLOW_UP).values(**values).on_conflict_do_nothing())


def get_follow_up(connection: Connection, incident_id: str) -> FollowUpRecord | None:
    """Return the follow-up of an incident; None: it has none."""
    return read_first(connection, FollowUpRecord, select(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id))


def list_follow_ups(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """List incidents with a follow-up, the newest first: `ref`, `title`, `status`, `drill`, `state`."""
    query = (
        select(INCIDENT.c.ref, INCIDENT.c.title, INCIDENT.c.status, INCIDENT.c.drill, FOLLOW_UP.c.state)
        .join(INCIDENT, INCIDENT.c.id == FOLLOW_UP.c.incident_id)
        .order_by(INCIDENT.c.number.desc())
    )
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def lock_follow_up(connection: Connection, incident_id: str) -> FollowUpRecord | None:
    """Return the follow-up, locked to the end of the transaction."""
    query = select(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id)
    query = query.with_for_update() if connection.dialect.name == "postgresql" else query
    return read_first(connection, FollowUpRecord, query)


def list_due_follow_ups(connection: Connection, now: DateTime, before: DateTime) -> list[str]:
    """List incidents whose follow-up has something to do now. One query, which every sender asks first.

    It runs and its time has come; or it waits for the close and the incident is over, or has waited since
    `before`.
    """
    waits = and_(FOLLOW_UP.c.state == "waiting", or_(INCIDENT.c.status.in_(OVER), FOLLOW_UP.c.made_at <= before))
    runs = and_(FOLLOW_UP.c.state.in_(("running", "collected")), FOLLOW_UP.c.next_at <= now)
    query = select(FOLLOW_UP.c.incident_id).join(INCIDENT, INCIDENT.c.id == FOLLOW_UP.c.incident_id)
    return list(connection.execute(query.where(or_(waits, runs))).scalars())


def update_follow_up(connection: Connection, incident_id: str, **values: Any) -> None:
    """Update columns of a follow-up."""
    connection.execute(update(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id).values(**values))


def schedule_check(
    connection: Connection, row: FollowUpRecord, ref: str, at: DateTime, now: DateTime, *, drill: bool
) -> None:
    """Schedule the follow-up's next check at `at`: a row of the outbox that a sender finds due then."""
    cancel_checks(connection, row.response_id)
    ticks = row.ticks + 1
    update_follow_up(connection, row.incident_id, ticks=ticks, next_at=at)
    key = f"SURVEY/{ref}/alarm/{ticks}"
    connection.execute(insert(OUTBOX).values(_outbox(
        key, row.response_id, now, at, kind=ALARM, purpose=ALARM, channel=ALARMS, drill=drill,
        payload={"incident": row.incident_id},
    )))  # fmt: skip


def cancel_checks(connection: Connection, response_id: str) -> None:
    """Cancel the scheduled checks that are not due yet."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == ALARM, UNSENT)
    connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail="a newer one"))


def enqueue_surveys(connection: Connection, surveys: Iterable[dict[str, Any]], now: DateTime) -> None:
    """Enqueue surveys; a key that is there already is the same survey."""
    rows = [_outbox(one.pop("key"), one.pop("response_id"), now, now, kind=SURVEY, **one) for one in surveys]
    if rows:
        connection.execute(insert_into(connection, OUTBOX).on_conflict_do_nothing(index_elements=["key"]), rows)


def withdraw_surveys(connection: Connection, response_id: str, why: str) -> int:
    """Cancel the surveys of a response that have not begun to go out."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY, UNSENT)
    return connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail=why)).rowcount


def withdraw_customer_surveys(connection: Connection, ids: Sequence[str], why: str) -> int:
    """Cancel the surveys to these customers that have not begun to go out."""
    mine = and_(OUTBOX.c.person.in_(list(ids)), OUTBOX.c.kind == SURVEY, UNSENT)
    return connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail=why)).rowcount


def list_unsent_customers(connection: Connection, response_id: str, purpose: str) -> list[str]:
    """List the customers whose survey of that purpose has not begun to go out."""
    query = select(OUTBOX.c.person).where(
        OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY, OUTBOX.c.purpose == purpose, UNSENT
    )
    return list(connection.execute(query).scalars())


def mark_send_begun(connection: Connection, message: OutboxMessage, now: DateTime) -> bool:
    """Mark that the send begins now; False if the lease is no longer ours."""
    mine = and_(OUTBOX.c.id == message.id, OUTBOX.c.lease == message.lease, OUTBOX.c.state == "leased")
    values = {"detail": BEGUN, "attempt_started_at": now}
    return connection.execute(update(OUTBOX).where(mine).values(**values)).rowcount == 1


def has_send_begun(connection: Connection, row_id: int) -> bool:
    """Whether the send of a leased row was marked as begun."""
    return bool(connection.execute(select(OUTBOX.c.detail).where(OUTBOX.c.id == row_id)).scalar_one() == BEGUN)


def count_surveys(connection: Connection, response_id: str) -> dict[str, int]:
    """Count surveys by state."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY)
    query = select(OUTBOX.c.state, func.count()).where(mine).group_by(OUTBOX.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _outbox(key: str, response_id: str, now: DateTime, at: DateTime, **values: Any) -> dict[str, Any]:
    return {
        "key": key, "incident_id": response_id, "response_id": response_id, "step": "", "person": "", "position": 0,
        "lane": PRIORITY_REST, "rank": 0, "state": "pending", "attempts": 0, "created_at": now, "next_attempt_at": at,
        "lease": "", "receipt": "", "detail": "", **values,
    }  # fmt: skip
