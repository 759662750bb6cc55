"""What recurs, as rows: incidents as they are compared, which were looked at, and the kinds that became a warning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, Select, and_, case, func, insert, select, update

from domain.incident import Incident, Nature
from domain.learning.likeness import Fingerprint
from storage.incidents import INCIDENT, RESPONSE
from storage.learning_tables import RecurrenceCaseRow, RecurrenceRow
from storage.warnings import LIVE, WARNING, series_of

RECURRENCE = RecurrenceRow.__table__  # type: ignore[attr-defined]
CASE = RecurrenceCaseRow.__table__  # type: ignore[attr-defined]
RULE = "recurrence:"  # how the warnings of ours are told from those of figures
INCIDENTS, TICKETS = "incident", "tickets"
OVERLAP = 1_000  # numbers: a declaration may be committed after one with a higher number
LATE = timedelta(hours=1)
NO_CAUSE = "warning"  # the kind of an incident that a rule declared: it says nothing of the cause
MOST = 2_000


# --- incidents as they are compared ------------------------------------------------------------------------------


def _prints() -> Select[Any]:
    return (
        select(
            INCIDENT.c.id, INCIDENT.c.ref, INCIDENT.c.title, INCIDENT.c.declared_at, INCIDENT.c.service,
            INCIDENT.c.kind, INCIDENT.c.status, INCIDENT.c.number, RESPONSE.c.playbook,
        )
        .join(RESPONSE, and_(RESPONSE.c.incident_id == INCIDENT.c.id, RESPONSE.c.position == 0))
        .where(
            INCIDENT.c.nature == str(Nature.INCIDENT), INCIDENT.c.drill.is_(False), INCIDENT.c.status != "cancelled"
        )
    )  # fmt: skip


def print_of(row: Row[Any]) -> Fingerprint:
    """An incident as it is compared."""
    kind = "" if row.kind == NO_CAUSE else row.kind
    return Fingerprint(row.id, row.title, row.declared_at, row.service, row.playbook, kind)


def print_of_incident(incident: Incident, playbook: str) -> Fingerprint:
    """The same of an incident that was just declared."""
    kind = "" if incident.kind == NO_CAUSE else incident.kind
    return Fingerprint(incident.id, incident.title, incident.declared_at, incident.service, playbook, kind)


def past(connection: Connection, since: DateTime, until: DateTime, limit: int = MOST) -> list[Row[Any]]:
    """Real incidents declared between then and then, the newest first. Drills and cancelled ones are none."""
    span = (INCIDENT.c.declared_at >= since, INCIDENT.c.declared_at <= until)
    return list(connection.execute(_prints().where(*span).order_by(INCIDENT.c.number.desc()).limit(limit)))


def open_ones(connection: Connection, limit: int) -> list[Row[Any]]:
    """Real incidents that are open or mitigated, the newest first."""
    query = _prints().where(INCIDENT.c.status.in_(("open", "mitigated")))
    return list(connection.execute(query.order_by(INCIDENT.c.number.desc()).limit(limit)))


def of_ids(connection: Connection, ids: Iterable[str]) -> list[Row[Any]]:
    """These of them, the earliest first."""
    query = _prints().where(INCIDENT.c.id.in_(list(ids)))
    return list(connection.execute(query.order_by(INCIDENT.c.declared_at, INCIDENT.c.number)))


# --- what is new -------------------------------------------------------------------------------------------------


def new_incidents(connection: Connection, since: DateTime, limit: int) -> list[Row[Any]]:
    """Real incidents declared since then that were not looked at yet, the first declared first."""
    last = select(func.max(INCIDENT.c.number)).join(CASE, CASE.c.id == INCIDENT.c.id).scalar_subquery()
    query = (
        _prints()
        .outerjoin(CASE, CASE.c.id == INCIDENT.c.id)
        .where(CASE.c.id.is_(None), INCIDENT.c.number > func.coalesce(last, 0) - OVERLAP)
        .where(INCIDENT.c.declared_at >= since)
        .order_by(INCIDENT.c.declared_at, INCIDENT.c.number)
    )
    return list(connection.execute(query.limit(limit)))


def new_tickets(connection: Connection, since: DateTime, limit: int) -> list[Row[Any]]:
    """Warnings of a category of tickets that began since then and were not looked at yet, the first one first."""
    last = select(func.max(CASE.c.at)).where(CASE.c.source == TICKETS)
    newest: DateTime | None = connection.execute(last).scalar_one_or_none()
    query = (
        select(WARNING)
        .outerjoin(CASE, CASE.c.id == WARNING.c.id)
        .where(WARNING.c.lane == LIVE, CASE.c.id.is_(None), ~WARNING.c.rule.startswith(RULE))
        .where(WARNING.c.series.like('%"category"%'))
        .where(WARNING.c.began_at >= (max(since, newest - LATE) if newest is not None else since))
        .order_by(WARNING.c.began_at, WARNING.c.id)
    )
    return list(connection.execute(query.limit(limit)))


def category_of(row: Row[Any]) -> str:
    """The category of tickets that a warning is about; empty where it is about none."""
    return dict(series_of(row.series)).get("category", "")


def earlier_tickets(connection: Connection, rule: str, series: str, since: DateTime, until: DateTime) -> list[Row[Any]]:
    """Warnings of that rule on that series which began between then and then, the earliest first."""
    same = (WARNING.c.lane == LIVE, WARNING.c.rule == rule, WARNING.c.series == series)
    span = (WARNING.c.began_at >= since, WARNING.c.began_at <= until)
    return list(connection.execute(select(WARNING).where(*same, *span).order_by(WARNING.c.began_at)))


# --- kinds -------------------------------------------------------------------------------------------------------


def seen(connection: Connection, case_id: str, source: str, at: DateTime, recurrence: str = "") -> None:
    """It was looked at, and belongs to that kind, or to none yet."""
    known = connection.execute(select(CASE.c.id).where(CASE.c.id == case_id)).first()
    if known is None:
        connection.execute(insert(CASE).values(id=case_id, source=source, at=at, recurrence=recurrence))
    elif recurrence:
        connection.execute(update(CASE).where(CASE.c.id == case_id).values(recurrence=recurrence))


def cases_of(connection: Connection, recurrence: str) -> list[str]:
    """The cases of a kind, by the ids of their incidents or warnings, the earliest first."""
    query = select(CASE.c.id).where(CASE.c.recurrence == recurrence).order_by(CASE.c.at, CASE.c.id)
    return list(connection.execute(query).scalars())


def running(connection: Connection, source: str = "") -> list[Row[Any]]:
    """Kinds that are not over, the newest first."""
    query = select(RECURRENCE).where(RECURRENCE.c.ended_at.is_(None))
    if source:
        query = query.where(RECURRENCE.c.source == source)
    return list(connection.execute(query.order_by(RECURRENCE.c.made_at.desc(), RECURRENCE.c.id)))


def listed(connection: Connection, *, limit: int = 100) -> list[Row[Any]]:
    """Every kind that became a warning, the newest first, with the reference and state of its matter."""
    query = (
        select(RECURRENCE, WARNING.c.matter, INCIDENT.c.ref, INCIDENT.c.status)
        .outerjoin(WARNING, WARNING.c.id == RECURRENCE.c.id)
        .outerjoin(INCIDENT, INCIDENT.c.id == WARNING.c.matter)
        .order_by(RECURRENCE.c.made_at.desc(), RECURRENCE.c.id)
    )
    return list(connection.execute(query.limit(limit)))


def add(connection: Connection, **values: Any) -> None:
    """A kind became a warning."""
    connection.execute(insert(RECURRENCE).values(document="", digest="", ended_at=None, **values))


def change(connection: Connection, recurrence: str, **values: Any) -> None:
    """Write these columns of a kind."""
    connection.execute(update(RECURRENCE).where(RECURRENCE.c.id == recurrence).values(**values))


def get(connection: Connection, recurrence: str) -> Row[Any] | None:
    """A kind by its id."""
    return connection.execute(select(RECURRENCE).where(RECURRENCE.c.id == recurrence)).first()


def tickets_of(connection: Connection, ids: Iterable[str]) -> list[Row[Any]]:
    """These warnings, the earliest first."""
    query = select(WARNING).where(WARNING.c.id.in_(list(ids))).order_by(WARNING.c.began_at, WARNING.c.id)
    return list(connection.execute(query))


def matter_of(connection: Connection, recurrence: str) -> str:
    """The id of the matter that the warning of a kind runs; empty while it has none."""
    query = select(WARNING.c.matter).where(WARNING.c.id == recurrence)
    return str(connection.execute(query).scalar_one_or_none() or "")


def seen_among(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Those of these cases that were looked at, each with the kind that it belongs to (empty: none)."""
    query = select(CASE.c.id, CASE.c.recurrence).where(CASE.c.id.in_(list(ids)))
    return {row.id: row.recurrence for row in connection.execute(query)}


