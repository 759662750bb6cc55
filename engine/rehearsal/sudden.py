"""What a scenario puts into a rehearsal as it runs: a call, an absence, a text sent back, a second incident."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.commands import Approve, Declare, Draft, Reject
from domain.incident import Nature, Snapshot
from domain.playbook import CLOCKS, Playbook, Stage, Step, StepKind
from domain.tabletop.scenario import Injection, Scenario
from domain.text import Text
from engine import commands
from engine.asked import checked
from engine.declaring import begin_within
from engine.house import House
from storage import incidents

ANSWER = "sudden/answer"
_ANSWERS = 3  # times what an acknowledgement may take, where nothing is said of an answer


@dataclass(slots=True)
class Happened:
    """An injection that took place. `matter`: what it began; `person`: whom it hit; `at` by the machine's clock."""

    injection: Injection
    at: DateTime
    matter: str = ""
    person: str = ""
    step: str = ""


def procedure(scenario: Scenario, injection: Injection) -> Playbook:
    """What a message asks for: somebody has it, and says what is done about it; else their backup is called."""
    within = injection.within or timedelta(minutes=5)
    due = injection.due or within * _ANSWERS
    step = Step(
        id="answer", kind=StepKind.ACT, title=injection.text, owner=injection.to, instruction=scenario.title,
        ack_within=within, due=due,
    )  # fmt: skip
    stage = Stage(id="sudden", title=scenario.title, steps=(step,), ends=due)
    return Playbook(id="sudden-situation", title=scenario.title, stages=(stage,), severity="minor")


def call(house: House, scenario: Scenario, injection: Injection, speed: float, now: DateTime) -> str:
    """Put a message to its role; the reference of what carries it."""
    text = injection.text
    command = Declare(
        id=str(uuid.uuid4()), title=f"{text.en} {text.zh}"[:200], playbook="sudden-situation", drill=True,
        pace=dict.fromkeys(CLOCKS, speed), nature=Nature.ACTION, origin=f"scenario {scenario.id}"[:80], kind="scenario",
    )  # fmt: skip
    with house.database.write() as connection:
        wanted = [(checked(command, now), procedure(scenario, injection))]
        (answer,) = begin_within(connection, house.roster(), wanted, now)
    return answer.ref


def snapshots(house: House, ref: str) -> list[Snapshot]:
    """Every response of a matter as it stands."""
    with house.database.read() as connection:
        ids = incidents.responses_of(connection, incidents.find(connection, ref))
        return [incidents.load(connection, one, house.roster()) for one in ids]


def send_back(house: House, ref: str, step: str, reason: Text, now: DateTime) -> str:
    """The approver rejects the text, if there is one to reject; who that was, else nobody."""
    state = snapshots(house, ref)[0].steps.get(step)
    if state is None or state.acknowledged_at is None or state.done_at is not None:
        return ""
    name = str(uuid.uuid4())
    commands.carry_out(house, Reject(id=name, incident=ref, by=state.holder, step=step, reason=reason.en), now)
    return state.holder


def write_anew(house: House, ref: str, approval: str, now: DateTime) -> None:
    """A simulated author writes the text anew, another word in it."""
    snapshot = snapshots(house, ref)[0]
    draft = snapshot.steps[_draft_of(snapshot, approval)]
    texts = {name: f"{text}\n—" for name, text in draft.texts.items()}
    command = Draft(id=str(uuid.uuid4()), incident=ref, by=draft.author or draft.owner, step=draft.id, texts=texts)
    commands.carry_out(house, command, now)


def approve_anew(house: House, ref: str, approval: str, by: str, now: DateTime) -> None:
    """And the simulated approver approves exactly that."""
    snapshot = snapshots(house, ref)[0]
    digest = snapshot.steps[_draft_of(snapshot, approval)].digest
    command = Approve(id=str(uuid.uuid4()), incident=ref, by=by, step=approval, digest=digest)
    commands.carry_out(house, command, now)


def _draft_of(snapshot: Snapshot, approval: str) -> str:
    stage, _, step = approval.partition("/")
    plan = snapshot.response.playbook.step(stage, step)
    return plan.of if "/" in (plan.of or "") else f"{stage}/{plan.of}"  # type: ignore[return-value]
