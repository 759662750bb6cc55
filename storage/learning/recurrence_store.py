"""Recurrences: incidents as they are compared, which were examined, and the kinds that became a warning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Select, and_, case, func, insert, select, update

from domain.incident import CaseType, Incident
from domain.learning.similarity import IncidentFingerprint
from storage.incidents.incidents import INCIDENT, RESPONSE
from storage.incidents.warnings import WARNING, WarningRecord, parse_series
from storage.learning.learning_tables import RecurrenceCaseRow, RecurrenceRow
from storage.rows import read_all, read_first
from storage.samples.sample_store import LIVE_FEED

RECURRENCE = RecurrenceRow.__table__  # type: ignore[attr-defined]
RECURRENCE_CASE = RecurrenceCaseRow.__table__  # type: ignore[attr-defined]
RECURRENCE_RULE_PREFIX = "recurrence:"  # how the warnings of ours are told from those of figures
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
            INCIDENT.c.nature == str(CaseType.INCIDENT), INCIDENT.c.drill.is_(False), INCIDENT.c.status != "cancelled"
        )
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ComparedIncident:
    """A real incident as far as it is compared with others."""

    id: str
    ref: str
    title: str
    declared_at: DateTime
    service: str
    kind: str
    status: str
    playbook: str  # that it was declared with

    @property
    def fingerprint(self) -> IncidentFingerprint:
        """What of it is compared."""
        kind = "" if self.kind == NO_CAUSE else self.kind
        return IncidentFingerprint(self.id, self.title, self.declared_at, self.service, self.playbook, kind)


def make_fingerprint(incident: Incident, playbook: str) -> IncidentFingerprint:
    """Make the fingerprint of an incident that was just declared."""
    kind = "" if incident.kind == NO_CAUSE else incident.kind
    return IncidentFingerprint(incident.id, incident.title, incident.declared_at, incident.service, playbook, kind)


def list_past_incidents(
    connection: Connection, since: DateTime, until: DateTime, limit: int = MOST
) -> list[ComparedIncident]:
    """List real incidents declared between then and then, the newest first, without drills and cancelled ones."""
    span = (INCIDENT.c.declared_at >= since, INCIDENT.c.declared_at <= until)
    query = _prints().where(*span).order_by(INCIDENT.c.number.desc())
    return read_all(connection, ComparedIncident, query.limit(limit))


def list_open_incidents(connection: Connection, limit: int) -> list[ComparedIncident]:
    """List real incidents that are open or mitigated, the newest first."""
    query = _prints().where(INCIDENT.c.status.in_(("open", "mitigated")))
    return read_all(connection, ComparedIncident, query.order_by(INCIDENT.c.number.desc()).limit(limit))


def list_incidents_by_id(connection: Connection, ids: Iterable[str]) -> list[ComparedIncident]:
    """List the incidents of these ids, the earliest first."""
    query = _prints().where(INCIDENT.c.id.in_(list(ids)))
    return read_all(connection, ComparedIncident, query.order_by(INCIDENT.c.declared_at, INCIDENT.c.number))


# --- what is new -------------------------------------------------------------------------------------------------


def list_new_incidents(connection: Connection, since: DateTime, limit: int) -> list[ComparedIncident]:
    """List real incidents declared since then and not examined yet, the first declared first."""
    last = (
        select(func.max(INCIDENT.c.number))
        .join(RECURRENCE_CASE, RECURRENCE_CASE.c.id == INCIDENT.c.id)
        .scalar_subquery()
    )
    query = (
        _prints()
        .outerjoin(RECURRENCE_CASE, RECURRENCE_CASE.c.id == INCIDENT.c.id)
        .where(RECURRENCE_CASE.c.id.is_(None), INCIDENT.c.number > func.coalesce(last, 0) - OVERLAP)
        .where(INCIDENT.c.declared_at >= since)
        .order_by(INCIDENT.c.declared_at, INCIDENT.c.number)
    )
    return read_all(connection, ComparedIncident, query.limit(limit))


def list_new_tickets(connection: Connection, since: DateTime, limit: int) -> list[WarningRecord]:
    """List warnings of ticket categories that began since then and were not examined yet, the first one first."""
    last = select(func.max(RECURRENCE_CASE.c.at)).where(RECURRENCE_CASE.c.source == TICKETS)
    newest: DateTime | None = connection.execute(last).scalar_one_or_none()
    query = (
        select(WARNING)
        .outerjoin(RECURRENCE_CASE, RECURRENCE_CASE.c.id == WARNING.c.id)
        .where(
            WARNING.c.lane == LIVE_FEED,
            RECURRENCE_CASE.c.id.is_(None),
            ~WARNING.c.rule.startswith(RECURRENCE_RULE_PREFIX),
        )
        .where(WARNING.c.series.like('%"category"%'))
        .where(WARNING.c.began_at >= (max(since, newest - LATE) if newest is not None else since))
        .order_by(WARNING.c.began_at, WARNING.c.id)
    )
    return read_all(connection, WarningRecord, query.limit(limit))


def ticket_category(row: WarningRecord) -> str:
    """Return the category of tickets that a warning is about; empty where it is about none."""
    return dict(parse_series(row.series)).get("category", "")


def list_earlier_tickets(
    connection: Connection, rule: str, series: str, since: DateTime, until: DateTime
) -> list[WarningRecord]:
    """List warnings of that rule on that series which began between then and then, the earliest first."""
    same = (WARNING.c.lane == LIVE_FEED, WARNING.c.rule == rule, WARNING.c.series == series)
    span = (WARNING.c.began_at >= since, WARNING.c.began_at <= until)
    return read_all(connection, WarningRecord, select(WARNING).where(*same, *span).order_by(WARNING.c.began_at))


# --- kinds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RecurrenceRecord:
    """A kind of problem that recurred so often that it became a warning and a proposal, as recorded."""

    id: str  # of its warning
    kind: str  # what recurs, in words
    source: str  # incident | tickets
    title: dict[str, str]  # by language
    service: str  # where it is one and the same; else empty
    document: str  # id of the proposal; empty: none was written yet
    digest: str  # of the evidence that the proposal was last written from
    first_at: DateTime  # when its cases began, the first and the last
    last_at: DateTime
    ended_at: DateTime | None


@dataclass(frozen=True, slots=True)
class ListedRecurrence(RecurrenceRecord):
    """A recurrence as people read it, with its case."""

    ref: str | None  # the reference and state of the case that its warning runs; None: it runs none
    status: str | None


def record_case(connection: Connection, case_id: str, source: str, at: DateTime, recurrence: str = "") -> None:
    """Record an examined case and its recurrence (empty: none yet)."""
    known = connection.execute(select(RECURRENCE_CASE.c.id).where(RECURRENCE_CASE.c.id == case_id)).first()
    if known is None:
        connection.execute(insert(RECURRENCE_CASE).values(id=case_id, source=source, at=at, recurrence=recurrence))
    elif recurrence:
        connection.execute(update(RECURRENCE_CASE).where(RECURRENCE_CASE.c.id == case_id).values(recurrence=recurrence))


def list_case_ids(connection: Connection, recurrence: str) -> list[str]:
    """List the cases of a recurrence, by the ids of their incidents or warnings, the earliest first."""
    query = (
        select(RECURRENCE_CASE.c.id)
        .where(RECURRENCE_CASE.c.recurrence == recurrence)
        .order_by(RECURRENCE_CASE.c.at, RECURRENCE_CASE.c.id)
    )
    return list(connection.execute(query).scalars())


def list_running_recurrences(connection: Connection, source: str = "") -> list[RecurrenceRecord]:
    """List recurrences that are not over, the newest first."""
    query = select(RECURRENCE).where(RECURRENCE.c.ended_at.is_(None))
    if source:
        query = query.where(RECURRENCE.c.source == source)
    return read_all(connection, RecurrenceRecord, query.order_by(RECURRENCE.c.made_at.desc(), RECURRENCE.c.id))


def list_recurrences(connection: Connection, *, limit: int = 100) -> list[ListedRecurrence]:
    """List every recurrence, the newest first, with the reference and state of its case."""
    query = (
        select(RECURRENCE, INCIDENT.c.ref, INCIDENT.c.status)
        .outerjoin(WARNING, WARNING.c.id == RECURRENCE.c.id)
        .outerjoin(INCIDENT, INCIDENT.c.id == WARNING.c.matter)
        .order_by(RECURRENCE.c.made_at.desc(), RECURRENCE.c.id)
    )
    return read_all(connection, ListedRecurrence, query.limit(limit))


def add_recurrence(connection: Connection, **values: Any) -> None:
    """Add a recurrence that became a warning."""
    connection.execute(insert(RECURRENCE).values(document="", digest="", ended_at=None, **values))


def update_recurrence(connection: Connection, recurrence: str, **values: Any) -> None:
    """Update columns of a recurrence."""
    connection.execute(update(RECURRENCE).where(RECURRENCE.c.id == recurrence).values(**values))


def get_recurrence(connection: Connection, recurrence: str) -> RecurrenceRecord | None:
    """Return a recurrence by its id."""
    return read_first(connection, RecurrenceRecord, select(RECURRENCE).where(RECURRENCE.c.id == recurrence))


def list_tickets_by_id(connection: Connection, ids: Iterable[str]) -> list[WarningRecord]:
    """List the warnings of these ids, the earliest first."""
    query = select(WARNING).where(WARNING.c.id.in_(list(ids))).order_by(WARNING.c.began_at, WARNING.c.id)
    return read_all(connection, WarningRecord, query)


def find_case_id(connection: Connection, recurrence: str) -> str:
    """Find the id of the case that a recurrence's warning runs; empty while it has none."""
    query = select(WARNING.c.matter).where(WARNING.c.id == recurrence)
    return str(connection.execute(query).scalar_one_or_none() or "")


