"""The one entrance: everything that people, pages and firing rules ask for comes through here.

Each call is one transaction. The same command id again changes nothing and gets the same answer.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection

from domain.commands import Attach, Begin, Command, Declare, IncidentCommand, StepCommand
from domain.decide import decide
from domain.evolve import evolve
from domain.facts import Fact, FactKind
from domain.handle import Refused, handle
from domain.incident import INCIDENT_MOVES, Incident, Response, Snapshot
from domain.playbook import CLOCKS, Playbook
from engine.house import House
from engine.owing import append_facts, commit_decision
from playbooks.library import UnknownPlaybook
from playbooks.roster import missing_roles
from storage import incidents, turns

K = FactKind
LONGEST_TITLE = 200
LONGEST_FIELD = 80
AHEAD = timedelta(minutes=5)  # clocks of two machines may differ by this much
BACK = timedelta(days=30)
FASTEST = 10_000.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    incident_id: str
    ref: str
    status: str
    changed: bool  # False: it had been carried out before, or there was nothing to change


def declare(house: House, command: Declare, now: DateTime) -> Answer:
    """Begin an incident: its response is laid out and its first notices are owed when this returns.

    Raises:
        Refused: unknown playbook or role, a title or a time that cannot be.
        StorageError: the database cannot be written; nothing was begun.
    """
    playbook = _playbook(house, command.playbook)
    command = _checked(command, now)
    started = command.since or now
    with house.database.write() as connection:
        known = turns.carried_out(connection, command.id)
        if known:
            return _answer(connection, known, changed=False)
        incident = incidents.add_incident(
            connection,
            Incident(
                id=command.id, ref="", title=command.title, severity=command.severity or playbook.severity,
                declared_at=started, origin=command.origin, service=command.service, kind=command.kind,
                drill=command.drill, pace=dict(command.pace), impact=command.impact,
            ),
        )  # fmt: skip
        turns.carry_out(connection, command.id, incident.id, "Declare", now)
        fact = Fact(
            K.DECLARED, now, by=command.by,
            data={"title": incident.title, "playbook": playbook.id, "version": playbook.version,
                  "since": started.isoformat(), "drill": incident.drill},
        )  # fmt: skip
        _start(connection, house, incident, playbook, started, now, fact, position=0)
        return Answer(incident.id, incident.ref, str(incident.status), changed=True)


def attach(house: House, command: Attach, now: DateTime) -> Answer:
    """Start another playbook for a running incident."""
    playbook = _playbook(house, command.playbook)
    started = _checked_since(command.since, now) or now
    with house.database.write() as connection:
        incident = _locked(connection, command)
        if turns.carried_out(connection, command.id):
            return _answer(connection, incident.id, changed=False)
        if "attach" not in INCIDENT_MOVES[incident.status]:
            raise Refused(f"{incident.ref} is {incident.status}: a playbook is attached to a running incident")
        ids = incidents.responses_of(connection, incident.id)
        snapshots = [incidents.load(connection, response, house.roster()) for response in ids]
        if any(s.response.playbook.id == playbook.id for s in snapshots):
            raise Refused(f"{incident.ref} already runs {playbook.id}")
        turns.carry_out(connection, command.id, incident.id, "Attach", now)
        data = {"playbook": playbook.id, "version": playbook.version, "since": started.isoformat()}
        fact = Fact(K.ATTACHED, now, by=command.by, data=data)
        _start(connection, house, incident, playbook, started, now, fact, position=len(ids))
        return Answer(incident.id, incident.ref, str(incident.status), changed=True)


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
        before, facts = _handled(connection, house, incident, command, now)
        after = before
        for fact in facts:
            after = evolve(after, fact)
        if facts:
            incidents.save(connection, before, after, now)
            append_facts(connection, after, facts)
        turns.carry_out(connection, command.id, incident.id, type(command).__name__, now)
        return Answer(incident.id, incident.ref, str(after.incident.status), changed=bool(facts))


def _handled(
    connection: Connection, house: House, incident: Incident, command: StepCommand | IncidentCommand | Begin,
    now: DateTime,
) -> tuple[Snapshot, list[Fact]]:  # fmt: skip
    """Which of an incident's responses the command is for: the first that takes it.

    A step may be named as `playbook:stage/step` where two responses have one of the same name.
    """
    ids = incidents.responses_of(connection, incident.id)
    snapshots = [incidents.load(connection, response, house.roster()) for response in ids]
    named = getattr(command, "step", None) or getattr(command, "stage", None)
    if isinstance(named, str):
        playbook, colon, rest = named.partition(":")
        if colon:
            snapshots = [s for s in snapshots if s.response.playbook.id == playbook]
            field = "stage" if isinstance(command, Begin) else "step"
            command = replace(command, **{field: rest})  # type: ignore[arg-type]
        else:
            snapshots = [s for s in snapshots if _has(s, named)] or snapshots[:1]
    if not snapshots:
        raise Refused(f"{incident.ref} runs no playbook {named!r}")
    return snapshots[0], handle(command, snapshots[0], now)


def _has(snapshot: Snapshot, name: str) -> bool:
    """Whether a response knows a step (or stage on demand) of that name; a step still in force counts first."""
    if any(stage.id == name for stage in snapshot.response.playbook.stages):
        return True
    return any(name in (s.id, s.step, f"{s.stage}/{s.step}") for s in snapshot.steps.values())


def _locked(connection: Connection, command: Command) -> Incident:
    incident_id = incidents.find(connection, command.incident)
    incidents.lock(connection, incident_id)
    return incidents.load_incident(connection, incident_id)


def _start(
    connection: Connection, house: House, incident: Incident, playbook: Playbook, started: DateTime, now: DateTime,
    fact: Fact, *, position: int,
) -> None:  # fmt: skip
    """A response with its first decision: the owners of its first steps are owed their notices with the declaration."""
    response = Response(
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{incident.id}/{playbook.id}")), playbook=playbook, started_at=started
    )
    incidents.add_response(connection, incident.id, response, position)
    before = incidents.load(connection, response.id, house.roster()) if position else None
    before = before or Snapshot(incident=incident, response=response, roster=house.roster())
    decision = decide(before, now)
    incidents.save(connection, before, decision.snapshot, decision.wake_at)
    commit_decision(connection, decision, now, before=[fact])


def _answer(connection: Connection, incident_id: str, *, changed: bool) -> Answer:
    incident = incidents.load_incident(connection, incident_id)
    return Answer(incident.id, incident.ref, str(incident.status), changed)


# --- what is asked for, checked ----------------------------------------------------------------------------------


def _playbook(house: House, name: str) -> Playbook:
    try:
        playbook = house.library.get(name)
    except UnknownPlaybook as unknown:
        raise Refused(str(unknown)) from None
    missing = missing_roles(playbook, house.roster())
    if missing:
        raise Refused(str(missing[0]))
    return playbook


def clean(text: str, longest: int, what: str) -> str:
    """One line without control characters. Refused when empty or longer than `longest` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    if not line:
        raise Refused(f"the {what} is empty: say in a few words what happened")
    if len(line) > longest or len(text) > longest * 4:
        raise Refused(f"the {what} has {len(text)} characters; at most {longest}: put the rest into a note")
    return line


