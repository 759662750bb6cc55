"""Hand-over at a change of shift: what is open goes to the next person, once; steps nobody acknowledged become theirs.

A step that somebody acknowledged stays with them. The rules are written down in `docs/rotations.md`.
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
from channels.outcome import Outcome, Verdict
from domain.commands import Reassign
from domain.durations import later
from domain.handle import Refused
from domain.incident import BEGUN, Nature
from domain.playbook import Step, StepKind
from domain.roster import Person, Roster
from domain.rotation import Change, last_change, resolved
from domain.text import N_
from engine import commands
from engine.house import House
from locales import Translator, format_when, translator
from storage import incidents, outbox, rotations
from storage.incidents import INCIDENT, RESPONSE, STEP
from storage.outbox import Owed

KIND = "handover"  # of the outbox
LATE = timedelta(hours=12)  # a change longer ago than this is no news to anybody
MOST_LINES = 20
MOST_ATTEMPTS = 8
MOST_UNKNOWN = 2
_NAMESPACE = uuid.UUID("7f0c6f0e-6d0f-4a7e-9a38-0c4f4e2f7a10")
_BACK_OFF = tenacity.wait_exponential_jitter(multiplier=5, max=300, jitter=5)
_STATES = {"open": N_("not acknowledged"), "acknowledged": N_("acknowledged by {name}")}


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step under way that belongs to a role."""

    ref: str
    matter: str
    drill: bool
    response_id: str
    playbook: str
    id: str
    plan: Step
    status: str
    holder: str
    due_at: DateTime


def hand_over_shifts(house: House, now: DateTime) -> int:
    """Hand over every change of shift that has come and was not handed over yet; how many."""
    roster, duties = house.written_roster(), house.duties()
    done = 0
    for role in sorted(duties.roles() & set(roster.roles)):
        change = last_change(roster, duties, role, now, LATE)
        if change is None:
            continue
        with house.database.read() as connection:
            if rotations.handed_over(connection, change):
                continue
        done += _hand_over(house, change, resolved(roster, duties, now)[0], now)
    return done


def _hand_over(house: House, change: Change, roster: Roster, now: DateTime) -> bool:
    """Steps first, each under an id of its own: killed in the middle, the next look does the rest."""
    with house.database.read() as connection:
        found = open_steps(connection, change.role)
    for step in found:
        if step.status == "open" and step.holder == change.before:
            _give(house, step, change, now)
    with house.database.write() as connection:
        if not rotations.claim_handover(connection, change, now):
            return False
        outbox.enqueue(connection, [_notice(connection, roster, change, now)], now)
    return True


def _give(house: House, step: OpenStep, change: Change, now: DateTime) -> None:
    name = f"{change.role}/{change.shift}/{step.response_id}/{step.id}"
    command = Reassign(
        id=str(uuid.uuid5(_NAMESPACE, name)), incident=step.ref, step=f"{step.playbook}:{step.id}", to=change.after
    )
    try:
        commands.carry_out(house, command, now)
    except (Refused, incidents.UnknownIncident):  # done or acknowledged a moment ago: it is in good hands
        return


