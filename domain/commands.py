"""Commands that people and firing rules give.

Each carries an id made by its caller: a retry is the same command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pendulum import DateTime

from domain.incident import CaseType, Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class Declare:
    """Begin an incident and its first response. `id` becomes the incident's own; `since` back-dates its clock."""

    id: str
    title: str
    playbook: str
    by: str = ""
    since: DateTime | None = None
    severity: str = ""  # empty: the playbook's
    origin: str = ""
    service: str = ""
    kind: str = ""
    impact: Impact = field(default_factory=Impact)
    drill: bool = False
    pace: Mapping[str, float] = field(default_factory=dict)
    case_type: CaseType = CaseType.INCIDENT
    warning: Mapping[str, Any] = field(default_factory=dict)  # the figures behind it, for the timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Base of every later command: its id, the incident's reference and who gives it."""

    id: str
    incident: str  # INC-42, or the incident's id
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach(Command):
    """Add another playbook to a running incident: an outage turns public. `since` back-dates its clock."""

    playbook: str
    since: DateTime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Command):
    """Take a step over: `by` is responsible for it now, and escalation stops."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Command):
    """Mark a step as done.

    For a publish step: posted by hand, `evidence` is the link (of `channel`, or of all).

    For a decision `choice` is the decision.
    """

    step: str
    evidence: str = ""
    channel: str = ""
    choice: Literal["", "yes", "no"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft(Command):
    """Hand in the text of a draft step, by language or official channel. An edit voids an approval."""

    step: str
    texts: Mapping[str, str]
    amount: int | None = None  # what it will cost, in the roster's currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(Command):
    """Approve exactly the text whose hash this is."""

    step: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Command):
    """Send the text back to its author, with a reason."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Command):
    """Order a publication again on a channel where its outcome is in doubt. Only a person decides this."""

    step: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign(Command):
    """Give a step to another person."""

    step: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin(Command):
    """Begin a stage that is on demand: a correction, a withdrawal."""

    stage: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Command):
    """Add a note to the timeline. `corrects`: the number of an earlier fact that it puts right."""

    text: str
    corrects: int = 0  # 0: none; what was recorded stays as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class SetImpact(Command):
    """Set the incident's impact as known now."""

    impact: Impact


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigate(Command):
    """Declare an incident mitigated: service is back, or harm is stopped; the incident goes on."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Command):
    """Close an incident. With steps still open a reason is needed; they are marked abandoned."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen(Command):
    """Reopen a closed incident: the original clocks resume."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Command):
    """Cancel an incident that was declared in error."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge(Command):
    """Merge a duplicate into the incident `into`: this one is cancelled, both timelines name each other."""

    into: str


StepCommand = Acknowledge | Done | Draft | Approve | Reject | Retry | Reassign
IncidentCommand = Note | SetImpact | Mitigate | Close | Reopen | Cancel
