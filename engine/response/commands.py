"""Commands: the one entrance for everything that people, pages and firing rules ask for.

Each call is one transaction. The same command id again changes nothing and gets the same answer.
"""

from __future__ import annotations

from dataclasses import replace

from pendulum import DateTime

from domain.command_handlers import CommandRefused, handle_command
from domain.commands import Attach, Begin, Cancel, Close, Command, IncidentCommand, Merge, Note, StepCommand
from domain.facts import Fact, FactKind
from domain.incident import INCIDENT_MOVES, Incident, Snapshot
from engine.installation import Installation
from engine.response.declare import declare, declare_batch
from engine.response.facts import append_facts, record_facts
from engine.response.turn import start_response
from engine.response.validation import CommandResult, check_command_id, require_playbook, validate_since
from storage.database import Connection
from storage.incidents import incidents, turns

__all__ = [
    "CommandRefused",
    "CommandResult",
    "attach_playbook",
    "carry_out_command",
    "declare",
    "declare_batch",
    "merge_incidents",
]


def attach_playbook(installation: Installation, command: Attach, now: DateTime) -> CommandResult:
    """Start another playbook for a running incident."""
    playbook = require_playbook(installation, command.playbook)
    started = validate_since(command.since, now) or now
    with installation.database.write() as connection:
        incident = _locked(connection, command)
        if turns.find_carried_out(connection, command.id):
            return _answer(connection, incident.id, changed=False)
        if "attach" not in INCIDENT_MOVES[incident.status]:
            raise CommandRefused(f"{incident.ref} is {incident.status}: a playbook is attached to a running incident")
        roster = installation.roster()
        if not start_response(connection, roster, incident.id, playbook, now, started_at=started, by=command.by):
            raise CommandRefused(f"{incident.ref} already runs {playbook.id}")
        turns.record_command(connection, command.id, incident.id, "Attach", now)
        return CommandResult(incident.id, incident.ref, str(incident.status), changed=True)


def carry_out_command(
    installation: Installation, command: StepCommand | IncidentCommand | Begin, now: DateTime
) -> CommandResult:
    """Carry out any command on a running incident, and make its incident's responses due at once.

    Raises:
        Refused: not legal now, with the reason.
        UnknownIncident: no such incident.
        StorageError: the database cannot be written; nothing was changed.
    """
    with installation.database.write() as connection:
        incident = _locked(connection, command)
        if turns.find_carried_out(connection, command.id):
            return _answer(connection, incident.id, changed=False)
        if isinstance(command, Note):
            _check_corrected(connection, incident, command)
        before, facts = _handled(connection, installation, incident, command, now)
        if facts:
            incident = record_facts(connection, before, facts, now).incident
            _attach_what_was_decided(connection, installation, incident, facts)
        turns.record_command(connection, command.id, incident.id, type(command).__name__, now)
        return CommandResult(incident.id, incident.ref, str(incident.status), changed=bool(facts))


def merge_incidents(installation: Installation, command: Merge, now: DateTime) -> CommandResult:
    """Merge an incident that was declared twice into another: it is cancelled, the other goes on and says so.

    Raises:
        Refused: it is the same one, not running, or the other is not.
        UnknownIncident: no such incident.
    """
    with installation.database.write() as connection:
        for name in sorted({incidents.find_incident_id(connection, name) for name in (command.incident, command.into)}):
            incidents.lock_incident(connection, name)  # in one order, whoever merges which into which
        duplicate = _locked(connection, command)
        kept = incidents.load_incident(connection, incidents.find_incident_id(connection, command.into))
        if turns.find_carried_out(connection, command.id):
            return _answer(connection, duplicate.id, changed=False)
        if duplicate.id == kept.id:
            raise CommandRefused(f"{kept.ref} cannot be merged into itself: name the incident that goes on")
        if not kept.running or kept.case_type is not duplicate.case_type:
            raise CommandRefused(f"{kept.ref} is {kept.status}: merge into a running {duplicate.case_type}")
        if kept.drill != duplicate.drill:
            raise CommandRefused(
                f"one of {duplicate.ref} and {kept.ref} is a drill, the other is real: they stay apart"
            )
        ended = Cancel(id=command.id, incident=duplicate.id, by=command.by, reason=f"{kept.ref}: duplicate")
        before, facts = _handled(connection, installation, duplicate, ended, now)
        after = record_facts(connection, before, facts, now)
        merged = Fact(FactKind.MERGED, now, by=command.by, data={"merged": duplicate.ref, "title": duplicate.title})
        response = incidents.list_response_ids(connection, kept.id)[0]
        append_facts(connection, incidents.load_snapshot(connection, response, installation.roster()), [merged])
        turns.record_command(connection, command.id, duplicate.id, "Merge", now)
        return CommandResult(duplicate.id, duplicate.ref, str(after.incident.status), changed=True)