def open_steps(connection: Connection, role: str) -> list[OpenStep]:
    """The steps of a role that are under way, the most pressing first."""
    query = (
        select(
            *(STEP.c[name] for name in ("id", "step", "stage", "status", "holder", "due_at", "response_id")),
            INCIDENT.c.ref, INCIDENT.c.title, INCIDENT.c.drill, RESPONSE.c.playbook, RESPONSE.c.copy_digest,
        )
        .join(RESPONSE, RESPONSE.c.id == STEP.c.response_id)
        .join(INCIDENT, INCIDENT.c.id == RESPONSE.c.incident_id)
        .where(STEP.c.status.in_([str(status) for status in BEGUN]), INCIDENT.c.status != "cancelled")
        .order_by(INCIDENT.c.drill, STEP.c.due_at, STEP.c.id)
    )  # fmt: skip
    found = []
    for row in connection.execute(query):
        plan = _plan(connection, row)
        if plan is not None and plan.owner == role:
            found.append(
                OpenStep(
                    ref=row.ref,
                    matter=row.title,
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
    playbook = incidents.playbook_copy(connection, row.copy_digest)
    return next(
        (step for stage in playbook.stages if stage.id == row.stage for step in stage.steps if step.id == row.step),
        None,
    )


def open_warnings(connection: Connection) -> list[str]:
    """The warnings that are being fought, by reference, the newest first."""
    query = select(INCIDENT.c.ref).where(
        INCIDENT.c.nature == str(Nature.WARNING), INCIDENT.c.status.in_(("open", "mitigated")), ~INCIDENT.c.drill
    )
    return list(connection.execute(query.order_by(INCIDENT.c.number.desc())).scalars())


def summary(connection: Connection, roster: Roster, role: str, reader: Person, now: DateTime) -> list[str]:
    """What is open for a role, a line each, in the reader's language and time."""
    _ = translator(reader.language)
    steps = open_steps(connection, role)
    late = [step for step in steps if step.due_at <= now]
    drafts = [step for step in steps if step.plan.kind is StepKind.APPROVE]
    warnings = open_warnings(connection)
    lines = [_("Open: {steps}; late: {late}; texts that wait for approval: {drafts}; warnings: {warnings}.").format(
        steps=len(steps), late=len(late), drafts=len(drafts), warnings=len(warnings)
    )]  # fmt: skip
    lines += [_line(_, step, roster, reader, now) for step in steps[:MOST_LINES]]
    if len(steps) > MOST_LINES:
        lines.append(_("and {count} more: see the board").format(count=len(steps) - MOST_LINES))
    if warnings:
        lines.append(_("Warnings: {refs}").format(refs=", ".join(warnings[:MOST_LINES])))
    return lines


def _line(_: Translator, step: OpenStep, roster: Roster, reader: Person, now: DateTime) -> str:
    due = format_when(step.due_at, reader.timezone, reader.language, now)
    state = _(_STATES.get(step.status, _STATES["open"])).format(name=roster.name(step.holder))
    drill = f"[{_('DRILL')}] " if step.drill else ""
    title = step.plan.title.in_(reader.language)
    return f"{drill}{step.ref} {step.matter}: {title}, {_('Due: {when}').format(when=due)}, {state}"


def _notice(connection: Connection, roster: Roster, change: Change, now: DateTime) -> Owed:
    person = roster.people.get(change.after) or Person(change.after, change.after, ())
    _ = translator(person.language)
    title = _("You are on duty now: {role}").format(role=roster.roles[change.role].title)
    first = _("You take over from {name}.").format(name=roster.name(change.before))
    channel = person.channels[0] if person.channels else "nowhere"
    return Owed(
        key=f"HANDOVER/{change.role}/{change.shift}/{person.id}/{channel}/1", incident_id="", response_id="", step="",
        kind="handover", purpose="handover", person=person.id, channel=channel, lane=outbox.REST, rank=0, drill=False,
        payload={
            "title": title, "body": "\n".join([first, *summary(connection, roster, change.role, person, now)]),
            "language": person.language,
        },
    )  # fmt: skip


# --- on its way --------------------------------------------------------------------------------------------------


def send(house: House, row: Row[Any]) -> Outcome:
    """One in hand."""
    payload = row.payload
    message = Message(
        title=payload["title"], body=payload["body"], language=payload["language"], key=row.key,
        possible_duplicate=bool(payload.get("possible_duplicate")),
    )  # fmt: skip
    try:
        return house.channels().send(row.channel, message)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody knows whether the message went
        return Outcome(Verdict.UNKNOWN, detail=f"the channel failed ({type(error).__name__})")


def settle(connection: Connection, house: House, row: Row[Any], result: Any, now: DateTime) -> str:
    """Record what became of it; the state it is in now. None as a result: it was not begun."""
    if not isinstance(result, Outcome):
        return _write(connection, row, "retry", attempts=row.attempts - 1, next_attempt_at=now)
    if result.verdict in (Verdict.SENT, Verdict.UNVERIFIED):
        return _write(connection, row, "sent", sent_at=now, receipt=result.receipt or "", detail=result.detail)
    if result.verdict is Verdict.UNKNOWN:
        times = int(row.payload.get("unknown", 0)) + 1
        payload = {**row.payload, "unknown": times, "possible_duplicate": True}
        state = "retry" if times <= MOST_UNKNOWN else "unknown"
        return _write(connection, row, state, payload=payload, next_attempt_at=now, detail=result.detail)
    if not result.begun or (result.verdict is not Verdict.REFUSED and row.attempts < MOST_ATTEMPTS):
        attempts = row.attempts if result.begun else row.attempts - 1
        seconds = max(result.retry_after or 1.0, _wait(row.attempts) if result.begun else 0.0)
        at = later(now, timedelta(seconds=min(seconds, 3_600.0)))
        return _write(connection, row, "retry", attempts=attempts, next_attempt_at=at, detail=result.detail)
    state = _write(connection, row, "dead", detail=result.detail)
    person = house.roster().people.get(row.person)
    position = row.position + 1
    if state == "dead" and person and position < len(person.channels):
        channel = person.channels[position]
        base = row.key.rsplit("/", 2)[0]
        again = Owed(
            key=f"{base}/{channel}/{position + 1}", incident_id="", response_id="", step="", kind="handover",
            purpose=row.purpose, person=row.person, channel=channel, lane=row.lane, rank=row.rank, drill=False,
            payload={**row.payload, "unknown": 0}, position=position,
        )  # fmt: skip
        outbox.enqueue(connection, [again], now)
    return state


def _write(connection: Connection, row: Row[Any], state: str, **values: Any) -> str:
    return state if outbox.settle(connection, row.id, row.lease, state=state, **values) else "overtaken"


def _wait(attempt: int) -> float:
    state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
    state.attempt_number = attempt
    return float(_BACK_OFF(state))
