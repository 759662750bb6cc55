"""Records of reviews: periods claimed once, retrospectives drafted once, and daily shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, and_, delete, exists, func, or_, select, update

from domain.incident import CaseType, Incident
from storage.conflict_insert import insert_into
from storage.incidents.incidents import INCIDENT, RESPONSE, incident_from_row
from storage.reviews.review_tables import DayFigureRow, RetrospectiveRow, ReviewRunRow
from storage.rows import read_all, read_first

REVIEW_RUN = ReviewRunRow.__table__  # type: ignore[attr-defined]
RETROSPECTIVE = RetrospectiveRow.__table__  # type: ignore[attr-defined]
DAY_FIGURE = DayFigureRow.__table__  # type: ignore[attr-defined]
OVER = ("closed", "completed")


@dataclass(frozen=True, slots=True)
class ReviewRunRecord:
    """A reviewed period as recorded."""

    kind: str
    period: str  # 2026-W47, 2026-11 ...
    made_at: DateTime
    late: bool  # a newer period was over already when it was made: it had been missed
    document: str  # id of the document; empty: none was wanted
    matter: str  # reference of the review that carries it to its owner
    trouble: str  # why nobody was called for it


@dataclass(frozen=True, slots=True)
class RetrospectiveRecord:
    """The retrospective of a case as recorded, but for its document."""

    incident_id: str
    made_at: DateTime
    over_at: DateTime | None  # when the case was over, as the document says
    matter: str  # reference of the review; empty: the case's own playbook holds it
    words: dict[str, str]  # what people wrote: section -> text
    next_at: DateTime | None  # when it is made anew with the effects; None: they are traced


# --- periods -----------------------------------------------------------------------------------------------------


def last_run(connection: Connection, kind: str) -> str:
    """Return the newest reviewed period of a kind; empty: none was."""
    query = select(REVIEW_RUN.c.period).where(REVIEW_RUN.c.kind == kind).order_by(REVIEW_RUN.c.ends_at.desc()).limit(1)
    return str(connection.execute(query).scalar_one_or_none() or "")


def claim_period(connection: Connection, kind: str, period: str, **values: Any) -> bool:
    """Claim a period in the caller's transaction; False where another process has it and its results."""
    statement = insert_into(connection, REVIEW_RUN).values(kind=kind, period=period, **values).on_conflict_do_nothing()
    return connection.execute(statement.returning(REVIEW_RUN.c.period)).scalar_one_or_none() is not None


def release_period(connection: Connection, kind: str, period: str) -> None:
    """Release the claim of a period without results."""
    connection.execute(
        delete(REVIEW_RUN).where(REVIEW_RUN.c.kind == kind, REVIEW_RUN.c.period == period, REVIEW_RUN.c.document == "")
    )


def update_run(connection: Connection, kind: str, period: str, **values: Any) -> None:
    """Record the results of a claimed period."""
    connection.execute(
        update(REVIEW_RUN).where(REVIEW_RUN.c.kind == kind, REVIEW_RUN.c.period == period).values(**values)
    )


def list_runs(connection: Connection, *, kind: str = "", limit: int = 50) -> list[ReviewRunRecord]:
    """List reviewed periods, the newest first."""
    query = select(REVIEW_RUN).order_by(REVIEW_RUN.c.ends_at.desc(), REVIEW_RUN.c.kind).limit(limit)
    return read_all(connection, ReviewRunRecord, query.where(REVIEW_RUN.c.kind == kind) if kind else query)


# --- matters of a span of time -----------------------------------------------------------------------------------


def list_cases(
    connection: Connection, start: DateTime, end: DateTime, natures: Sequence[CaseType], *, column: str = "declared_at"
) -> list[Incident]:
    """List the cases of these types whose `column` lies in [start, end), the oldest first; drills too."""
    when = INCIDENT.c[column]
    query = select(INCIDENT).where(INCIDENT.c.nature.in_([str(one) for one in natures]), when >= start, when < end)
    return [incident_from_row(row) for row in connection.execute(query.order_by(INCIDENT.c.number))]