def _check_corrected(connection: Connection, incident: Incident, command: Note) -> None:
    known = incidents.count_facts(connection, incident.id)
    if command.corrects and not 1 <= command.corrects <= known:
        raise CommandRefused(
            f"{incident.ref} has no entry {command.corrects} to correct: its timeline has 1 to {known}"
        )


def _attach_what_was_decided(
    connection: Connection, installation: Installation, incident: Incident, facts: list[Fact]
) -> None:
    """On a yes the playbook that the decision is about begins, its clock as from the declaration."""
    for fact in facts:
        if fact.data.get("attaches"):
            playbook = require_playbook(installation, fact.data["attaches"])
            start_response(
                connection, installation.roster(), incident.id, playbook, fact.at,
                started_at=incident.declared_at, by=fact.by,
            )  # fmt: skip


def _handled(
    connection: Connection,
    installation: Installation,
    incident: Incident,
    command: StepCommand | IncidentCommand | Begin,
    now: DateTime,
) -> tuple[Snapshot, list[Fact]]:
    """Which of an incident's responses the command is for: the first that takes it.

    A step may be named as `playbook:stage/step` where two responses have one of the same name.
    """
    ids = incidents.list_response_ids(connection, incident.id)
    snapshots = [incidents.load_snapshot(connection, response, installation.roster()) for response in ids]
    named, playbook = getattr(command, "step", None) or getattr(command, "stage", None), ""
    if isinstance(named, str):
        playbook, colon, rest = named.partition(":")
        if colon:
            snapshots = [s for s in snapshots if s.response.playbook.id == playbook]
            field = "stage" if isinstance(command, Begin) else "step"
            command = replace(command, **{field: rest})  # type: ignore[arg-type]
        else:
            snapshots = [s for s in snapshots if _has(s, named)] or snapshots[:1]
    if not snapshots:
        raise CommandRefused(f"{incident.ref} runs no playbook {playbook!r}")
    facts = handle_command(command, snapshots[0], now)
    if isinstance(command, Close):  # open steps of any response ask for a reason, and are named
        left = [step for s in snapshots for fact in handle_command(command, s, now) for step in fact.data["left"]]
        facts = [replace(fact, data={**fact.data, "left": left}) for fact in facts]
    return snapshots[0], facts


def _has(snapshot: Snapshot, name: str) -> bool:
    """Whether a response knows a step (or stage on demand) of that name; a step still in force counts first."""
    if any(stage.id == name for stage in snapshot.response.playbook.stages):
        return True
    return any(name in (s.id, s.step, f"{s.stage}/{s.step}") for s in snapshot.steps.values())


def _locked(connection: Connection, command: Command) -> Incident:
    check_command_id(command.id)
    incident_id = incidents.find_incident_id(connection, command.incident)
    incidents.lock_incident(connection, incident_id)
    return incidents.load_incident(connection, incident_id)


def _answer(connection: Connection, incident_id: str, *, changed: bool) -> CommandResult:
    incident = incidents.load_incident(connection, incident_id)
    return CommandResult(incident.id, incident.ref, str(incident.status), changed)
