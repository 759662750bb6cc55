"""Affected customers as rows: taken in once, found for the next batch, answered once, forgotten without a trace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.customers.survey import PASSIVE, PROMOTER, REOPENS, SATISFIED, Answer, Result, weightier
from storage.customer_tables import TO_CALL, CustomerContactRow, CustomerRow
from storage.incidents import UnknownIncident

CUSTOMER = CustomerRow.__table__  # type: ignore[attr-defined]
CONTACT = CustomerContactRow.__table__  # type: ignore[attr-defined]
UNANSWERED = ("new", "asked", "reminded", "unreached", "left")
CHUNK = 5_000  # rows of one transaction: the write lock is held for a fraction of a second


class UnknownCustomer(UnknownIncident):
    """No such customer in that incident; the message says how to find the right one."""


def secure(connection: Connection) -> None:
    """From now on this connection overwrites with zeros what it deletes (SQLite)."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def add(connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
    """Take in customers; each row has the columns of `CustomerRow` and `sealed`. How many were not known yet."""
    if not rows:
        return 0
    incident_id = rows[0]["incident_id"]
    marks = [row["mark"] for row in rows]
    known = set(
        connection.execute(
            select(CUSTOMER.c.mark).where(CUSTOMER.c.incident_id == incident_id, CUSTOMER.c.mark.in_(marks))
        ).scalars()
    )
    new: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["mark"] not in known:
            new.setdefault(row["mark"], {**row, "id": uuid.uuid4().hex})
    if not new:
        return 0
    secure(connection)
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = [{name: value for name, value in row.items() if name != "sealed"} for row in new.values()]
    statement = dialect.insert(CUSTOMER).on_conflict_do_nothing(index_elements=["incident_id", "mark"])
    connection.execute(statement, values)
    contacts = [
        {"id": row["id"], "incident_id": incident_id, "sealed": row["sealed"]} for row in new.values() if row["sealed"]
    ]
    if contacts:
        connection.execute(insert(CONTACT), contacts)
    return len(new)


def find(connection: Connection, incident_id: str, name: str, mark: str) -> Row[Any]:
    """A customer of an incident by our id or the CRM's number.

    Raises:
        UnknownCustomer: there is none.
    """
    query = select(CUSTOMER).where(
        CUSTOMER.c.incident_id == incident_id, or_(CUSTOMER.c.id == name, CUSTOMER.c.mark == mark)
    )
    row = connection.execute(query).first()
    if row is None:
        raise UnknownCustomer("there is no such customer of this incident: `tocsin customers list` names them")
    return row


def get(connection: Connection, customer_id: str) -> Row[Any] | None:
    """A customer by our id."""
    return connection.execute(select(CUSTOMER).where(CUSTOMER.c.id == customer_id)).first()


def sealed(connection: Connection, customer_id: str) -> str:
    """The sealed contact; empty where there is none (any more)."""
    query = select(CONTACT.c.sealed).where(CONTACT.c.id == customer_id)
    return str(connection.execute(query).scalar_one_or_none() or "")


def change(connection: Connection, customer_id: str, **values: Any) -> None:
    """Write these columns of a customer."""
    secure(connection)
    connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == customer_id).values(**values))


def listed(
    connection: Connection, incident_id: str, *, calls: bool = False, limit: int = 1_000, after: int = 0
) -> list[Row[Any]]:
    """Customers of an incident, whoever comes first first; `calls`: those whom a person has still to call."""
    query = select(CUSTOMER).where(CUSTOMER.c.incident_id == incident_id)
    if calls:
        query = query.where(TO_CALL)
    query = query.order_by(CUSTOMER.c.rank, CUSTOMER.c.id).limit(limit).offset(after)
    return list(connection.execute(query))


# --- the next batch ----------------------------------------------------------------------------------------------


