"""Declarations of one kind at one moment are decided alike: what the first of them makes is cast again for the others.

In a storm hundreds arrive within a second, and deciding and wording each anew would be half of what they cost. Nothing
that is decided depends on an incident's name; what is worded holds it in known places.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pendulum import DateTime

from domain.commands import Declare
from domain.decide import Decision, decide
from domain.facts import Fact, FactKind
from domain.incident import Incident, Response, Snapshot
from domain.playbook import Playbook
from domain.roster import Roster
from engine.owing import owed_by
from storage import incidents
from storage.beginnings import Beginning
from storage.outbox import Owed

# Stand for an incident's reference and title while it has none: of Unicode's private use, so nobody's words.
_REF, _TITLE = "\ue6a1", "\ue6a2"


@dataclass(frozen=True, slots=True)
class Mould:
    """What declarations of one kind make, without their names."""

    decision: Decision
    owed: tuple[Owed, ...]
    started: DateTime

    def cast(self, command: Declare, playbook: Playbook, number: int, now: DateTime) -> Beginning:
        """One of them, under its own name."""
        snapshot = self.decision.snapshot
        ref = incidents.reference(number, command.nature)
        incident = replace(snapshot.incident, id=command.id, ref=ref, title=command.title)
        response = replace(snapshot.response, id=response_id(command.id, playbook.id))
        declared = Fact(
            FactKind.DECLARED, now, by=command.by,
            data={"title": command.title, "playbook": playbook.id, "version": playbook.version,
                  "since": self.started.isoformat(), "drill": command.drill,
                  **({"warning": dict(command.warning)} if command.warning else {})},
        )  # fmt: skip
        return Beginning(
            number=number, snapshot=replace(snapshot, incident=incident, response=response),
            wake_at=self.decision.wake_at, facts=(declared, *self.decision.facts),
            owed=tuple(_named(one, incident, response.id) for one in self.owed),
        )  # fmt: skip


def begin_all(
    wanted: Sequence[tuple[Declare, Playbook]], numbers: Sequence[int], roster: Roster, now: DateTime
) -> list[Beginning]:
    """Everything that these declarations make, in their order; no IO."""
    moulds: dict[Any, Mould] = {}
    made = []
    for (command, playbook), number in zip(wanted, numbers, strict=True):
        kind = _kind(command, playbook)
        if kind not in moulds:
            moulds[kind] = _mould(command, playbook, roster, now)
        made.append(moulds[kind].cast(command, playbook, number, now))
    return made


def response_id(incident_id: str, playbook_id: str) -> str:
    """An incident runs a playbook once: the same two give the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{incident_id}/{playbook_id}"))


def _kind(command: Declare, playbook: Playbook) -> Any:
    """All that a decision and its words depend on, but for reference and title."""
    return (
        id(playbook), command.since, command.severity, command.origin, command.service, command.kind, command.drill,
        tuple(sorted(command.pace.items())), command.impact, command.nature,
    )  # fmt: skip


def _mould(command: Declare, playbook: Playbook, roster: Roster, now: DateTime) -> Mould:
    started = command.since or now
    incident = Incident(
        id="", ref=_REF, nature=command.nature, title=_TITLE, severity=command.severity or playbook.severity,
        declared_at=started, origin=command.origin, service=command.service, kind=command.kind, drill=command.drill,
        pace=dict(command.pace), impact=command.impact,
    )  # fmt: skip
    response = Response(id="", playbook=playbook, started_at=started)
    decision = decide(Snapshot(incident=incident, response=response, roster=roster), now)
    return Mould(decision, tuple(owed_by(decision, now)), started)


def _named(owed: Owed, incident: Incident, response: str) -> Owed:
    payload = {name: _filled(value, incident) for name, value in owed.payload.items()}
    if "link" in payload:
        payload["link"] = {**payload["link"], "response": response}
    key = owed.key.replace(_REF, incident.ref)
    return replace(owed, key=key, incident_id=incident.id, response_id=response, payload=payload)


def _filled(value: Any, incident: Incident) -> Any:
    # The title last: whatever it holds is not looked at again.
    return value.replace(_REF, incident.ref).replace(_TITLE, incident.title) if isinstance(value, str) else value
