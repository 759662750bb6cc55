"""The simulated owners: who answers at once, who is late, who is absent."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from domain.notices import Purpose
from domain.playbook import Step
from engine.rehearsal.span import NEVER, Span, at

MINUTE = 60.0
AFTER_BACKUP = 1.0  # minutes by which someone late answers after the backup was called
STANDING_IN = 3.0  # minutes that the backup of someone late takes: the late one should come first
LONGEST_SLOW = 30.0  # minutes to a reminder that someone late still waits for
PAST_REMINDER = 1.0  # minutes by which someone late finishes after the first reminder
IN_TIME = 0.6  # share of a step's window after which nobody is slow on purpose


class Manner(StrEnum):
    """How a simulated owner answers."""

    PROMPT = "prompt"
    LATE = "late"  # acknowledges only after the backup was called, and finishes only when reminded
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Persona:
    """A simulated owner. Times in simulated minutes: to acknowledge a call, and then to do the step."""

    person: str
    manner: Manner = Manner.PROMPT
    answers: float = 1.25
    works: float = 1.5


@dataclass(frozen=True, slots=True)
class Call:
    """One rung of a step's ladder: who was called, and when."""

    purpose: Purpose
    person: str
    at: Span


@dataclass(frozen=True, slots=True)
class Task:
    """What a simulated owner needs to know of a step to plan their time; in seconds."""

    step: str
    opened: float
    due: float
    ack_within: float | None
    remind: float | None


def task_of(step: str, plan: Step, opened: float, due: float) -> Task:
    """The task that a playbook's step is."""
    ack = plan.ack_within.total_seconds() if plan.ack_within else None
    remind = plan.remind.total_seconds() if plan.remind else None
    return Task(step, opened, due, ack, remind)


@dataclass(frozen=True, slots=True)
class Cast:
    """Everyone who may be called in a rehearsal."""

    personas: Mapping[str, Persona] = field(default_factory=dict)
    seed: int = 1

    def of(self, person: str) -> Persona:
        """How a person answers; whoever has no part answers at once."""
        return self.personas.get(person) or Persona(person)

    def named(self, manner: Manner) -> list[str]:
        """Everyone of that manner."""
        return sorted(p.person for p in self.personas.values() if p.manner is manner)

    def answer_seconds(self, call: Call, owner: str, task: Task) -> float:
        """How long after a call its receiver acknowledges; NEVER for someone absent."""
        persona = self.of(call.person)
        if persona.manner is Manner.ABSENT:
            return NEVER
        if persona.manner is Manner.LATE and call.purpose is Purpose.ASSIGN and task.ack_within:
            return task.ack_within + AFTER_BACKUP * MINUTE
        if call.purpose is Purpose.BACKUP and self.of(owner).manner is Manner.LATE:
            return STANDING_IN * MINUTE
        return persona.answers * MINUTE

    def work_seconds(self, person: str, task: Task, acknowledged: float) -> float:
        """How long after acknowledging someone has done it."""
        persona = self.of(person)
        if persona.manner is Manner.LATE and task.remind and task.remind <= LONGEST_SLOW * MINUTE:
            slow = task.remind + PAST_REMINDER * MINUTE
            if acknowledged + slow <= task.opened + IN_TIME * (task.due - task.opened):
                return slow
        return persona.works * MINUTE

    # --- as the expectation asks for it: everyone acts by the book, nothing takes time in between

    def takes(self, task: Task, calls: Sequence[Call]) -> tuple[str, Span]:
        """Who acknowledges first of those called, and when."""
        owner = calls[0].person
        answers = [(call.at.lo + self.answer_seconds(call, owner, task), call.person) for call in calls]
        when, person = min(answers)
        return person, at(when)

    def finishes(self, task: Task, person: str, acknowledged: Span) -> tuple[str, Span]:
        """Who has done the step, and when."""
        return person, acknowledged.plus(self.work_seconds(person, task, acknowledged.lo))

    def heard(self, step: str, purpose: Purpose, person: str) -> float | None:  # noqa: ARG002
        """When a call was received: at once."""
        return None

    def posted(self, step: str, opened: Span) -> Span:  # noqa: ARG002
        """When a publication stood on its channels: at once."""
        return opened

    def amount(self, draft: str) -> int | None:  # noqa: ARG002
        """What a draft costs: what its usual approver may approve."""
        return None


def people_of(seed: int, names: Sequence[str], *, absent: str = "", late: str = "") -> Cast:
    """A cast of these people with these two parts; each has their own pace, drawn from the seed."""
    drawn = random.Random(f"tocsin rehearsal {seed}")  # noqa: S311 - the same every time is what is wanted
    personas = {}
    for name in sorted(names):
        manner = Manner.ABSENT if name == absent else Manner.LATE if name == late else Manner.PROMPT
        answers, works = round(drawn.uniform(1.0, 1.5), 2), round(drawn.uniform(1.0, 2.0), 2)
        personas[name] = Persona(name, manner, answers, works)
    return Cast(personas, seed)