def zones_waiting(connection: Connection, incident_id: str, state: str) -> list[str]:
    """The time zones of those in that state who can be reached."""
    query = select(CUSTOMER.c.zone).distinct()
    return list(connection.execute(query.where(_in(incident_id, state), CUSTOMER.c.way != "")).scalars())


def next_to_ask(connection: Connection, incident_id: str, way: str, zones: Iterable[str], limit: int) -> list[Row[Any]]:
    """Whom to ask next by that way, whoever comes first first."""
    return _first(connection, [_in(incident_id, "new"), CUSTOMER.c.way == way], zones, limit)


def next_to_remind(
    connection: Connection, incident_id: str, way: str, zones: Iterable[str], now: DateTime, limit: int
) -> list[Row[Any]]:
    """Whom to remind next."""
    wanted = [_in(incident_id, "asked"), CUSTOMER.c.way == way, CUSTOMER.c.remind_at <= now]
    return _first(connection, wanted, zones, limit)


def _first(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], zones: Iterable[str], limit: int
) -> list[Row[Any]]:
    """The first of each zone, and of those the first: zone by zone an index gives them in order, without sorting."""
    found: list[Row[Any]] = []
    for zone in zones:
        query = select(CUSTOMER).where(*wanted, CUSTOMER.c.zone == zone).order_by(CUSTOMER.c.rank).limit(limit)
        found += connection.execute(query)
    return sorted(found, key=lambda row: (row.rank, row.id))[:limit]


def first_reminder(connection: Connection, incident_id: str, zone: str, now: DateTime) -> DateTime | None:
    """When the next reminder is due in that zone, now or later; None: none is."""
    query = select(func.min(CUSTOMER.c.remind_at)).where(_in(incident_id, "asked"), CUSTOMER.c.zone == zone)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return max(found, now) if found else None


def move(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    """Write these columns of several customers."""
    if ids:
        secure(connection)
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id.in_(list(ids))).values(**values))


def call_back(connection: Connection, row: Row[Any], because: str, now: DateTime, **values: Any) -> None:
    """A person calls this customer; the weightier reason stays, and whoever was called before is called again."""
    if row.called_at is not None:
        values |= {"called_at": None, "called_by": "", "callback_at": now, "callback": because}
    else:
        values |= {"callback": weightier(row.callback, because), "callback_at": row.callback_at or now}
    change(connection, row.id, **values)


def newest_call(connection: Connection, incident_id: str, *, reopened: bool) -> DateTime | None:
    """When the last one came up who has still to be called: of those whose matter is open again, or of the others."""
    again = CUSTOMER.c.callback.in_([str(one) for one in REOPENS])
    query = select(func.max(CUSTOMER.c.callback_at))
    query = query.where(CUSTOMER.c.incident_id == incident_id, TO_CALL, again if reopened else ~again)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return found


def unask(connection: Connection, ids: Sequence[str]) -> None:
    """What was owed to these customers did not go out: they are still to be asked."""
    mine = and_(CUSTOMER.c.id.in_(list(ids)), CUSTOMER.c.state == "asked", CUSTOMER.c.reached == "")
    values = {"state": "new", "asked_at": None, "remind_at": None, "expires_at": None}
    if ids:
        connection.execute(update(CUSTOMER).where(mine).values(**values))


def unremind(connection: Connection, ids: Sequence[str]) -> None:
    """Their reminder did not go out: as if it had not been owed, and none is owed by itself any more."""
    mine = and_(CUSTOMER.c.id.in_(list(ids)), CUSTOMER.c.state == "reminded")
    if ids:
        connection.execute(update(CUSTOMER).where(mine).values(state="asked", reminded_at=None))


def answer(connection: Connection, customer_id: str, said: Answer, now: DateTime) -> bool:
    """Keep an answer; False where there is one already: a link is good for one."""
    secure(connection)
    statement = update(CUSTOMER).where(
        CUSTOMER.c.id == customer_id, CUSTOMER.c.answered_at.is_(None), CUSTOMER.c.state.in_(UNANSWERED)
    )
    values = {
        "answered_at": now, "csat": said.csat, "nps": said.nps, "solved": said.solved,
        "suggestion": said.suggestion, "state": "answered",
    }  # fmt: skip
    return connection.execute(statement.values(**values)).rowcount == 1


