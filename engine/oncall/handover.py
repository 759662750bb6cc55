"""Handover at a change of shift: the next person is told of open work and gets unacknowledged steps.

A step that somebody acknowledged stays with them. The rules are written down in `docs/oncall.md`.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import tenacity
from pendulum import DateTime
from sqlalchemy import Connection, Row, select

from channels.message import Message
from channels.outcome import SendOutcome, SendVerdict
from domain.command_handlers import CommandRefused
from domain.commands import Reassign
from domain.durations import later
from domain.incident import BEGUN_STATUSES, CaseType
from domain.oncall import DutyChange, find_last_change, resolve_roster
from domain.playbook import Step, StepKind
from domain.roster import Person, Roster
from domain.text import N_
from engine.installation import Installation
from engine.response import commands
from locales import Translator, format_when, translator
from storage import outbox
from storage.incidents import incidents
from storage.incidents.incidents import INCIDENT, RESPONSE, STEP
from storage.oncall import schedule_changes
from storage.outbox import OutboxEntry

KIND = "handover"  # of the outbox
MAX_AGE = timedelta(hours=12)  # a change longer ago than this is no news to anybody
MAX_LINES = 20
MAX_ATTEMPTS = 8
MAX_UNKNOWN_RESENDS = 2
_NAMESPACE = uuid.UUID("7f0c6f0e-6d0f-4a7e-9a38-0c4f4e2f7a10")
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)
_STATES = {"open": N_("not acknowledged"), "acknowledged": N_("acknowledged by {name}")}


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step under way that belongs to a role."""

    ref: str
    case_title: str
    drill: bool
    response_id: str
    playbook: str
    id: str
    plan: Step
    status: str
    holder: str
    due_at: DateTime


def hand_over_shifts(installation: Installation, now: DateTime) -> int:
    """Hand over every change of shift that has come and was not handed over yet; return how many."""
    roster, duties = installation.written_roster(), installation.duties()
    done = 0
    for role in sorted(duties.roles() & set(roster.roles)):
        change = find_last_change(roster, duties, role, now, MAX_AGE)
        if change is None:
            continue
        with installation.database.read() as connection:
            if schedule_changes.is_handed_over(connection, change):
                continue
        done += _hand_over(installation, change, resolve_roster(roster, duties, now)[0], now)
    return done


def _hand_over(installation: Installation, change: DutyChange, roster: Roster, now: DateTime) -> bool:
    """Steps first, each under an id of its own: killed in the middle, the next look does the rest."""
    with installation.database.read() as connection:
        found = list_open_steps(connection, change.role)
    for step in found:
        if step.status == "open" and step.holder == change.before:
            _give(installation, step, change, now)
    with installation.database.write() as connection:
        if not schedule_changes.claim_handover(connection, change, now):
            return False
        outbox.enqueue_entries(connection, [_notice(connection, roster, change, now)], now)
    return True


def _give(installation: Installation, step: OpenStep, change: DutyChange, now: DateTime) -> None:
    name = f"{change.role}/{change.shift}/{step.response_id}/{step.id}"
    command = Reassign(
        id=str(uuid.uuid5(_NAMESPACE, name)), incident=step.ref, step=f"{step.playbook}:{step.id}", to=change.after
    )
    try:
        commands.carry_out_command(installation, command, now)
    except (CommandRefused, incidents.UnknownIncident):  # done or acknowledged a moment ago: it is in good hands
        return


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
    found = []
    for row in connection.execute(query):
        plan = _plan(connection, row)
        if plan is not None and plan.owner == role:
            found.append(
                OpenStep(
                    ref=row.ref,
                    case_title=row.title,
                    drill=row.drill,
                    response_id=row.response_id,
                    playbook=row.playbook,
                    id=row.id,
                    plan=plan,
                    status=row.status,
                    holder=row.holder,
                    due_at=row.due_at,
                )
            )
    return found


def _plan(connection: Connection, row: Row[Any]) -> Step | None:
    playbook = incidents.load_playbook_copy(connection, row.copy_digest)
    return next(
        (step for stage in playbook.stages if stage.id == row.stage for step in stage.steps if step.id == row.step),
        None,
    )


def list_open_warnings(connection: Connection) -> list[str]:
    """List the warnings that are being handled, by reference, the newest first."""
    query = select(INCIDENT.c.ref).where(
        INCIDENT.c.nature == str(CaseType.WARNING), INCIDENT.c.status.in_(("open", "mitigated")), ~INCIDENT.c.drill
    )
    return list(connection.execute(query.order_by(INCIDENT.c.number.desc())).scalars())


