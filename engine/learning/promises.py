"""Promises: each becomes an action with owner and date; unrecorded public promises are asked for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from pendulum import DateTime

from domain.action import Action, ActionKind
from domain.command_handlers import CommandRefused
from domain.facts import Fact, FactKind
from domain.incident import CaseType, Incident, Snapshot, StepStatus
from domain.learning.plan import BadDueDate, parse_due_date
from domain.playbook import StepKind, full_step_id
from domain.roster import Roster
from domain.text import Text
from engine.installation import Installation
from engine.response.actions import open_actions
from engine.response.validation import LONGEST_TITLE, CommandResult, check_command_id, clean_line
from playbooks.validation_messages import suggest_choice
from storage.database import Connection
from storage.incidents import incidents, timeline, turns
from storage.learning import promised_actions

RECORD_WITHIN = timedelta(hours=24)  # of their publication
LOOK_BACK = timedelta(days=30)
_NAMESPACE = uuid.UUID("6c0d6a5e-9a53-4a57-9d7c-1f1a0d5b9a40")


def check_owner(roster: Roster, owner: str) -> None:
    """Refused where nobody is called that: an owner is a role of the roster, or a person's id."""
    if roster.primary(owner) is None:
        known = {**roster.roles, **roster.people}
        raise CommandRefused(f"nobody on the roster is {owner[:60]!r}: {suggest_choice(owner[:60], known)}")


def parse_due(text: str, owner: str, roster: Roster, now: DateTime) -> timedelta:
    """Return the time until a given date, in the owner's own time zone; Refused where it cannot be."""
    person = roster.people.get(roster.primary(owner) or "")
    try:
        return parse_due_date(text, person.timezone if person else "UTC", now)
    except BadDueDate as error:
        raise CommandRefused(str(error)) from None


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise as it was written: owner, due date, title, and reason."""

    owner: str
    due: str
    title: Text = field(default_factory=lambda: Text(""))
    because: str = ""


def add_promise(
    installation: Installation, ref: str, promised: Promise, now: DateTime, *, command_id: str, by: str = ""
) -> CommandResult:
    """Record one promised measure as an action of its own; the same id again changes nothing.

    Raises:
        Refused: no title, an owner whom nobody knows, a date that cannot be.
        UnknownIncident: there is none.
    """
    check_command_id(command_id)
    roster = installation.roster()
    check_owner(roster, promised.owner)
    within = parse_due(promised.due, promised.owner, roster, now)
    title = promised.title
    named = Text(
        clean_line(title.en, LONGEST_TITLE, "title"), clean_line(title.zh, LONGEST_TITLE, "title") if title.zh else ""
    )
    with installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incidents.lock_incident(connection, incident_id)
        known = turns.find_carried_out(connection, command_id)
        if known is not None:
            made = incidents.load_incident(connection, known)
            return CommandResult(made.id, made.ref, str(made.status), changed=False)
        incident = incidents.load_incident(connection, incident_id)
        kind = ActionKind.PROPOSAL if incident.case_type is CaseType.WARNING else ActionKind.MEASURE
        action = Action(
            named, promised.owner, within, kind, origin=incident.ref, service=incident.service,
            because=_because(incident, " ".join(promised.because.split())[:1_000]),
        )  # fmt: skip
        (answer,) = open_actions(connection, roster, {command_id: action}, now, by=by, drill=incident.drill)
        data = {"action": answer.ref, "title": named.en, "owner": promised.owner}
        timeline.append_facts(connection, incident.id, [Fact(FactKind.PROMISED, now, by=by, data=data)])
    return answer


def _because(incident: Incident, said: str) -> Text:
    more = f" {said}" if said else ""
    return Text(
        f"Promised after {incident.ref}: {incident.title}.{more}",
        f"{incident.ref}（{incident.title}）后作出的承诺。{more}",
    )


# --- promises in public that nobody recorded ---------------------------------------------------------------------


def request_missing_records(installation: Installation, now: DateTime) -> int:
    """Ask the commander to record promises that were public for a day without an action; return how many.

    It is asked once an incident, as an action of its own: acknowledged, reminded of and escalated like any
    other.
    """
    since, until = now - LOOK_BACK, now - RECORD_WITHIN
    with installation.database.read() as connection:
        asked = promised_actions.list_unrecorded_promises(connection, since, until)
        wanted = [
            incident for incident in asked
            if turns.find_carried_out(connection, _asking(incident)) is None
            and _promised(connection, installation, incident, until)
        ]  # fmt: skip
    for incident in wanted:
        with installation.database.write() as connection:
            open_actions(
                connection,
                installation.roster(),
                {_asking(incident): _to_record(connection, installation, incident)},
                now,
            )
    return len(wanted)


def _asking(incident: Incident) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"record/{incident.id}"))


def _promised(connection: Connection, installation: Installation, incident: Incident, until: DateTime) -> bool:
    """Whether a text that promises something was public at `until`."""
    snapshots = [
        incidents.load_snapshot(connection, one, installation.roster())
        for one in incidents.list_response_ids(connection, incident.id)
    ]
    return any(_has_public_promise(snapshot, until) for snapshot in snapshots)


def _has_public_promise(snapshot: Snapshot, until: DateTime) -> bool:
    for state in snapshot.steps.values():
        plan = snapshot.plan(state)
        if plan.kind is not StepKind.PUBLISH or state.status is not StepStatus.DONE or plan.of is None:
            continue
        stage, _, step = full_step_id(state.stage, plan.of).partition("/")
        if snapshot.response.playbook.step(stage, step).promises and state.done_at and state.done_at <= until:
            return True
    return False


def _to_record(connection: Connection, installation: Installation, incident: Incident) -> Action:
    first = incidents.load_snapshot(
        connection, incidents.list_response_ids(connection, incident.id)[0], installation.roster()
    )
    return Action(
        Text(f"Record the measures that {incident.ref} promised", f"登记 {incident.ref} 对外承诺的改进措施"),
        first.response.playbook.commander, RECORD_WITHIN, ActionKind.CHECK, origin=incident.ref,
        service=incident.service,
        because=Text(
            f"Improvement measures were published a day ago, and none has an owner and a date on record. "
            f"For each: tocsin action add {incident.ref} --title TEXT --owner ROLE --due 14d",
            f"改进措施已公布一天，仍无一项登记负责人和期限。逐条登记："
            f"tocsin action add {incident.ref} --title 措施 --owner 角色 --due 14d",
        ),
    )  # fmt: skip
