"""Reviews as rows: a period is claimed once, a retrospective is drafted once, days keep what no rollup does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pendulum import DateTime
from sqlalchemy import Connection, Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.incident import Nature
from storage.incidents import INCIDENT, RESPONSE
from storage.review_tables import DayFigureRow, RetrospectiveRow, ReviewRunRow

RUN = ReviewRunRow.__table__  # type: ignore[attr-defined]
RETROSPECTIVE = RetrospectiveRow.__table__  # type: ignore[attr-defined]
DAY = DayFigureRow.__table__  # type: ignore[attr-defined]
OVER = ("closed", "completed")


# --- periods -----------------------------------------------------------------------------------------------------


def last_run(connection: Connection, kind: str) -> str:
    """The newest period of a kind that was reviewed; empty: none was."""
    query = select(RUN.c.period).where(RUN.c.kind == kind).order_by(RUN.c.ends_at.desc()).limit(1)
    return str(connection.execute(query).scalar_one_or_none() or "")


def claim(connection: Connection, kind: str, period: str, **values: Any) -> bool:
    """Claim a period in the caller's transaction; False where somebody has it, who then has made it whole."""
    statement = _dialect(connection).insert(RUN).values(kind=kind, period=period, **values).on_conflict_do_nothing()
    return connection.execute(statement.returning(RUN.c.period)).scalar_one_or_none() is not None


def give_back(connection: Connection, kind: str, period: str) -> None:
    """Let a period that came to nothing be claimed again."""
    connection.execute(delete(RUN).where(RUN.c.kind == kind, RUN.c.period == period, RUN.c.document == ""))


def note_run(connection: Connection, kind: str, period: str, **values: Any) -> None:
    """What became of a period that is claimed."""
    connection.execute(update(RUN).where(RUN.c.kind == kind, RUN.c.period == period).values(**values))


def runs(connection: Connection, *, kind: str = "", limit: int = 50) -> list[Row[Any]]:
    """Periods that were reviewed, the newest first."""
    query = select(RUN).order_by(RUN.c.ends_at.desc(), RUN.c.kind).limit(limit)
    return list(connection.execute(query.where(RUN.c.kind == kind) if kind else query))


# --- matters of a span of time -----------------------------------------------------------------------------------


def matters(
    connection: Connection, start: DateTime, end: DateTime, natures: Sequence[Nature], *, column: str = "declared_at"
) -> list[Row[Any]]:
    """The matters of these natures whose `column` lies in [start, end), the oldest first; drills too."""
    when = INCIDENT.c[column]
    query = select(INCIDENT).where(INCIDENT.c.nature.in_([str(one) for one in natures]), when >= start, when < end)
    return list(connection.execute(query.order_by(INCIDENT.c.number)))


# --- retrospectives ----------------------------------------------------------------------------------------------


def wanted(connection: Connection, serious: Sequence[str], playbook: str, since: DateTime, limit: int) -> list[str]:
    """Matters that want a retrospective made: serious incidents that are over, warnings that run `playbook`.

    Those without one, those that were over again since it was made, and warnings that are over by now. Nothing that
    was declared before `since`: whoever installs a new version is not called for the whole past.
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


def traced(connection: Connection, now: DateTime, limit: int) -> list[str]:
    """Matters whose retrospective is to be made anew now, with the effects so far."""
    query = select(RETROSPECTIVE.c.incident_id).where(RETROSPECTIVE.c.next_at <= now)
    return list(connection.execute(query.order_by(RETROSPECTIVE.c.next_at).limit(limit)).scalars())


def retrospective(connection: Connection, incident_id: str) -> Row[Any] | None:
    """The retrospective of a matter; None: there is none yet."""
    return connection.execute(select(RETROSPECTIVE).where(RETROSPECTIVE.c.incident_id == incident_id)).first()


def keep_retrospective(connection: Connection, incident_id: str, **values: Any) -> None:
    """Keep it, in the place of an earlier one; what is not named stays."""
    new = {"matter": "", "words": {}, **values}
    statement = _dialect(connection).insert(RETROSPECTIVE).values(incident_id=incident_id, **new)
    connection.execute(statement.on_conflict_do_update(index_elements=["incident_id"], set_=values))


# --- days --------------------------------------------------------------------------------------------------------


def keep_day(connection: Connection, day: str, metric: str, events: float, good: float, now: DateTime) -> None:
    """Keep a day's share; one of more events stays: raw samples are forgotten after a day."""
    statement = _dialect(connection).insert(DAY).values(day=day, metric=metric, events=events, good=good, at=now)
    changed = {"events": events, "good": good, "at": now}
    more = statement.excluded.events >= DAY.c.events
    connection.execute(statement.on_conflict_do_update(index_elements=["day", "metric"], set_=changed, where=more))


def days(connection: Connection, metric: str, first: str, last: str) -> dict[str, tuple[float, float]]:
    """Events and good ones of each day from first to last, as far as they are known."""
    query = select(DAY).where(DAY.c.metric == metric, DAY.c.day >= first, DAY.c.day <= last)
    return {row.day: (row.events, row.good) for row in connection.execute(query)}


def newest_day(connection: Connection) -> DateTime | None:
    """When a day's share was kept last."""
    found: DateTime | None = connection.execute(select(func.max(DAY.c.at))).scalar_one_or_none()
    return found


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite
