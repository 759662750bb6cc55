"""The follow-up's own rows: where it stands, its alarm, and the surveys that it owes, as rows of the outbox.

They stand under the id of the follow-up's response, not of its incident: the page of an incident lists the notices to
its people, and a hundred thousand surveys are none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, and_, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.customer_tables import FollowUpRow
from storage.outbox import OUTBOX, REST
from storage.tables import UNSENT, IncidentRow

FOLLOW_UP = FollowUpRow.__table__  # type: ignore[attr-defined]
INCIDENT = IncidentRow.__table__  # type: ignore[attr-defined]
SURVEY, ALARM = "survey", "survey-alarm"  # kinds of the outbox
BEGUN = "begun"  # in the detail of a row in hand: from here on its customer may have got it
ALARMS = "survey-alarms"  # the channel that alarms stand under; nothing is sent by it
OVER = ("closed", "completed", "cancelled")


def add(connection: Connection, incident_id: str, response_id: str, now: DateTime) -> None:
    """An incident is followed up from its close on; once."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "incident_id": incident_id, "response_id": response_id, "state": "waiting", "round": 0, "ticks": 0,
        "made_at": now, "result": {},
    }  # fmt: skip
    connection.execute(dialect.insert(FOLLOW_UP).values(**values).on_conflict_do_nothing())


def get(connection: Connection, incident_id: str) -> Row[Any] | None:
    """Where an incident's follow-up stands; None: it has none."""
    return connection.execute(select(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id)).first()


def listing(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Incidents that are followed up, the newest first: `ref`, `title`, `status`, `drill`, `state`."""
    query = (
        select(INCIDENT.c.ref, INCIDENT.c.title, INCIDENT.c.status, INCIDENT.c.drill, FOLLOW_UP.c.state)
        .join(INCIDENT, INCIDENT.c.id == FOLLOW_UP.c.incident_id)
        .order_by(INCIDENT.c.number.desc())
    )
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


def held(connection: Connection, incident_id: str) -> Row[Any] | None:
    """The same, held to the end of the transaction."""
    query = select(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id)
    return connection.execute(query.with_for_update() if connection.dialect.name == "postgresql" else query).first()


def due(connection: Connection, now: DateTime, before: DateTime) -> list[str]:
    """Incidents whose follow-up has something to do now. One query: whoever sends asks it first.

    It runs and its time has come; or it waits for the close and the incident is over, or has waited since `before`.
    """
    waits = and_(FOLLOW_UP.c.state == "waiting", or_(INCIDENT.c.status.in_(OVER), FOLLOW_UP.c.made_at <= before))
    runs = and_(FOLLOW_UP.c.state.in_(("running", "collected")), FOLLOW_UP.c.next_at <= now)
    query = select(FOLLOW_UP.c.incident_id).join(INCIDENT, INCIDENT.c.id == FOLLOW_UP.c.incident_id)
    return list(connection.execute(query.where(or_(waits, runs))).scalars())


def change(connection: Connection, incident_id: str, **values: Any) -> None:
    """Write these columns."""
    connection.execute(update(FOLLOW_UP).where(FOLLOW_UP.c.incident_id == incident_id).values(**values))


def set_alarm(connection: Connection, row: Row[Any], ref: str, at: DateTime, now: DateTime, *, drill: bool) -> None:
    """Have the follow-up looked at again at `at`: a row of the outbox that whoever sends finds due then."""
    stop_alarms(connection, row.response_id)
    ticks = row.ticks + 1
    change(connection, row.incident_id, ticks=ticks, next_at=at)
    key = f"SURVEY/{ref}/alarm/{ticks}"
    connection.execute(insert(OUTBOX).values(_outbox(
        key, row.response_id, now, at, kind=ALARM, purpose=ALARM, channel=ALARMS, drill=drill,
        payload={"incident": row.incident_id},
    )))  # fmt: skip


def stop_alarms(connection: Connection, response_id: str) -> None:
    """An alarm that has not rung yet is no longer wanted."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == ALARM, UNSENT)
    connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail="a newer one"))


def owe(connection: Connection, surveys: Iterable[dict[str, Any]], now: DateTime) -> None:
    """Owe these surveys; a key that is there already is the same survey."""
    rows = [_outbox(one.pop("key"), one.pop("response_id"), now, now, kind=SURVEY, **one) for one in surveys]
    if rows:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(OUTBOX).on_conflict_do_nothing(index_elements=["key"]), rows)


def withdraw(connection: Connection, response_id: str, why: str) -> int:
    """Surveys that have not begun to go out are not sent."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY, UNSENT)
    return connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail=why)).rowcount


def withdraw_of(connection: Connection, ids: Sequence[str], why: str) -> int:
    """The same for what is owed to these customers."""
    mine = and_(OUTBOX.c.person.in_(list(ids)), OUTBOX.c.kind == SURVEY, UNSENT)
    return connection.execute(update(OUTBOX).where(mine).values(state="cancelled", detail=why)).rowcount


def unsent(connection: Connection, response_id: str, purpose: str) -> list[str]:
    """The customers whose survey of that purpose has not begun to go out."""
    query = select(OUTBOX.c.person).where(
        OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY, OUTBOX.c.purpose == purpose, UNSENT
    )
    return list(connection.execute(query).scalars())


def mark_begun(connection: Connection, row: Row[Any], now: DateTime) -> bool:
    """The send begins now; False if the lease is no longer ours."""
    mine = and_(OUTBOX.c.id == row.id, OUTBOX.c.lease == row.lease, OUTBOX.c.state == "leased")
    values = {"detail": BEGUN, "attempt_started_at": now}
    return connection.execute(update(OUTBOX).where(mine).values(**values)).rowcount == 1


def has_begun(connection: Connection, row_id: int) -> bool:
    """Whether a row in hand was marked so."""
    return bool(connection.execute(select(OUTBOX.c.detail).where(OUTBOX.c.id == row_id)).scalar_one() == BEGUN)


def counts(connection: Connection, response_id: str) -> dict[str, int]:
    """How many surveys are in each state."""
    mine = and_(OUTBOX.c.response_id == response_id, OUTBOX.c.kind == SURVEY)
    query = select(OUTBOX.c.state, func.count()).where(mine).group_by(OUTBOX.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def _outbox(key: str, response_id: str, now: DateTime, at: DateTime, **values: Any) -> dict[str, Any]:
    return {
        "key": key, "incident_id": response_id, "response_id": response_id, "step": "", "person": "", "position": 0,
        "lane": REST, "rank": 0, "state": "pending", "attempts": 0, "created_at": now, "next_attempt_at": at,
        "lease": "", "receipt": "", "detail": "", **values,
    }  # fmt: skip