# --- retrospectives ----------------------------------------------------------------------------------------------


def list_wanted_retrospectives(
    connection: Connection, serious: Sequence[str], playbook: str, since: DateTime, limit: int
) -> list[str]:
    """List cases that need a retrospective: serious incidents that are over, warnings that run `playbook`.

    Those without one, those that were over again since it was made, and warnings that are over by now. Nothing
    that was declared before `since`: a new version does not call people for the whole past.
    """
    mine = RETROSPECTIVE.c.incident_id == INCIDENT.c.id
    asked = exists().where(RESPONSE.c.incident_id == INCIDENT.c.id, RESPONSE.c.playbook == playbook)
    incident = and_(
        INCIDENT.c.nature == "incident", INCIDENT.c.severity.in_(list(serious)), INCIDENT.c.status.in_(OVER)
    )
    warning = and_(INCIDENT.c.nature == "warning", INCIDENT.c.status != "cancelled", asked)
    closed_since = and_(
        INCIDENT.c.closed_at.is_not(None), RETROSPECTIVE.c.over_at.is_distinct_from(INCIDENT.c.closed_at)
    )
    query = (
        select(INCIDENT.c.id)
        .outerjoin(RETROSPECTIVE, mine)
        .where(or_(incident, warning), INCIDENT.c.drill.is_(False), INCIDENT.c.declared_at >= since)
        .where(or_(RETROSPECTIVE.c.incident_id.is_(None), closed_since))
        .order_by(INCIDENT.c.number)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def list_due_retrospectives(connection: Connection, now: DateTime, limit: int) -> list[str]:
    """List cases whose retrospective is due to be made again, with the effects so far."""
    query = select(RETROSPECTIVE.c.incident_id).where(RETROSPECTIVE.c.next_at <= now)
    return list(connection.execute(query.order_by(RETROSPECTIVE.c.next_at).limit(limit)).scalars())


def get_retrospective(connection: Connection, incident_id: str) -> RetrospectiveRecord | None:
    """Return the retrospective of a case; None: there is none yet."""
    query = select(RETROSPECTIVE).where(RETROSPECTIVE.c.incident_id == incident_id)
    return read_first(connection, RetrospectiveRecord, query)


def save_retrospective(connection: Connection, incident_id: str, **values: Any) -> None:
    """Save a retrospective, in the place of an earlier one; columns not named stay."""
    new = {"matter": "", "words": {}, **values}
    statement = insert_into(connection, RETROSPECTIVE).values(incident_id=incident_id, **new)
    connection.execute(statement.on_conflict_do_update(index_elements=["incident_id"], set_=values))


# --- days --------------------------------------------------------------------------------------------------------


def save_day_figure(connection: Connection, day: str, metric: str, events: float, good: float, now: DateTime) -> None:
    """Save a day's share; an earlier one of more events stays: raw samples are deleted after a day."""
    statement = insert_into(connection, DAY_FIGURE).values(day=day, metric=metric, events=events, good=good, at=now)
    changed = {"events": events, "good": good, "at": now}
    more = statement.excluded.events >= DAY_FIGURE.c.events
    connection.execute(statement.on_conflict_do_update(index_elements=["day", "metric"], set_=changed, where=more))


def list_day_figures(connection: Connection, metric: str, first: str, last: str) -> dict[str, tuple[float, float]]:
    """Return events and good ones of each known day from first to last."""
    query = select(DAY_FIGURE).where(DAY_FIGURE.c.metric == metric, DAY_FIGURE.c.day >= first, DAY_FIGURE.c.day <= last)
    return {row.day: (row.events, row.good) for row in connection.execute(query)}


def newest_day_figure_at(connection: Connection) -> DateTime | None:
    """When a day's share was saved last."""
    found: DateTime | None = connection.execute(select(func.max(DAY_FIGURE.c.at))).scalar_one_or_none()
    return found