def list_recorded_cases(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the examined ones of these cases, each with its recurrence (empty: none)."""
    query = select(RECURRENCE_CASE.c.id, RECURRENCE_CASE.c.recurrence).where(RECURRENCE_CASE.c.id.in_(list(ids)))
    return {row.id: row.recurrence for row in connection.execute(query)}


def list_case_times(connection: Connection, ids: Iterable[str], source: str) -> list[DateTime]:
    """List when these cases began."""
    if source == TICKETS:
        return [row.began_at for row in list_tickets_by_id(connection, ids)]
    return [row.declared_at for row in list_incidents_by_id(connection, ids)]


@dataclass(frozen=True, slots=True)
class RecurrenceTotals:
    """Totals of all cases of a recurrence; money in the roster's currency."""

    cases: int
    customers: int
    orders: int
    money: int


def compute_totals(connection: Connection, recurrence: str) -> RecurrenceTotals:
    """Compute a recurrence's totals; warnings of tickets have no cost on record."""
    sums = (
        func.coalesce(func.sum(column), 0) for column in (INCIDENT.c.customers, INCIDENT.c.orders, INCIDENT.c.money)
    )
    query = (
        select(func.count(), *sums)
        .select_from(RECURRENCE_CASE)
        .outerjoin(INCIDENT, INCIDENT.c.id == RECURRENCE_CASE.c.id)
    )
    found = connection.execute(query.where(RECURRENCE_CASE.c.recurrence == recurrence)).one()
    return RecurrenceTotals(*(int(number) for number in found))


def count_case_states(connection: Connection, recurrence: str) -> list[tuple[Any, ...]]:
    """Count the cases of a recurrence by state: changes when one is added, moves on, or publishes."""
    mine = RECURRENCE_CASE.c.recurrence == recurrence
    query = select(INCIDENT.c.status, func.count(), func.max(INCIDENT.c.last_public_at), func.sum(INCIDENT.c.customers))
    by_status = (
        query.select_from(RECURRENCE_CASE).outerjoin(INCIDENT, INCIDENT.c.id == RECURRENCE_CASE.c.id).where(mine)
    )
    ended = select(func.count()).select_from(RECURRENCE_CASE).join(WARNING, WARNING.c.id == RECURRENCE_CASE.c.id)
    over = connection.execute(ended.where(mine, WARNING.c.ended_at.is_not(None))).scalar_one()
    rows = connection.execute(by_status.group_by(INCIDENT.c.status).order_by(INCIDENT.c.status))
    return [*(tuple(str(value) for value in row) for row in rows), (str(over),)]


def read_change_marker(connection: Connection) -> tuple[int, int, int]:
    """Return a change marker: how many cases were examined and counted, how many recurrences there are."""
    counted = func.coalesce(func.sum(case((RECURRENCE_CASE.c.recurrence != "", 1), else_=0)), 0)
    cases, among = connection.execute(select(func.count(), counted).select_from(RECURRENCE_CASE)).one()
    kinds = connection.execute(select(func.count()).where(RECURRENCE.c.ended_at.is_(None))).scalar_one()
    return int(cases), int(among), int(kinds)


def claim_digest(connection: Connection, recurrence: str, before: str, after: str, document: str) -> bool:
    """Claim writing the proposal from this evidence; False where another process has written it meanwhile."""
    mine = (RECURRENCE.c.id == recurrence) & (RECURRENCE.c.digest == before)
    return connection.execute(update(RECURRENCE).where(mine).values(digest=after, document=document)).rowcount == 1
