"""An action item: who does it, by when, and why. A case of its own, with a playbook of one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from domain.playbook import Playbook, Stage, Step, StepKind
from domain.text import Text

STAGE, STEP = "action", "do"
_ACK = timedelta(hours=24)  # office work: nobody is woken for it
_SOON = timedelta(hours=24)


class ActionKind(StrEnum):
    """Where an action was promised."""

    MEASURE = "measure"  # to the public, in the improvement measures of a response
    RETROSPECTIVE = "retrospective"
    PROPOSAL = "proposal"  # by an optimisation proposal
    SUGGESTION = "suggestion"  # to customers, by an answer of the product meeting
    DRILL = "drill"  # a failed drill
    CHECK = "check"  # a broken link of the chain


@dataclass(frozen=True, slots=True)
class Action:
    """An action that was promised.

    Attributes:
        title: the thing itself, in a line.
        owner: a role of the roster, or a person's id.
        due: from when it is promised.
        origin: the reference of the matter that it comes from.
        because: why, for whoever reads it a month later.
    """

    title: Text
    owner: str
    due: timedelta
    kind: ActionKind
    origin: str = ""
    service: str = ""
    because: Text = field(default_factory=lambda: Text(""))
    commander: str = "service-quality-manager"


def build_action_playbook(action: Action) -> Playbook:
    """Build the action's playbook: acknowledge, be reminded as the date comes near, prove it was done.

    Then the backup.
    """
    step = Step(
        id=STEP, kind=StepKind.ACT, title=action.title, owner=action.owner, instruction=action.because,
        due=action.due, ack_within=min(_ACK, action.due / 4), remind=max(_SOON, action.due / 4), evidence=True,
    )  # fmt: skip
    stage = Stage(id=STAGE, title=action.title, steps=(step,), ends=action.due)
    return Playbook(
        id=f"action-{action.kind}", title=action.title, stages=(stage,), flow="keep_promises", severity="minor",
        commander=action.commander, last_resort="last-resort",
    )  # fmt: skip
