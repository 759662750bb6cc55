"""A playbook as data: stages with a window on a clock, steps with kind, owner and deadline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from domain.text import Text

Clock = Literal["declared", "mitigated", "closed"]
CLOCKS: tuple[Clock, ...] = ("declared", "mitigated", "closed")


class StepKind(StrEnum):
    """What a step asks for, and of whom."""

    ACT = "act"  # a person does it: acknowledge, done, evidence
    TELL = "tell"  # a notice only; done once it is on its way
    DRAFT = "draft"  # a person writes the text
    APPROVE = "approve"  # a person approves exactly that text
    PUBLISH = "publish"  # the system posts it on the official channels
    MEET = "meet"  # a briefing, with time and link
    RUN = "run"  # a registered task (part of the vocabulary; no shipped playbook needs one yet)
    SURVEY = "survey"  # ask customers (part of the vocabulary; needs the follow-up)


PERSON_STEPS = frozenset({StepKind.ACT, StepKind.DRAFT, StepKind.APPROVE, StepKind.MEET})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a stage.

    Offsets count from the start of the stage's clock (for a round of a repeated stage: of the round).
    """

    id: str
    kind: StepKind
    title: Text
    owner: str  # a role of the roster
    instruction: Text = field(default_factory=lambda: Text(""))
    backup: str | None = None  # a role; without it the owner role's own backup
    needs: tuple[str, ...] = ()  # steps of the same stage, or `stage/step`
    opens: timedelta | None = None  # default: the stage's start
    due: timedelta | None = None  # default: the stage's end
    ack_within: timedelta | None = None  # None: nobody is called for want of an acknowledgement
    remind: timedelta | None = None  # None: no reminders
    evidence: bool = False  # done needs a word or a link of proof
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # incident field -> allowed values
    of: str | None = None  # approve, publish: the draft step whose text is meant
    channels: tuple[str, ...] = ()  # publish: official channels; none named: all of them
    tell: tuple[str, ...] = ()  # roles told when it opens, besides the owner
    self_approval: bool = False  # approve: author and approver may be one person
    over_limit: str | None = None  # approve: the role that approves above the owner's money limit
    brief: bool = False  # tell: the hourly paragraph, written from the facts
    withdraws: bool = False  # publish: what it posts withdraws what stood before
    template: Text = field(default_factory=lambda: Text(""))  # draft: a text to begin with
    promises: bool = False  # draft: the text promises measures, which are then to be recorded with owners and dates
    attaches: str | None = None  # act: a decision, yes or no; on a yes this playbook is attached, its clock back-dated


@dataclass(frozen=True, slots=True)
class Stage:
    """A window on a clock, and its steps. `repeat` lays it out again, round after round."""

    id: str
    title: Text
    steps: tuple[Step, ...]
    ends: timedelta
    starts: timedelta = timedelta(0)
    clock: Clock = "declared"
    repeat: timedelta | None = None
    on_demand: bool = False  # begun by a person (a correction, a withdrawal); clock = that moment


@dataclass(frozen=True, slots=True)
class UpdateWatch:
    """Watch on public updates: nothing public for `within`: the commander is reminded.

    `then` later, the executive.
    """

    within: timedelta
    then: timedelta
    first: str = "incident-commander"
    after: str = "executive"


@dataclass(frozen=True, slots=True)
class Playbook:
    """A playbook. A response keeps the copy that it started with."""

    id: str
    title: Text
    stages: tuple[Stage, ...]
    version: int = 1
    summary: Text = field(default_factory=lambda: Text(""))
    flow: str = "respond_publicly"  # the Prefect flow that drives it, by its file's name
    severity: str = "critical"
    commander: str = "incident-commander"
    last_resort: str = "last-resort"
    objective: timedelta | None = None  # RTO, from the declaration
    never_silent: UpdateWatch | None = None
    holding_script: Text = field(default_factory=lambda: Text(""))
    ends_with_warning: bool = False  # the warning is over before anyone took a step: nothing is left to do

    def stage(self, stage_id: str) -> Stage:
        """Return the stage of that id; KeyError where there is none."""
        for stage in self.stages:
            if stage.id == stage_id:
                return stage
        raise KeyError(stage_id)

    def each_step(self) -> Iterator[tuple[Stage, Step]]:
        """Yield every step with its stage, in the order of the page."""
        for stage in self.stages:
            for step in stage.steps:
                yield stage, step

    def step(self, stage_id: str, step_id: str) -> Step:
        """One step; KeyError where there is none."""
        for step in self.stage(stage_id).steps:
            if step.id == step_id:
                return step
        raise KeyError(f"{stage_id}/{step_id}")

    def roles(self) -> frozenset[str]:
        """Every role that the playbook names."""
        named = {self.commander, self.last_resort}
        if self.never_silent:
            named |= {self.never_silent.first, self.never_silent.after}
        for _, step in self.each_step():
            named |= {step.owner, *step.tell}
            named |= {role for role in (step.backup, step.over_limit) if role}
        return frozenset(named)


def full_step_id(stage_id: str, name: str) -> str:
    """Return the full name of a step; `needs` and `of` may name a step of the same stage by its short name."""
    return name if "/" in name else f"{stage_id}/{name}"
