"""Past incidents: searched by text, service, person and time, and summarised by month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, Float, String, cast, exists, extract, func, or_, select, type_coerce

from domain.incident import CaseType
from storage.incidents.board import incident_summary
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP, incident_from_row
from storage.incidents.tables import DOERS, PUBLIC, WORDS
from storage.incidents.timeline import FACT

PAGE_SIZE: Final = 30
_SECOND: Final = 1_000_000.0  # microseconds, as SQLite keeps times


@dataclass(frozen=True, slots=True)
class IncidentQuery:
    """A search for incidents; an empty field narrows nothing.

    Attributes:
        text: words of its title, service, kind, reference, notes and corrections.
        person: who did one of its steps.
        since, until: when it was declared.
        before: only incidents declared before that number, for the next page.
    """

    text: str = ""
    service: str = ""
    playbook: str = ""
    person: str = ""
    since: DateTime | None = None
    until: DateTime | None = None
    drills: bool = False
    before: int = 0


def search_incidents(connection: Connection, wanted: IncidentQuery) -> list[dict[str, Any]]:
    """Search incidents and warnings that called somebody: the newest `PAGE_SIZE`, summaries with `number`."""
    query = select(INCIDENT).where(INCIDENT.c.nature.in_([str(CaseType.INCIDENT), str(CaseType.WARNING)]))
    if not wanted.drills:
        query = query.where(INCIDENT.c.drill.is_(False))
    for condition in _conditions(wanted):
        query = query.where(condition)
    rows = connection.execute(query.order_by(INCIDENT.c.number.desc()).limit(PAGE_SIZE))
    return [{**incident_summary(incident_from_row(row)), "number": row.number} for row in rows]


def _conditions(wanted: IncidentQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.before:
        found.append(INCIDENT.c.number < wanted.before)
    if wanted.since:
        found.append(INCIDENT.c.declared_at >= wanted.since)
    if wanted.until:
        found.append(INCIDENT.c.declared_at < wanted.until)
    if wanted.service:
        found.append(INCIDENT.c.service == wanted.service)
    found += [_says(word) for word in wanted.text.split()]
    mine = select(RESPONSE.c.id).where(RESPONSE.c.incident_id == INCIDENT.c.id)
    if wanted.playbook:
        found.append(exists(mine.where(RESPONSE.c.playbook == wanted.playbook)))
    if wanted.person:
        did = select(STEP.c.response_id).where(STEP.c.done_by == wanted.person, DOERS)
        found.append(INCIDENT.c.id.in_(select(RESPONSE.c.incident_id).where(RESPONSE.c.id.in_(did))))
    return found


def _says(word: str) -> ColumnElement[bool]:
    columns = (INCIDENT.c.title, INCIDENT.c.ref, INCIDENT.c.service, INCIDENT.c.kind, INCIDENT.c.origin)
    noted = select(FACT.c.incident_id).where(
        WORDS, cast(type_coerce(FACT.c.data, String), String).icontains(word, autoescape=True)
    )
    return or_(*(column.icontains(word, autoescape=True) for column in columns), INCIDENT.c.id.in_(noted))


# --- by the month ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class MonthSummary:
    """Summary of a month: real incidents (without cancelled ones), and how they were handled.

    Attributes:
        acknowledged, seconds: steps that somebody took, and the seconds from the call to that, summed up.
        done, in_time: steps that were done, and of these in time.
        spoken, silent_seconds: incidents with a public word, and the seconds from declaration to the first,
            summed up.
    """

    incidents: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    done: int = 0
    in_time: int = 0
    spoken: int = 0
    silent_seconds: float = 0.0

    @property
    def mtta(self) -> float | None:
        """The mean time to acknowledge, seconds."""
        return self.seconds / self.acknowledged if self.acknowledged else None

    @property
    def share_in_time(self) -> float | None:
        """The share of done steps that were in time."""
        return self.in_time / self.done if self.done else None

    @property
    def first_word(self) -> float | None:
        """The mean time from declaration to the first public statement, seconds, of incidents that had one."""
        return self.silent_seconds / self.spoken if self.spoken else None


def summarize_months(connection: Connection, since: DateTime, zone: str) -> Mapping[str, MonthSummary]:
    """Summarise the incidents declared in each month of `zone`, by month (`2026-10`)."""
    wanted = (
        INCIDENT.c.declared_at >= since, INCIDENT.c.drill.is_(False), INCIDENT.c.status != "cancelled",
        INCIDENT.c.nature == str(CaseType.INCIDENT),
    )  # fmt: skip
    found: dict[str, MonthSummary] = {}
    month_of, declared = {}, {}
    for row in connection.execute(select(INCIDENT.c.id, INCIDENT.c.declared_at).where(*wanted)):
        name = row.declared_at.in_timezone(zone).format("YYYY-MM")
        month_of[row.id], declared[row.id] = name, row.declared_at
        found.setdefault(name, MonthSummary()).incidents += 1
    answered = _seconds(connection, STEP.c.acknowledged_at, STEP.c.opened_at)
    late = STEP.c.done_at > STEP.c.due_at
    query = (
        select(
            RESPONSE.c.incident_id,
            func.count(answered),
            func.coalesce(func.sum(answered), 0.0),
            func.count(STEP.c.done_at).filter(STEP.c.status == "done"),
            func.count(STEP.c.done_at).filter(STEP.c.status == "done", late),
        )
        .join(RESPONSE, RESPONSE.c.id == STEP.c.response_id)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(*wanted, STEP.c.opened_at.is_not(None))
        .group_by(RESPONSE.c.incident_id)
    )
    for incident, acknowledged, seconds, done, too_late in connection.execute(query):
        month = found[month_of[incident]]
        month.acknowledged += acknowledged
        month.seconds += float(seconds)
        month.done += done
        month.in_time += done - too_late
    first = select(FACT.c.incident_id, func.min(FACT.c.at)).where(PUBLIC).group_by(FACT.c.incident_id)
    for incident, at in connection.execute(first):
        if incident in month_of:
            month = found[month_of[incident]]
            month.spoken += 1
            month.silent_seconds += max(0.0, (at - declared[incident]).total_seconds())
    return found


def _seconds(connection: Connection, later: Any, earlier: Any) -> ColumnElement[Any]:
    """Seconds between two times; null where one is not known."""
    if connection.dialect.name == "postgresql":
        return cast(extract("epoch", later - earlier), Float)
    return (type_coerce(later, Float) - type_coerce(earlier, Float)) / _SECOND
