"""The one entrance: everything that people, pages and firing rules ask for comes through here.

Each call is one transaction. The same command id again changes nothing and gets the same answer.
"""

from __future__ import annotations

from dataclasses import replace

from pendulum import DateTime
from sqlalchemy import Connection

from domain.commands import Attach, Begin, Cancel, Close, Command, IncidentCommand, Merge, Note, StepCommand
from domain.decide import decide
from domain.evolve import evolve
from domain.facts import Fact, FactKind
from domain.handle import Refused, handle
from domain.incident import INCIDENT_MOVES, Incident, Response, Snapshot
from domain.playbook import Playbook
from engine.asked import Answer, check_id, checked_since, playbook_of
from engine.declaring import declare, declare_together
from engine.house import House
from engine.mould import response_id
from engine.owing import append_facts, commit_decision
from storage import incidents, turns

__all__ = ["Answer", "Refused", "attach", "carry_out", "declare", "declare_together", "merge"]

K = FactKind


def attach(house: House, command: Attach, now: DateTime) -> Answer:
    """Start another playbook for a running incident."""
    playbook = playbook_of(house, command.playbook)
    started = checked_since(command.since, now) or now
    with house.database.write() as connection:
        incident = _locked(connection, command)
        if turns.carried_out(connection, command.id):
            return _answer(connection, incident.id, changed=False)
        if "attach" not in INCIDENT_MOVES[incident.status]:
            raise Refused(f"{incident.ref} is {incident.status}: a playbook is attached to a running incident")
        if not _attach(connection, house, incident, playbook, started, Fact(K.ATTACHED, now, by=command.by)):
            raise Refused(f"{incident.ref} already runs {playbook.id}")
        turns.carry_out(connection, command.id, incident.id, "Attach", now)
        return Answer(incident.id, incident.ref, str(incident.status), changed=True)


def _attach(
    connection: Connection, house: House, incident: Incident, playbook: Playbook, started: DateTime, fact: Fact
) -> bool:
    """One more response; False where the incident runs that playbook already."""
    ids = incidents.responses_of(connection, incident.id)
    new = response_id(incident.id, playbook.id)
    if new in ids:
        return False
    data = {"playbook": playbook.id, "version": playbook.version, "since": started.isoformat()}
    response = Response(id=new, playbook=playbook, started_at=started)
    _start(connection, house, incident, response, len(ids), replace(fact, data=data))
    return True


def carry_out(house: House, command: StepCommand | IncidentCommand | Begin, now: DateTime) -> Answer:
    """Any later command. Its incident's responses are due at once, so that what follows from it follows.

    Raises:
        Refused: not legal now, with the reason.
        UnknownIncident: no such incident.
        StorageError: the database cannot be written; nothing was changed.
    """
    with house.database.write() as connection:
        incident = _locked(connection, command)
        if turns.carried_out(connection, command.id):
            return _answer(connection, incident.id, changed=False)
        if isinstance(command, Note):
            _check_corrected(connection, incident, command)
        before, facts = _handled(connection, house, incident, command, now)
        after = before
        for fact in facts:
            after = evolve(after, fact)
        if facts:
            incidents.save(connection, before, after, now)
            append_facts(connection, after, facts)
            _attach_what_was_decided(connection, house, after.incident, facts)
        turns.carry_out(connection, command.id, incident.id, type(command).__name__, now)
        return Answer(incident.id, incident.ref, str(after.incident.status), changed=bool(facts))


