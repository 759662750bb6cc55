"""Injections of a scenario into a rehearsal: a call, an absence, a rejected text, a second incident."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from pendulum import DateTime

from domain.commands import Approve, Declare, Draft, Reject
from domain.incident import CaseType, Snapshot
from domain.playbook import CLOCKS, Playbook, Stage, Step, StepKind
from domain.tabletop.scenario import Injection, Scenario
from domain.text import Text
from engine.installation import Installation
from engine.response import commands
from engine.response.declare import begin_in_transaction
from engine.response.validation import validate_declaration
from storage.incidents import incidents

ANSWER_STEP = "sudden/answer"
_ANSWERS = 3  # times what an acknowledgement may take, where nothing is said of an answer


@dataclass(slots=True)
class InjectedEvent:
    """Injection that took place.

    `matter`: what it began; `person`: whom it hit; `at` by the machine's clock.
    """

    injection: Injection
    at: DateTime
    matter: str = ""
    person: str = ""
    step: str = ""


def make_answer_playbook(scenario: Scenario, injection: Injection) -> Playbook:
    """Make the playbook a message asks for: its owner says what is done about it, or the backup is called."""
    within = injection.within or timedelta(minutes=5)
    due = injection.due or within * _ANSWERS
    step = Step(
        id="answer", kind=StepKind.ACT, title=injection.text, owner=injection.to, instruction=scenario.title,
        ack_within=within, due=due,
    )  # fmt: skip
    stage = Stage(id="sudden", title=scenario.title, steps=(step,), ends=due)
    return Playbook(id="sudden-situation", title=scenario.title, stages=(stage,), severity="minor")


def call_role(installation: Installation, scenario: Scenario, injection: Injection, speed: float, now: DateTime) -> str:
    """Call the role that a message is for; the reference of the case that carries it."""
    text = injection.text
    command = Declare(
        id=str(uuid.uuid4()),
        title=f"{text.en} {text.zh}"[:200],
        playbook="sudden-situation",
        drill=True,
        pace=dict.fromkeys(CLOCKS, speed),
        case_type=CaseType.ACTION,
        origin=f"scenario {scenario.id}"[:80],
        kind="scenario",
    )
    with installation.database.write() as connection:
        wanted = [(validate_declaration(command, now), make_answer_playbook(scenario, injection))]
        (answer,) = begin_in_transaction(connection, installation.roster(), wanted, now)
    return answer.ref


def load_snapshots(installation: Installation, ref: str) -> list[Snapshot]:
    """Load every response of a case."""
    with installation.database.read() as connection:
        ids = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))
        return [incidents.load_snapshot(connection, one, installation.roster()) for one in ids]


def reject_text(installation: Installation, ref: str, step: str, reason: Text, now: DateTime) -> str:
    """Reject the text as its approver, if there is one to reject; who that was, else nobody."""
    state = load_snapshots(installation, ref)[0].steps.get(step)
    if state is None or state.acknowledged_at is None or state.done_at is not None:
        return ""
    name = str(uuid.uuid4())
    commands.carry_out_command(
        installation, Reject(id=name, incident=ref, by=state.holder, step=step, reason=reason.en), now
    )
    return state.holder


def rewrite_text(installation: Installation, ref: str, approval: str, now: DateTime) -> None:
    """Write the text anew as a simulated author, with another word in it."""
    snapshot = load_snapshots(installation, ref)[0]
    draft = snapshot.steps[_draft_of(snapshot, approval)]
    texts = {name: f"{text}\n—" for name, text in draft.texts.items()}
    command = Draft(id=str(uuid.uuid4()), incident=ref, by=draft.author or draft.owner, step=draft.id, texts=texts)
    commands.carry_out_command(installation, command, now)


def approve_rewrite(installation: Installation, ref: str, approval: str, by: str, now: DateTime) -> None:
    """Approve exactly the rewritten text as the simulated approver."""
    snapshot = load_snapshots(installation, ref)[0]
    digest = snapshot.steps[_draft_of(snapshot, approval)].digest
    command = Approve(id=str(uuid.uuid4()), incident=ref, by=by, step=approval, digest=digest)
    commands.carry_out_command(installation, command, now)


def _draft_of(snapshot: Snapshot, approval: str) -> str:
    stage, _, step = approval.partition("/")
    plan = snapshot.response.playbook.step(stage, step)
    return plan.of if "/" in (plan.of or "") else f"{stage}/{plan.of}"  # type: ignore[return-value]
