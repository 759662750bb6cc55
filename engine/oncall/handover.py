"""Handover at a change of shift: the next person is told of open work and gets unacknowledged steps.

A step that somebody acknowledged stays with them. The rules are written down in `docs/oncall.md`.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from pendulum import DateTime

from channels.message import Message
from domain.command_handlers import CommandRefused
from domain.commands import Reassign
from domain.oncall import DutyChange, find_last_change, resolve_roster
from domain.playbook import StepKind
from domain.roster import Person, Roster
from domain.text import N_
from engine.delivery.kinds import ChannelDelivery
from engine.delivery.outcomes import (
    MAX_UNKNOWN_RESENDS,
    SendResult,
    make_next_channel_entry,
    record_outcome,
)
from engine.installation import Installation
from engine.response import commands
from locales import Translator, format_when, translator
from storage import outbox
from storage.database import Connection
from storage.incidents import incidents
from storage.incidents.open_steps import OpenStep, list_open_steps, list_open_warnings
from storage.oncall import schedule_changes
from storage.outbox import OutboxEntry, OutboxMessage

KIND = "handover"  # of the outbox
MAX_AGE = timedelta(hours=12)  # a change longer ago than this is no news to anybody
MAX_LINES = 20
_NAMESPACE = uuid.UUID("7f0c6f0e-6d0f-4a7e-9a38-0c4f4e2f7a10")
_STATES = {"open": N_("not acknowledged"), "acknowledged": N_("acknowledged by {name}")}


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
        kind=KIND,
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


class HandoverDelivery(ChannelDelivery):
    """Handover notices: each to the person who comes on duty, by their channels in turn."""

    name = KIND

    def prepare(self, message: OutboxMessage, now: DateTime) -> Message:  # noqa: ARG002 - late is better than never
        """Prepare a handover notice as it was written at the change of shift."""
        payload = message.payload
        return Message(
            title=payload["title"], body=payload["body"], language=payload["language"], key=message.key,
            possible_duplicate=bool(payload.get("possible_duplicate")),
        )  # fmt: skip

    def record(self, connection: Connection, message: OutboxMessage, result: SendResult, now: DateTime) -> str:
        """Record a handover notice's outcome; where it failed for good the person's next channel is tried."""
        state = record_outcome(connection, message, result, now, resends=MAX_UNKNOWN_RESENDS)
        entry = make_next_channel_entry(self.installation.roster(), message) if state == "dead" else None
        if entry:
            outbox.enqueue_entries(connection, [entry], now)
        return state