def merge(house: House, command: Merge, now: DateTime) -> Answer:
    """What was declared twice is one again: this incident is cancelled, the other one goes on and says so.

    Raises:
        Refused: it is the same one, not running, or the other is not.
        UnknownIncident: no such incident.
    """
    with house.database.write() as connection:
        for name in sorted({incidents.find(connection, name) for name in (command.incident, command.into)}):
            incidents.lock(connection, name)  # in one order, whoever merges which into which
        duplicate = _locked(connection, command)
        kept = incidents.load_incident(connection, incidents.find(connection, command.into))
        if turns.carried_out(connection, command.id):
            return _answer(connection, duplicate.id, changed=False)
        if duplicate.id == kept.id:
            raise Refused(f"{kept.ref} cannot be merged into itself: name the incident that goes on")
        if not kept.running or kept.nature is not duplicate.nature:
            raise Refused(f"{kept.ref} is {kept.status}: merge into a running {duplicate.nature}")
        if kept.drill != duplicate.drill:
            raise Refused(f"one of {duplicate.ref} and {kept.ref} is a drill, the other is real: they stay apart")
        ended = Cancel(id=command.id, incident=duplicate.id, by=command.by, reason=f"{kept.ref}: duplicate")
        before, facts = _handled(connection, house, duplicate, ended, now)
        after = evolve(before, facts[0])
        incidents.save(connection, before, after, now)
        append_facts(connection, after, facts)
        merged = Fact(K.MERGED, now, by=command.by, data={"merged": duplicate.ref, "title": duplicate.title})
        response = incidents.responses_of(connection, kept.id)[0]
        append_facts(connection, incidents.load(connection, response, house.roster()), [merged])
        turns.carry_out(connection, command.id, duplicate.id, "Merge", now)
        return Answer(duplicate.id, duplicate.ref, str(after.incident.status), changed=True)


def _check_corrected(connection: Connection, incident: Incident, command: Note) -> None:
    known = incidents.count_facts(connection, incident.id)
    if command.corrects and not 1 <= command.corrects <= known:
        raise Refused(f"{incident.ref} has no entry {command.corrects} to correct: its timeline has 1 to {known}")


def _attach_what_was_decided(connection: Connection, house: House, incident: Incident, facts: list[Fact]) -> None:
    """On a yes the playbook that the decision is about begins, its clock as from the declaration."""
    for fact in facts:
        if fact.data.get("attaches"):
            playbook = playbook_of(house, fact.data["attaches"])
            attached = Fact(K.ATTACHED, fact.at, by=fact.by)
            _attach(connection, house, incident, playbook, incident.declared_at, attached)


def _handled(
    connection: Connection, house: House, incident: Incident, command: StepCommand | IncidentCommand | Begin,
    now: DateTime,
) -> tuple[Snapshot, list[Fact]]:  # fmt: skip
    """Which of an incident's responses the command is for: the first that takes it.

    A step may be named as `playbook:stage/step` where two responses have one of the same name.
    """
    ids = incidents.responses_of(connection, incident.id)
    snapshots = [incidents.load(connection, response, house.roster()) for response in ids]
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
        raise Refused(f"{incident.ref} runs no playbook {playbook!r}")
    facts = handle(command, snapshots[0], now)
    if isinstance(command, Close):  # open steps of any response ask for a reason, and are named
        left = [step for s in snapshots for fact in handle(command, s, now) for step in fact.data["left"]]
        facts = [replace(fact, data={**fact.data, "left": left}) for fact in facts]
    return snapshots[0], facts


def _has(snapshot: Snapshot, name: str) -> bool:
    """Whether a response knows a step (or stage on demand) of that name; a step still in force counts first."""
    if any(stage.id == name for stage in snapshot.response.playbook.stages):
        return True
    return any(name in (s.id, s.step, f"{s.stage}/{s.step}") for s in snapshot.steps.values())


def _locked(connection: Connection, command: Command) -> Incident:
    check_id(command.id)
    incident_id = incidents.find(connection, command.incident)
    incidents.lock(connection, incident_id)
    return incidents.load_incident(connection, incident_id)


def _start(
    connection: Connection, house: House, incident: Incident, response: Response, position: int, fact: Fact
) -> None:
    """One more response of an incident, with its first decision, after the fact that began it."""
    incidents.add_response(connection, incident.id, response, position)
    before = incidents.load(connection, response.id, house.roster())
    decision = decide(before, fact.at)
    incidents.save(connection, before, decision.snapshot, decision.wake_at)
    commit_decision(connection, decision, fact.at, before=[fact])


def _answer(connection: Connection, incident_id: str, *, changed: bool) -> Answer:
    incident = incidents.load_incident(connection, incident_id)
    return Answer(incident.id, incident.ref, str(incident.status), changed)
