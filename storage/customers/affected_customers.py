"""Affected customers: imported once, found for the next batch, answered once, erased without a trace."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, insert, or_, select, update

from domain.customers.survey import (
    PASSIVE,
    PROMOTER,
    REOPENING_REASONS,
    SATISFIED,
    SurveyAnswer,
    SurveyResult,
    weightier_reason,
)
from storage.conflict_insert import insert_into
from storage.customers.customer_tables import TO_CALL, CustomerContactRow, CustomerRow
from storage.incidents.incidents import UnknownIncident
from storage.rows import read_all, read_first

CUSTOMER = CustomerRow.__table__  # type: ignore[attr-defined]
CONTACT = CustomerContactRow.__table__  # type: ignore[attr-defined]
UNANSWERED = ("new", "asked", "reminded", "unreached", "left")
CHUNK = 5_000  # rows of one transaction: the write lock is held for a fraction of a second


@dataclass(frozen=True, slots=True)
class CustomerRecord:
    """An affected customer of one incident as recorded, without the contact."""

    id: str  # ours, random: what messages, links and the outbox name
    incident_id: str
    customer: str  # the CRM's number; empty once forgotten
    masked: str  # the contact, so that a person knows it again and cannot use it
    way: str  # mail | phone: how they are asked next; empty: no way
    ways: list[str]  # every way in which they can be asked, the first one first
    position: int  # which of their ways was used last
    language: str
    zone: str  # where they are; no message goes there at night
    order_value: int  # money in hundredths, as is the compensation
    compensation: int
    poor_service: int  # how often within 30 days
    public: bool  # they complained in public
    poor_history: bool
    harmed: bool
    compensated: bool
    care: list[str]  # what is to be heeded with them
    owner: str  # the named person, where there is one
    rank: int  # smaller first: harm, brand, cost
    state: str  # new | asked | reminded | answered | unreached | left | forgotten
    reached: str  # sent | unknown | dead; empty: nothing went out yet
    asked_at: DateTime | None
    remind_at: DateTime | None  # when their reminder is due
    reminded_at: DateTime | None
    expires_at: DateTime | None  # the end of the link's life
    answered_at: DateTime | None
    csat: int | None  # 1 to 5
    nps: int | None  # 0 to 10
    solved: bool | None
    suggestion: str
    complaints: int  # after the close: second complaints
    reopened_at: DateTime | None
    callback: str  # why a person calls them; empty: nobody does
    callback_at: DateTime | None  # when that was first asked for
    called_at: DateTime | None
    called_by: str
    called_note: str  # what came of the call


class UnknownCustomer(UnknownIncident):
    """No such customer in that incident; the message says how to find the right one."""


def enable_secure_delete(connection: Connection) -> None:
    """Overwrite deleted data with zeros on this connection from now on (SQLite)."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def add_customers(connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
    """Add customers and return how many were new; each row has the columns of `CustomerRow` and `sealed`."""
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
    enable_secure_delete(connection)
    values = [{name: value for name, value in row.items() if name != "sealed"} for row in new.values()]
    statement = insert_into(connection, CUSTOMER).on_conflict_do_nothing(index_elements=["incident_id", "mark"])
    connection.execute(statement, values)
    contacts = [
        {"id": row["id"], "incident_id": incident_id, "sealed": row["sealed"]} for row in new.values() if row["sealed"]
    ]
    if contacts:
        connection.execute(insert(CONTACT), contacts)
    return len(new)


def find_customer(connection: Connection, incident_id: str, name: str, mark: str) -> CustomerRecord:
    """Find a customer of an incident by our id or the CRM's number.

    Raises:
        UnknownCustomer: there is none.
    """
    query = select(CUSTOMER).where(
        CUSTOMER.c.incident_id == incident_id, or_(CUSTOMER.c.id == name, CUSTOMER.c.mark == mark)
    )
    found = read_first(connection, CustomerRecord, query)
    if found is None:
        raise UnknownCustomer("there is no such customer of this incident: `tocsin customers list` names them")
    return found


