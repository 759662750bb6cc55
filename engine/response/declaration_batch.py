"""Declaration batch: alike declarations are decided once, and the result is copied for each of them.

In a storm hundreds arrive within a second, and deciding and wording each anew would be half of what they
cost. Nothing that is decided depends on an incident's name; what is worded holds it in known places.
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
from engine.response.enqueue import make_entries
from storage.incidents import incidents
from storage.incidents.insert_declared import DeclaredIncident
from storage.outbox import OutboxEntry

# Stand for an incident's reference and title while it has none: of Unicode's private use, so nobody's words.
_REF, _TITLE = "\ue6a1", "\ue6a2"


@dataclass(frozen=True, slots=True)
class DeclarationTemplate:
    """Template of alike declarations: their decision and outbox rows, without names."""

    decision: Decision
    outbox_entries: tuple[OutboxEntry, ...]
    started_at: DateTime

    def build(self, command: Declare, playbook: Playbook, number: int, now: DateTime) -> DeclaredIncident:
        """Build one declaration from the template, under its own name."""
        snapshot = self.decision.snapshot
        ref = incidents.make_reference(number, command.case_type)
        incident = replace(snapshot.incident, id=command.id, ref=ref, title=command.title)
        response = replace(snapshot.response, id=response_id(command.id, playbook.id))
        declared = Fact(
            FactKind.DECLARED, now, by=command.by,
            data={"title": command.title, "playbook": playbook.id, "version": playbook.version,
                  "since": self.started_at.isoformat(), "drill": command.drill,
                  **({"warning": dict(command.warning)} if command.warning else {})},
        )  # fmt: skip
        return DeclaredIncident(
            number=number, snapshot=replace(snapshot, incident=incident, response=response),
            wake_at=self.decision.wake_at, facts=(declared, *self.decision.facts),
            owed=tuple(_named(one, incident, response.id) for one in self.outbox_entries),
        )  # fmt: skip


def build_declarations(
    wanted: Sequence[tuple[Declare, Playbook]], numbers: Sequence[int], roster: Roster, now: DateTime
) -> list[DeclaredIncident]:
    """Build everything that these declarations make, in their order; no IO."""
    moulds: dict[Any, DeclarationTemplate] = {}
    made = []
    for (command, playbook), number in zip(wanted, numbers, strict=True):
        kind = _kind(command, playbook)
        if kind not in moulds:
            moulds[kind] = _make_template(command, playbook, roster, now)
        made.append(moulds[kind].build(command, playbook, number, now))
    return made


def response_id(incident_id: str, playbook_id: str) -> str:
    """Return the id of a response: an incident runs a playbook once, so the same two give the same id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{incident_id}/{playbook_id}"))


def _kind(command: Declare, playbook: Playbook) -> Any:
    """All that a decision and its words depend on, but for reference and title."""
    return (
        id(playbook), command.since, command.severity, command.origin, command.service, command.kind, command.drill,
        tuple(sorted(command.pace.items())), command.impact, command.case_type,
    )  # fmt: skip


def _make_template(command: Declare, playbook: Playbook, roster: Roster, now: DateTime) -> DeclarationTemplate:
    started = command.since or now
    incident = Incident(
        id="", ref=_REF, case_type=command.case_type, title=_TITLE, severity=command.severity or playbook.severity,
        declared_at=started, origin=command.origin, service=command.service, kind=command.kind, drill=command.drill,
        pace=dict(command.pace), impact=command.impact,
    )  # fmt: skip
    response = Response(id="", playbook=playbook, started_at=started)
    decision = decide(Snapshot(incident=incident, response=response, roster=roster), now)
    return DeclarationTemplate(decision, tuple(make_entries(decision, now)), started)


def _named(owed: OutboxEntry, incident: Incident, response: str) -> OutboxEntry:
    payload = {name: _filled(value, incident) for name, value in owed.payload.items()}
    if "link" in payload:
        payload["link"] = {**payload["link"], "response": response}
    key = owed.key.replace(_REF, incident.ref)
    return replace(owed, key=key, incident_id=incident.id, response_id=response, payload=payload)


def _filled(value: Any, incident: Incident) -> Any:
    # The title last: whatever it holds is not looked at again.
    return value.replace(_REF, incident.ref).replace(_TITLE, incident.title) if isinstance(value, str) else value
