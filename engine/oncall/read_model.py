"""Read model of on-call, for pages, the terminal and programs. JSON-able, times in ISO 8601."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.durations import later
from domain.oncall import Duties, DutyOverride, DutyPeriod, list_role_periods, resolve_roster
from domain.roster import Roster
from engine.installation import Installation
from storage.oncall import schedule_changes

DAYS = 14


def list_shifts(installation: Installation, now: DateTime, *, role: str = "", count: int = DAYS) -> dict[str, Any]:
    """List the next days of every role, or of one: spans without hole or overlap, and gaps of calendars.

    Raises:
        BadFile: there has been no readable roster yet.
        KeyError: the roster has no such role.
    """
    roster, duties = installation.written_roster(), installation.duties()
    end = later(now, timedelta(days=count))
    wanted = [roster.roles[role].id] if role else list(roster.roles)
    rows = [_role(roster, duties, name, now, end) for name in wanted]
    return {
        "from": now.isoformat(),
        "until": end.isoformat(),
        "roles": rows,
        "gaps": [{"role": row["role"], **gap} for row in rows for gap in row["gaps"]],
        "findings": installation.on_duty.findings(roster),
    }


def _role(roster: Roster, duties: Duties, name: str, start: DateTime, end: DateTime) -> dict[str, Any]:
    found = list_role_periods(roster, duties, name, start, end)
    return {
        "role": name,
        "title": roster.roles[name].title,
        "calendar": name in duties.rotas,
        "spans": [_span(roster, span) for span in found],
        "gaps": [_span(roster, span) for span in found if span.gap],
    }


def _span(roster: Roster, span: DutyPeriod) -> dict[str, Any]:
    return {
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "person": span.person,
        "name": roster.name(span.person),
        "backup": span.backup,
        "source": str(span.source),
        "gap": span.gap,
    }


def list_on_duty(installation: Installation, at: DateTime, *, role: str = "") -> list[dict[str, Any]]:
    """List who has each role, or one, at a moment, until when, and why.

    Raises:
        KeyError: the roster has no such role.
    """
    roster, duties = installation.written_roster(), installation.duties()
    wanted = [roster.roles[role].id] if role else list(roster.roles)
    then, _ = resolve_roster(roster, duties, at)
    found = []
    for name in wanted:
        span = list_role_periods(roster, duties, name, at, later(at, timedelta(days=DAYS)))[0]
        moves = name in duties.roles()
        found.append(
            {
                "id": name,
                "title": roster.roles[name].title,
                "primary": then.roles[name].primary,
                "backup": then.roles[name].backup,
                "source": str(span.source),
                "gap": span.gap,
                "until": span.end.isoformat() if moves else None,
            }
        )
    return found


def list_overrides(installation: Installation, now: DateTime, *, past: bool = False) -> list[dict[str, Any]]:
    """List overrides that are not over; `past`: also those over in the last 92 days."""
    since = later(now, -timedelta(days=92)) if past else now
    with installation.database.read() as connection:
        found = schedule_changes.list_overrides(connection, since)
    return [override_row(one, now) for one in found if past or not _is_over(one, now)]


def override_row(one: DutyOverride, now: DateTime) -> dict[str, Any]:
    """Return one override as a row."""
    return {
        "id": one.id,
        "role": one.role,
        "person": one.person,
        "from": one.start.isoformat(),
        "until": one.until.isoformat(),
        "reason": one.reason,
        "by": one.by,
        "made_at": one.made_at.isoformat(),
        "ended_by": one.ended_by or None,
        "state": "over" if _is_over(one, now) else "on" if one.start <= now else "ahead",
    }


def _is_over(one: DutyOverride, now: DateTime) -> bool:
    """Also where it was ended before it began."""
    return one.ended_at is not None or one.until <= now