def get_customer(connection: Connection, customer_id: str) -> CustomerRecord | None:
    """Return a customer by our id."""
    return read_first(connection, CustomerRecord, select(CUSTOMER).where(CUSTOMER.c.id == customer_id))


def get_sealed_contact(connection: Connection, customer_id: str) -> str:
    """Return the sealed contact; empty where there is none (any more)."""
    query = select(CONTACT.c.sealed).where(CONTACT.c.id == customer_id)
    return str(connection.execute(query).scalar_one_or_none() or "")


def update_customer(connection: Connection, customer_id: str, **values: Any) -> None:
    """Update columns of a customer."""
    enable_secure_delete(connection)
    connection.execute(update(CUSTOMER).where(CUSTOMER.c.id == customer_id).values(**values))


def list_customers(
    connection: Connection, incident_id: str, *, calls: bool = False, limit: int = 1_000, after: int = 0
) -> list[CustomerRecord]:
    """List the customers of an incident, the most urgent first; `calls`: those whom a person has still to call."""
    query = select(CUSTOMER).where(CUSTOMER.c.incident_id == incident_id)
    if calls:
        query = query.where(TO_CALL)
    query = query.order_by(CUSTOMER.c.rank, CUSTOMER.c.id).limit(limit).offset(after)
    return read_all(connection, CustomerRecord, query)


# --- the next batch ----------------------------------------------------------------------------------------------


def list_zones(connection: Connection, incident_id: str, state: str) -> list[str]:
    """List the time zones of reachable customers in that state."""
    query = select(CUSTOMER.c.zone).distinct()
    return list(connection.execute(query.where(_in(incident_id, state), CUSTOMER.c.way != "")).scalars())


def next_customers_to_ask(
    connection: Connection, incident_id: str, way: str, zones: Iterable[str], limit: int
) -> list[CustomerRecord]:
    """List the customers to ask next by that contact method, the most urgent first."""
    return _first(connection, [_in(incident_id, "new"), CUSTOMER.c.way == way], zones, limit)


def next_customers_to_remind(
    connection: Connection, incident_id: str, way: str, zones: Iterable[str], now: DateTime, limit: int
) -> list[CustomerRecord]:
    """List the customers to remind next."""
    wanted = [_in(incident_id, "asked"), CUSTOMER.c.way == way, CUSTOMER.c.remind_at <= now]
    return _first(connection, wanted, zones, limit)


def _first(
    connection: Connection, wanted: Sequence[ColumnElement[bool]], zones: Iterable[str], limit: int
) -> list[CustomerRecord]:
    """Select the first of each zone, and of those the first.

    An index gives each zone in order, without sorting.
    """
    found: list[CustomerRecord] = []
    for zone in zones:
        query = select(CUSTOMER).where(*wanted, CUSTOMER.c.zone == zone).order_by(CUSTOMER.c.rank).limit(limit)
        found += read_all(connection, CustomerRecord, query)
    return sorted(found, key=lambda row: (row.rank, row.id))[:limit]


def next_reminder_due(connection: Connection, incident_id: str, zone: str, now: DateTime) -> DateTime | None:
    """When the next reminder is due in that zone, now or later; None: none is."""
    query = select(func.min(CUSTOMER.c.remind_at)).where(_in(incident_id, "asked"), CUSTOMER.c.zone == zone)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return max(found, now) if found else None


def update_customers(connection: Connection, ids: Sequence[str], **values: Any) -> None:
    """Update columns of several customers."""
    if ids:
        enable_secure_delete(connection)
        connection.execute(update(CUSTOMER).where(CUSTOMER.c.id.in_(list(ids))).values(**values))