def summarise_open_work(connection: Connection, roster: Roster, role: str, reader: Person, now: DateTime) -> list[str]:
    """Summarise what is open for a role, a line each, in the reader's language and time."""
    _ = translator(reader.language)
    steps = list_open_steps(connection, role)
    late = [step for step in steps if step.due_at <= now]
    drafts = [step for step in steps if step.plan.kind is StepKind.APPROVE]
    warnings = list_open_warnings(connection)
    lines = [_("Open: {steps}; late: {late}; texts that wait for approval: {drafts}; warnings: {warnings}.").format(
        steps=len(steps), late=len(late), drafts=len(drafts), warnings=len(warnings)
    )]  # fmt: skip
    lines += [_line(_, step, roster, reader, now) for step in steps[:MAX_LINES]]
    if len(steps) > MAX_LINES:
        lines.append(_("and {count} more: see the board").format(count=len(steps) - MAX_LINES))
    if warnings:
        lines.append(_("Warnings: {refs}").format(refs=", ".join(warnings[:MAX_LINES])))
    return lines


def _line(_: Translator, step: OpenStep, roster: Roster, reader: Person, now: DateTime) -> str:
    due = format_when(step.due_at, reader.timezone, reader.language, now)
    state = _(_STATES.get(step.status, _STATES["open"])).format(name=roster.name(step.holder))
    drill = f"[{_('DRILL')}] " if step.drill else ""
    title = step.plan.title.in_(reader.language)
    return f"{drill}{step.ref} {step.case_title}: {title}, {_('Due: {when}').format(when=due)}, {state}"


def _notice(connection: Connection, roster: Roster, change: DutyChange, now: DateTime) -> OutboxEntry:
    person = roster.people.get(change.after) or Person(change.after, change.after, ())
    _ = translator(person.language)
    title = _("You are on duty now: {role}").format(role=roster.roles[change.role].title)
    first = _("You take over from {name}.").format(name=roster.name(change.before))
    channel = person.channels[0] if person.channels else "nowhere"
    return OutboxEntry(
        key=f"HANDOVER/{change.role}/{change.shift}/{person.id}/{channel}/1",
        incident_id="",
        response_id="",
        step="",
        kind="handover",
        purpose="handover",
        person=person.id,
        channel=channel,
        lane=outbox.PRIORITY_REST,
        rank=0,
        drill=False,
        payload={
            "title": title,
            "body": "\n".join([first, *summarise_open_work(connection, roster, change.role, person, now)]),
            "language": person.language,
        },
    )


# --- on its way --------------------------------------------------------------------------------------------------


def send_handover(installation: Installation, row: Row[Any]) -> SendOutcome:
    """Send one claimed handover notice."""
    payload = row.payload
    message = Message(
        title=payload["title"], body=payload["body"], language=payload["language"], key=row.key,
        possible_duplicate=bool(payload.get("possible_duplicate")),
    )  # fmt: skip
    try:
        return installation.channels().send(row.channel, message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether the message went
        return SendOutcome(SendVerdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")


def record_handover_outcome(
    connection: Connection, installation: Installation, row: Row[Any], result: Any, now: DateTime
) -> str:
    """Record the outcome of a handover notice; return its state. None as a result: it was not begun."""
    if not isinstance(result, SendOutcome):
        return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=now)
    if result.verdict in (SendVerdict.SENT, SendVerdict.UNVERIFIED):
        return _write(connection, row, "sent", sent_at=now, receipt=result.receipt or "", detail=result.detail)
    if result.verdict is SendVerdict.UNKNOWN:
        times = int(row.payload.get("unknown", 0)) + 1
        payload = {**row.payload, "unknown": times, "possible_duplicate": True}
        state = "retry" if times <= MAX_UNKNOWN_RESENDS else "unknown"
        return _write(connection, row, state, payload=payload, next_attempt_at=now, detail=result.detail)
    if not result.begun or (result.verdict is not SendVerdict.REFUSED and row.attempts < MAX_ATTEMPTS):
        attempts = row.attempts if result.begun else row.attempts - 1
        seconds = max(result.retry_after or 1.0, _wait(row.attempts) if result.begun else 0.0)
        at = later(now, timedelta(seconds=min(seconds, 3_600.0)))
        return _write(connection, row, "retry", attempts=attempts, next_attempt_at=at, detail=result.detail)
    state = _write(connection, row, "dead", detail=result.detail)
    person = installation.roster().people.get(row.person)
    position = row.position + 1
    if state == "dead" and person and position < len(person.channels):
        channel = person.channels[position]
        base = row.key.rsplit("/", 2)[0]
        again = OutboxEntry(
            key=f"{base}/{channel}/{position + 1}", incident_id="", response_id="", step="", kind="handover",
            purpose=row.purpose, person=row.person, channel=channel, lane=row.lane, rank=row.rank, drill=False,
            payload={**row.payload, "unknown": 0}, position=position,
        )  # fmt: skip
        outbox.enqueue_entries(connection, [again], now)
    return state


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.save_outcome(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
