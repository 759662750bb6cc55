"""Read models of the incident board and the API. JSON-able, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pendulum import DateTime
from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from domain.incident import ALARM_TYPES, BEGUN_STATUSES, CaseType, Incident, Response
from domain.playbook import Stage
from domain.roster import Roster
from domain.stage_schedule import clock_started_at, round_started_at
from domain.text import Text
from storage import outbox
from storage.customers.follow_ups import ALARM, SURVEY
from storage.incidents import incidents, turns
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP
from storage.incidents.tables import TROUBLED
from storage.outbox import OUTBOX
from storage.rows import read_all

OPEN_STATUSES = ("open", "mitigated")
MOST = 500
_BEGUN = [str(status) for status in BEGUN_STATUSES]
# An alarm waits for its time, and what became of a survey is a figure of its follow-up: neither is in trouble.
_OF_FOLLOW_UPS = (SURVEY, ALARM)


def iso_time(when: DateTime | None) -> str | None:
    """Format a time in ISO 8601; None for None."""
    return when.isoformat() if when else None


# --- the board ------------------------------------------------------------------------------------


def list_board_rows(  # noqa: PLR0913 - each narrows the list
    connection: Connection,
    roster: Roster,
    now: DateTime,
    *,
    status: str = "open",
    limit: int = 50,
    before: str = "",
    urgent_first: bool = False,
    natures: Sequence[CaseType] = ALARM_TYPES,
) -> list[dict[str, Any]]:
    """List incidents, the newest first, or the most urgent: real before drill, harm to users, the brand, cost.

    Args:
        status: `open` (open and mitigated) or `all`.
        before: only those declared before that one (its reference), for the next page of a list.
        natures: the case types; work with a date is no alarm, and is listed by itself.
    """
    query = select(INCIDENT).where(_of(natures)).limit(max(1, min(limit, MOST)))
    if status == "open":
        query = query.where(INCIDENT.c.status.in_(OPEN_STATUSES))
    if before:
        known = incidents.find_incident_id(connection, before)
        number = select(INCIDENT.c.number).where(INCIDENT.c.id == known).scalar_subquery()
        query = query.where(INCIDENT.c.number < number)
    if urgent_first:
        query = query.order_by(*_urgency())
    rows = connection.execute(query.order_by(INCIDENT.c.number.desc()))
    found = [incidents.incident_from_row(row) for row in rows]
    responses = _responses(connection, [incident.id for incident in found])
    ids = [response.id for those in responses.values() for response in those]
    steps = _active_steps(connection, ids, now)
    return [_board_row(incident, responses.get(incident.id, []), steps, roster, now) for incident in found]


def list_open_cases(
    connection: Connection, case_type: CaseType, *, drill: bool, severities: Sequence[str] = (), limit: int = 20,
    urgent_first: bool = False,
) -> list[dict[str, Any]]:  # fmt: skip
    """List the open cases of a type, real or drill, the newest or the most urgent first.

    Each its `id`, `ref`, `title`, `service`, and `facts`, how many its timeline has. `severities`: only of these.
    """
    names = ("id", "ref", "title", "service", "facts")
    query = select(*(INCIDENT.c[name] for name in names))
    query = query.where(
        INCIDENT.c.status.in_(OPEN_STATUSES), INCIDENT.c.nature == str(case_type), INCIDENT.c.drill.is_(drill)
    )
    if severities:
        query = query.where(INCIDENT.c.severity.in_(severities))
    order = (*_urgency(), INCIDENT.c.number.desc()) if urgent_first else (INCIDENT.c.number.desc(),)
    return [dict(row) for row in connection.execute(query.order_by(*order).limit(limit)).mappings()]


def _urgency() -> tuple[ColumnElement[Any], ...]:
    """Order by real before drill, what still does harm first, then harm to users, the brand, cost."""
    harm = INCIDENT.c.customers + INCIDENT.c.orders
    mitigated = case((INCIDENT.c.status == "open", 0), else_=1)
    return (INCIDENT.c.drill, mitigated, harm.desc(), INCIDENT.c.brand.desc(), INCIDENT.c.money.desc())


def list_open_titles(connection: Connection, origin: str) -> set[str]:
    """List the titles of the open cases of that origin."""
    query = select(INCIDENT.c.title).where(INCIDENT.c.origin == origin, INCIDENT.c.status.in_(OPEN_STATUSES))
    return set(connection.execute(query).scalars())


def list_services(connection: Connection, limit: int = 50) -> list[str]:
    """List the services that incidents were declared for, by name."""
    query = select(INCIDENT.c.service).where(INCIDENT.c.service != "").distinct().order_by(INCIDENT.c.service)
    return list(connection.execute(query.limit(limit)).scalars())


def count_open(connection: Connection) -> int:
    """Count the open incidents and warnings."""
    query = select(func.count()).select_from(INCIDENT).where(INCIDENT.c.status.in_(OPEN_STATUSES), _of(ALARM_TYPES))
    return int(connection.execute(query).scalar_one())


def _of(natures: Sequence[CaseType]) -> ColumnElement[bool]:
    found: ColumnElement[bool] = INCIDENT.c.nature.in_([str(case_type) for case_type in natures])
    return found


def _responses(connection: Connection, ids: Sequence[str]) -> dict[str, list[Response]]:
    columns = (RESPONSE.c.id, RESPONSE.c.incident_id, RESPONSE.c.copy_digest, RESPONSE.c.started_at)
    query = select(*columns, RESPONSE.c.finished_at).where(RESPONSE.c.incident_id.in_(ids))
    found: dict[str, list[Response]] = {}
    for row in connection.execute(query.order_by(RESPONSE.c.position)):
        playbook = incidents.load_playbook_copy(connection, row.copy_digest)
        response = Response(row.id, playbook, row.started_at, row.finished_at)
        found.setdefault(row.incident_id, []).append(response)
    return found


@dataclass(frozen=True, slots=True)
class BoardStep:
    """A step as far as the board shows it; its fields are those of `StepState`."""

    response_id: str
    id: str
    stage: str
    step: str
    round: int
    opens_at: DateTime
    due_at: DateTime
    status: str
    owner: str
    holder: str
    called: list[str]


def _active_steps(connection: Connection, ids: Sequence[str], now: DateTime) -> dict[str, list[BoardStep]]:
    """List the steps under way or late, by response; else the next ones. Most steps wait and are not read."""
    query = select(*(STEP.c[name] for name in BoardStep.__slots__)).order_by(STEP.c.due_at, STEP.c.position)
    under_way = or_(STEP.c.status.in_(_BEGUN), and_(STEP.c.status == "waiting", STEP.c.due_at < now))
    found: dict[str, list[BoardStep]] = {}
    for step in read_all(connection, BoardStep, query.where(STEP.c.response_id.in_(ids), under_way)):
        found.setdefault(step.response_id, []).append(step)
    quiet = [name for name in ids if name not in found]
    for step in read_all(connection, BoardStep, query.where(STEP.c.response_id.in_(quiet), STEP.c.status == "waiting")):
        found.setdefault(step.response_id, [step])
    return found


def _board_row(
    incident: Incident, responses: list[Response], steps: dict[str, list[BoardStep]], roster: Roster, now: DateTime
) -> dict[str, Any]:
    active = [(step, response) for response in responses for step in steps.get(response.id, [])]
    active.sort(key=lambda pair: (pair[0].status == "waiting" and pair[0].opens_at > now, pair[0].due_at))
    begun = [step for step, _ in active if step.status != "waiting"]
    called = [name for step in begun if step.status == "open" for name in step.called]
    return {
        **incident_summary(incident),
        "playbooks": [response.playbook.id for response in responses],
        "open_steps": len(begun),
        "late_steps": sum(1 for step, _ in active if step.due_at < now),
        "called": [_person(name, roster) for name in dict.fromkeys(called)],
        "acknowledged": [
            _person(name, roster) for name in dict.fromkeys(s.holder for s in begun if s.status == "acknowledged")
        ],
        "stage": _current_stage(incident, *active[0]) if active else None,
        "next": _next_step(*active[0], roster) if active else None,
    }


def incident_summary(incident: Incident) -> dict[str, Any]:
    """Return the fields of an incident itself."""
    impact = incident.impact
    return {
        "id": incident.id,
        "ref": incident.ref,
        "title": incident.title,
        "status": str(incident.status),
        "severity": incident.severity,
        "drill": incident.drill,
        "pace": dict(incident.pace),
        "origin": incident.origin,
        "service": incident.service,
        "kind": incident.kind,
        "declared_at": iso_time(incident.declared_at),
        "mitigated_at": iso_time(incident.mitigated_at),
        "closed_at": iso_time(incident.closed_at),
        "last_public_at": iso_time(incident.last_public_at),
        "impact": {
            "customers": impact.customers,
            "orders": impact.orders,
            "money": impact.money,
            "brand": impact.brand,
        },
    }


def _current_stage(incident: Incident, step: BoardStep, response: Response) -> dict[str, Any]:
    stage = response.playbook.stage(step.stage)
    opens, due = stage_window(incident, response, stage, step.round) or (step.opens_at, step.due_at)
    title = both_languages(stage.title)
    return {"id": stage.id, "title": title, "round": step.round, "opens_at": iso_time(opens), "due_at": iso_time(due)}


def _next_step(step: BoardStep, response: Response, roster: Roster) -> dict[str, Any]:
    plan = response.playbook.step(step.stage, step.step)
    person = step.holder or step.owner or roster.primary(plan.owner) or ""
    return {
        "id": step.id,
        "title": both_languages(plan.title),
        "kind": str(plan.kind),
        "state": step.status,
        "owner": _person(person, roster),
        "due_at": iso_time(step.due_at),
    }


def _person(name: str, roster: Roster) -> dict[str, str]:
    return {"id": name, "name": roster.name(name)}


def both_languages(text: Text) -> dict[str, str]:
    """Return a text in both languages; English where there is no Chinese."""
    return {"en": text.en, "zh": text.zh or text.en}


def stage_window(incident: Incident, response: Response, stage: Stage, number: int) -> tuple[DateTime, DateTime] | None:
    """Return when a stage (a round of it) begins and ends; None where only its steps can say."""
    start = clock_started_at(incident, response, stage)
    if start is None or stage.on_demand:
        return None
    if stage.repeat is None:
        return start + incident.paced(stage.starts, stage.clock), start + incident.paced(stage.ends, stage.clock)
    begins = round_started_at(incident, stage, start, max(1, number))
    return begins, begins + incident.paced(stage.repeat, stage.clock)


# --- figures --------------------------------------------------------------------------------------


def delivery_figures(connection: Connection, now: DateTime) -> dict[str, Any]:
    """Return the figures of delivery and Prefect: the outbox by state, the turns of the last hour."""
    taken = turns.count_turns(connection, now - timedelta(hours=1))
    return {
        "outbox": outbox.count_by_state(connection, without=_OF_FOLLOW_UPS),
        "surveys": outbox.count_by_state(connection, only=(SURVEY,)),
        "turns": taken.turns,
        "without_prefect": taken.without_prefect,
        "share_without_prefect": round(taken.share, 4),
        "open_incidents": count_open(connection),
    }


def board_figures(connection: Connection, now: DateTime) -> dict[str, Any]:
    """Return the figures that the board shows. Sent messages, which may be millions, are not counted."""
    taken = turns.count_turns(connection, now - timedelta(hours=1))
    troubled = and_(TROUBLED, OUTBOX.c.kind.not_in(_OF_FOLLOW_UPS))
    counted = select(OUTBOX.c.state, func.count()).where(troubled).group_by(OUTBOX.c.state)
    return {
        "outbox": {row[0]: row[1] for row in connection.execute(counted)},
        "turns": taken.turns,
        "without_prefect": taken.without_prefect,
        "share_without_prefect": taken.share,
        "open_incidents": count_open(connection),
    }