def request_callback(connection: Connection, row: CustomerRecord, because: str, now: DateTime, **values: Any) -> None:
    """Request a callback of this customer.

    The weightier reason stays, and an earlier call does not count any more.
    """
    if row.called_at is not None:
        values |= {"called_at": None, "called_by": "", "callback_at": now, "callback": because}
    else:
        values |= {"callback": weightier_reason(row.callback, because), "callback_at": row.callback_at or now}
    update_customer(connection, row.id, **values)


def newest_callback_at(connection: Connection, incident_id: str, *, reopened: bool) -> DateTime | None:
    """When the newest open callback was requested: of customers whose case is open again, or of the others."""
    again = CUSTOMER.c.callback.in_([str(one) for one in REOPENING_REASONS])
    query = select(func.max(CUSTOMER.c.callback_at))
    query = query.where(CUSTOMER.c.incident_id == incident_id, TO_CALL, again if reopened else ~again)
    found: DateTime | None = connection.execute(query).scalar_one_or_none()
    return found


def mark_not_asked(connection: Connection, ids: Sequence[str]) -> None:
    """Set customers back to not asked: their survey did not go out."""
    mine = and_(CUSTOMER.c.id.in_(list(ids)), CUSTOMER.c.state == "asked", CUSTOMER.c.reached == "")
    values = {"state": "new", "asked_at": None, "remind_at": None, "expires_at": None}
    if ids:
        connection.execute(update(CUSTOMER).where(mine).values(**values))


def mark_not_reminded(connection: Connection, ids: Sequence[str]) -> None:
    """Set customers back to not reminded: their reminder did not go out, and no other is sent by itself."""
    mine = and_(CUSTOMER.c.id.in_(list(ids)), CUSTOMER.c.state == "reminded")
    if ids:
        connection.execute(update(CUSTOMER).where(mine).values(state="asked", reminded_at=None))


def save_answer(connection: Connection, customer_id: str, said: SurveyAnswer, now: DateTime) -> bool:
    """Save an answer; False where there is one already: a link is good for one."""
    enable_secure_delete(connection)
    statement = update(CUSTOMER).where(
        CUSTOMER.c.id == customer_id, CUSTOMER.c.answered_at.is_(None), CUSTOMER.c.state.in_(UNANSWERED)
    )
    values = {
        "answered_at": now, "csat": said.csat, "nps": said.nps, "solved": said.solved,
        "suggestion": said.suggestion, "state": "answered",
    }  # fmt: skip
    return connection.execute(statement.values(**values)).rowcount == 1


def compute_result(connection: Connection, incident_id: str) -> SurveyResult:
    """Compute the follow-up's totals so far."""
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
    return SurveyResult(**dict(connection.execute(query).mappings().one()))


# --- forgetting --------------------------------------------------------------------------------------------------


def erase_customer(connection: Connection, mark: str) -> list[str]:
    """Erase a customer in every incident: contact, number and words go, what is counted stays. Returns our ids."""
    enable_secure_delete(connection)
    ids = list(connection.execute(select(CUSTOMER.c.id).where(CUSTOMER.c.mark == mark)).scalars())
    _erase(connection, ids)
    update_customers(
        connection,
        ids,
        customer="",
        masked="",
        suggestion="",
        called_note="",
        way="",
        ways=[],
        zone="",
        owner="",
        state="forgotten",
        remind_at=None,
        callback="",
        callback_at=None,
    )
    return ids


def erase_contacts(connection: Connection, incident_id: str) -> int:
    """Erase a chunk of an incident's contacts; return how many."""
    enable_secure_delete(connection)
    query = select(CONTACT.c.id).where(CONTACT.c.incident_id == incident_id).limit(CHUNK)
    ids = list(connection.execute(query).scalars())
    _erase(connection, ids)
    update_customers(connection, ids, masked="")
    return len(ids)


def redact_words(connection: Connection, incident_id: str, clean: Callable[[str], str]) -> int:
    """Redact contacts in what customers and callers wrote; return of how many. `clean`: a text without them."""
    enable_secure_delete(connection)
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