def result(connection: Connection, incident_id: str) -> Result:
    """What the follow-up came to so far."""
    row_ = CUSTOMER.c

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    columns: dict[str, ColumnElement[int]] = {
        "customers": func.count(),
        "asked": count(row_.asked_at.is_not(None)),
        "never_asked": count(and_(row_.asked_at.is_(None), row_.way != "")),
        "no_channel": count(and_(row_.way == "", row_.asked_at.is_(None), row_.state != "forgotten")),
        "unreached": count(row_.reached == "dead"),
        "in_doubt": count(row_.reached == "unknown"),
        "reminded": count(row_.reminded_at.is_not(None)),
        "answered": count(row_.answered_at.is_not(None)),
        "satisfied": count(row_.csat >= SATISFIED),
        "rated": count(row_.nps.is_not(None)),
        "promoters": count(row_.nps >= PROMOTER),
        "detractors": count(row_.nps < PASSIVE),
        "solved": count(row_.solved.is_(True)),
        "suggestions": count(row_.suggestion != ""),
        "to_call": count(row_.callback != ""),
        "called": count(row_.called_at.is_not(None)),
        "reopened": count(row_.reopened_at.is_not(None)),
        "second_complaints": count(row_.complaints > 0),
    }  # fmt: skip
    query = select(*(column.label(name) for name, column in columns.items())).where(row_.incident_id == incident_id)
    return Result(**dict(connection.execute(query).mappings().one()))


# --- forgetting --------------------------------------------------------------------------------------------------


def forget(connection: Connection, mark: str) -> list[str]:
    """Forget a customer in every incident: contact, number and words go, what is counted stays. Their ids of ours."""
    secure(connection)
    ids = list(connection.execute(select(CUSTOMER.c.id).where(CUSTOMER.c.mark == mark)).scalars())
    _erase(connection, ids)
    move(connection, ids, customer="", masked="", suggestion="", called_note="", way="", ways=[], zone="", owner="",
         state="forgotten", remind_at=None, callback="", callback_at=None)  # fmt: skip
    return ids


def erase_contacts(connection: Connection, incident_id: str) -> int:
    """Erase the contacts of an incident, a chunk of them; how many."""
    secure(connection)
    query = select(CONTACT.c.id).where(CONTACT.c.incident_id == incident_id).limit(CHUNK)
    ids = list(connection.execute(query).scalars())
    _erase(connection, ids)
    move(connection, ids, masked="")
    return len(ids)


def clean_words(connection: Connection, incident_id: str, clean: Callable[[str], str]) -> int:
    """Take contacts out of what customers and callers wrote; of how many. `clean`: a text without them."""
    secure(connection)
    written = or_(CUSTOMER.c.suggestion != "", CUSTOMER.c.called_note != "")
    query = select(CUSTOMER.c.id, CUSTOMER.c.suggestion, CUSTOMER.c.called_note)
    found = connection.execute(query.where(CUSTOMER.c.incident_id == incident_id, written)).all()
    changed = 0
    for row in found:
        values = {"suggestion": clean(row.suggestion), "called_note": clean(row.called_note)}
        if values != {"suggestion": row.suggestion, "called_note": row.called_note}:
            connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == row.id).values(**values))
            changed += 1
    return changed


def _erase(connection: Connection, ids: Sequence[str]) -> None:
    if ids:
        connection.execute(delete(CONTACT).where(CONTACT.c.id.in_(list(ids))))


def _in(incident_id: str, state: str) -> Any:
    return and_(CUSTOMER.c.incident_id == incident_id, CUSTOMER.c.state == state)
