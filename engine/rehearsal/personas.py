"""Personas of the simulated owners: who answers at once, who is late, who is absent."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.notifications import NotificationPurpose
from domain.playbook import Step
from engine.rehearsal.time_bounds import NEVER, TimeBounds, exact_moment

MINUTE = 60.0
AFTER_BACKUP = 1.0  # minutes by which someone late answers after the backup was called
STANDING_IN = 3.0  # minutes that the backup of someone late takes: the late one should come first
LONGEST_SLOW = 30.0  # minutes to a reminder that someone late still waits for
PAST_REMINDER = 1.0  # minutes by which someone late finishes after the first reminder
IN_TIME = 0.6  # share of a step's window after which nobody is slow on purpose


class PersonaManner(StrEnum):
    """How a simulated owner answers."""

    PROMPT = "prompt"
    LATE = "late"  # acknowledges only after the backup was called, and finishes only when reminded
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Persona:
    """Simulated owner. Times in simulated minutes: to acknowledge a call, and then to do the step."""

    person: str
    manner: PersonaManner = PersonaManner.PROMPT
    answers: float = 1.25
    works: float = 1.5


@dataclass(frozen=True, slots=True)
class EscalationCall:
    """One call of a step's escalation: who was called, and when."""

    purpose: NotificationPurpose
    person: str
    at: TimeBounds


@dataclass(frozen=True, slots=True)
class PersonaTask:
    """What a simulated owner needs to know of a step to plan their time; in seconds."""

    step: str
    opened: float
    due: float
    ack_within: float | None
    remind: float | None


def make_task(step: str, plan: Step, opened: float, due: float) -> PersonaTask:
    """Make the task that a playbook's step is."""
    ack = plan.ack_within.total_seconds() if plan.ack_within else None
    remind = plan.remind.total_seconds() if plan.remind else None
    return PersonaTask(step, opened, due, ack, remind)


@dataclass(frozen=True, slots=True)
class PersonaSet:
    """Personas of everyone who may be called in a rehearsal."""

    personas: Mapping[str, Persona] = field(default_factory=dict)
    seed: int = 1

    def persona_of(self, person: str) -> Persona:
        """The persona of a person; a person without one answers at once."""
        return self.personas.get(person) or Persona(person)

    def people_with(self, manner: PersonaManner) -> list[str]:
        """List everyone of that manner."""
        return sorted(p.person for p in self.personas.values() if p.manner is manner)

    def answer_seconds(self, call: EscalationCall, owner: str, task: PersonaTask) -> float:
        """Seconds after a call until its receiver acknowledges; NEVER for someone absent."""
        persona = self.persona_of(call.person)
        if persona.manner is PersonaManner.ABSENT:
            return NEVER
        if persona.manner is PersonaManner.LATE and call.purpose is NotificationPurpose.ASSIGN and task.ack_within:
            return task.ack_within + AFTER_BACKUP * MINUTE
        if call.purpose is NotificationPurpose.BACKUP and self.persona_of(owner).manner is PersonaManner.LATE:
            return STANDING_IN * MINUTE
        return persona.answers * MINUTE

    def work_seconds(self, person: str, task: PersonaTask, acknowledged: float) -> float:
        """Seconds after acknowledging until someone has done the step."""
        persona = self.persona_of(person)
        if persona.manner is PersonaManner.LATE and task.remind and task.remind <= LONGEST_SLOW * MINUTE:
            slow = task.remind + PAST_REMINDER * MINUTE
            if acknowledged + slow <= task.opened + IN_TIME * (task.due - task.opened):
                return slow
        return persona.works * MINUTE

    # --- as the expectation asks for it: everyone acts by the book, nothing takes time in between

    def first_to_acknowledge(self, task: PersonaTask, calls: Sequence[EscalationCall]) -> tuple[str, TimeBounds]:
        """Find who acknowledges first of those called, and when."""
        owner = calls[0].person
        answers = [(call.at.lo + self.answer_seconds(call, owner, task), call.person) for call in calls]
        when, person = min(answers)
        return person, exact_moment(when)

    def finished_by(self, task: PersonaTask, person: str, acknowledged: TimeBounds) -> tuple[str, TimeBounds]:
        """Find who has done the step, and when."""
        return person, acknowledged.plus(self.work_seconds(person, task, acknowledged.lo))

    def received_at(self, step: str, purpose: NotificationPurpose, person: str) -> float | None:  # noqa: ARG002
        """When a call was received: at once."""
        return None

    def published_at(self, step: str, opened: TimeBounds) -> TimeBounds:  # noqa: ARG002
        """When a publication stood on its channels: at once."""
        return opened

    def draft_cost(self, draft: str) -> int | None:  # noqa: ARG002
        """What a draft costs: what its usual approver may approve."""
        return None


def make_personas(seed: int, names: Sequence[str], *, absent: str = "", late: str = "") -> PersonaSet:
    """Make personas of these people, one absent and one late; each one's pace is drawn from the seed."""
    drawn = random.Random(f"tocsin rehearsal {seed}")  # noqa: S311 - the same every time is what is wanted
    personas = {}
    for name in sorted(names):
        manner = (
            PersonaManner.ABSENT if name == absent else PersonaManner.LATE if name == late else PersonaManner.PROMPT
        )
        answers, works = round(drawn.uniform(1.0, 1.5), 2), round(drawn.uniform(1.0, 2.0), 2)
        personas[name] = Persona(name, manner, answers, works)
    return PersonaSet(personas, seed)