def times_of(connection: Connection, ids: Iterable[str], source: str) -> list[DateTime]:
    """When these cases began."""
    if source == TICKETS:
        return [row.began_at for row in tickets_of(connection, ids)]
    return [row.declared_at for row in of_ids(connection, ids)]


@dataclass(frozen=True, slots=True)
class Totals:
    """What all cases of a kind came to; money in the roster's currency."""

    cases: int
    customers: int
    orders: int
    money: int


def totals_of(connection: Connection, recurrence: str) -> Totals:
    """What the cases of a kind came to; warnings of tickets cost nothing that is on record."""
    sums = (
        func.coalesce(func.sum(column), 0) for column in (INCIDENT.c.customers, INCIDENT.c.orders, INCIDENT.c.money)
    )
    query = select(func.count(), *sums).select_from(CASE).outerjoin(INCIDENT, INCIDENT.c.id == CASE.c.id)
    found = connection.execute(query.where(CASE.c.recurrence == recurrence)).one()
    return Totals(*(int(number) for number in found))


def standing_of(connection: Connection, recurrence: str) -> list[tuple[Any, ...]]:
    """How the cases of a kind stand, counted: changes when one is added, moves on, or says something in public."""
    mine = CASE.c.recurrence == recurrence
    query = select(INCIDENT.c.status, func.count(), func.max(INCIDENT.c.last_public_at), func.sum(INCIDENT.c.customers))
    by_status = query.select_from(CASE).outerjoin(INCIDENT, INCIDENT.c.id == CASE.c.id).where(mine)
    ended = select(func.count()).select_from(CASE).join(WARNING, WARNING.c.id == CASE.c.id)
    over = connection.execute(ended.where(mine, WARNING.c.ended_at.is_not(None))).scalar_one()
    rows = connection.execute(by_status.group_by(INCIDENT.c.status).order_by(INCIDENT.c.status))
    return [*(tuple(str(value) for value in row) for row in rows), (str(over),)]


def mark(connection: Connection) -> tuple[int, int, int]:
    """Changes with whatever is judged by: how many cases were looked at and counted, how many kinds there are."""
    counted = func.coalesce(func.sum(case((CASE.c.recurrence != "", 1), else_=0)), 0)
    cases, among = connection.execute(select(func.count(), counted).select_from(CASE)).one()
    kinds = connection.execute(select(func.count()).where(RECURRENCE.c.ended_at.is_(None))).scalar_one()
    return int(cases), int(among), int(kinds)


def take_digest(connection: Connection, recurrence: str, before: str, after: str, document: str) -> bool:
    """The proposal is written from this evidence now; False where somebody else has written it meanwhile."""
    mine = (RECURRENCE.c.id == recurrence) & (RECURRENCE.c.digest == before)
    return connection.execute(update(RECURRENCE).where(mine).values(digest=after, document=document)).rowcount == 1
