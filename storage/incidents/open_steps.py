"""Open work at this moment: the steps under way of a role, and the warnings being handled."""

from __future__ import annotations

from dataclasses import dataclass

from pendulum import DateTime
from sqlalchemy import select

from domain.incident import BEGUN_STATUSES, CaseType, StepStatus
from domain.playbook import Playbook, Step
from storage.database import Connection
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP, load_playbook_copy


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step under way that belongs to a role."""

    ref: str  # of its case
    case_title: str
    drill: bool
    response_id: str
    playbook: str
    id: str  # within its response
    plan: Step  # as its playbook has it
    status: StepStatus
    holder: str  # the person who has it now
    due_at: DateTime


def list_open_steps(connection: Connection, role: str) -> list[OpenStep]:
    """List the steps of a role that are under way, the most pressing first."""
    query = (
        select(
            *(STEP.c[name] for name in ("id", "step", "stage", "status", "holder", "due_at", "response_id")),
            INCIDENT.c.ref, INCIDENT.c.title, INCIDENT.c.drill, RESPONSE.c.playbook, RESPONSE.c.copy_digest,
        )
        .join(RESPONSE, RESPONSE.c.id == STEP.c.response_id)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(STEP.c.status.in_([str(status) for status in BEGUN_STATUSES]), INCIDENT.c.status != "cancelled")
        .order_by(INCIDENT.c.drill, STEP.c.due_at, STEP.c.id)
    )  # fmt: skip
    return [
        OpenStep(
            ref=row.ref, case_title=row.title, drill=row.drill, response_id=row.response_id, playbook=row.playbook,
            id=row.id, plan=plan, status=StepStatus(row.status), holder=row.holder, due_at=row.due_at,
        )
        for row in connection.execute(query).all()
        if (plan := _find_plan(load_playbook_copy(connection, row.copy_digest), row.stage, row.step))
        and plan.owner == role
    ]  # fmt: skip


def _find_plan(playbook: Playbook, stage: str, step: str) -> Step | None:
    return next((one for part, one in playbook.each_step() if (part.id, one.id) == (stage, step)), None)


def list_open_warnings(connection: Connection) -> list[str]:
    """List the warnings that are being handled, by reference, the newest first."""
    query = select(INCIDENT.c.ref).where(
        INCIDENT.c.nature == str(CaseType.WARNING), INCIDENT.c.status.in_(("open", "mitigated")), ~INCIDENT.c.drill
    )
    return list(connection.execute(query.order_by(INCIDENT.c.number.desc())).scalars())