def _checked(command: Declare, now: DateTime) -> Declare:
    if not command.id or len(command.id) > 64:  # noqa: PLR2004 - the width of the column
        raise Refused("the id of a declaration has 1 to 64 characters, for example a UUID")
    optional = {
        name: clean(getattr(command, name), LONGEST_FIELD, name) if getattr(command, name).strip() else ""
        for name in ("severity", "origin", "service", "kind")
    }
    impact = command.impact
    if min(impact.customers, impact.orders, impact.money, impact.brand) < 0 or impact.brand > 3:  # noqa: PLR2004
        raise Refused("impact counts are 0 or more, brand is 0 (none) to 3 (severe)")
    if max(impact.customers, impact.orders, impact.money) > 10**15:
        raise Refused("an impact figure is larger than any real one: at most 10^15")
    for clock, factor in command.pace.items():
        if clock not in CLOCKS or not 1 <= factor <= FASTEST:
            raise Refused(f"a pace is 1 to {FASTEST:.0f} for a clock of {', '.join(CLOCKS)}")
    if command.pace and not command.drill:
        raise Refused("only a drill runs at another pace than real time")
    since = _checked_since(command.since, now)
    return replace(command, title=clean(command.title, LONGEST_TITLE, "title"), since=since, **optional)  # type: ignore[arg-type]


def _checked_since(since: DateTime | None, now: DateTime) -> DateTime | None:
    if since is None:
        return None
    if since.tzinfo is None:
        raise Refused(f"{since.isoformat()} has no time zone: write for example {since.isoformat()}+08:00")
    if since > now + AHEAD:
        raise Refused(f"{since.isoformat()} is in the future: an incident begins now or earlier")
    if since < now - BACK:
        raise Refused(f"{since.isoformat()} is more than 30 days ago: check the date")
    return min(since.in_timezone("UTC"), now)
