"""Prefect tasks of turns: commit leased turns, and explain their decisions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pendulum
from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import get_run_context
from pydantic import BaseModel

from engine.response.turn import TurnResult, take_turn
from storage.incidents.incidents import TurnLease
from tasks import process_context


class LeasedTurn(BaseModel):
    """A leased turn as a Prefect parameter: ids and times alone, never a text or a contact."""

    response: str
    token: int
    due: str

    def lease(self) -> TurnLease:
        """Lease of the turn."""
        due = pendulum.parse(self.due)
        if not isinstance(due, pendulum.DateTime):
            msg = f"{self.due!r} is not a point in time"
            raise TypeError(msg)
        return TurnLease(self.response, self.token, due)


@dataclass(frozen=True, slots=True)
class DecisionExplanation:
    """One line of the decisions artifact."""

    ref: str
    about: str
    why: str


@task(name="commit-turns", task_run_name="commit {n} turns", cache_policy=NO_CACHE)
async def commit_turns(taken: list[LeasedTurn], n: int) -> list[DecisionExplanation]:  # noqa: ARG001 - n names the run
    """Decide and commit each turn; a turn that another driver has taken over is left to it."""
    context = get_run_context()
    run_id = str(getattr(getattr(context, "task_run", None), "flow_run_id", "") or "")
    return await asyncio.to_thread(_commit, taken, run_id)


def _commit(taken: list[LeasedTurn], run_id: str) -> list[DecisionExplanation]:
    lines: list[DecisionExplanation] = []
    for one in taken:
        turned = take_turn(
            process_context.get_installation(), one.lease(), process_context.now(), driver="prefect", run_id=run_id
        )
        lines += _explained(turned) if turned else []
    return lines


def _explained(turned: TurnResult) -> list[DecisionExplanation]:
    facts = [DecisionExplanation(turned.ref, fact.step or "incident", str(fact.kind)) for fact in turned.decision.facts]
    reasons = [DecisionExplanation(turned.ref, why.about, str(why.reason)) for why in turned.decision.reasons]
    wake = turned.decision.wake_at
    following = f"looked at again {wake.to_iso8601_string()}" if wake else "nothing will become due by itself"
    return [*facts, *reasons, DecisionExplanation(turned.ref, "next", following)]


@task(name="explain-decisions", cache_policy=NO_CACHE)
async def explain_decisions(lines: list[DecisionExplanation]) -> None:
    """Publish the decisions with their reasons as an artifact of this run."""
    if not lines:
        return
    rows = [f"| {line.ref} | {line.about} | {line.why} |" for line in lines[:200]]
    table = "\n".join(["| incident | about | decided, and why |", "| --- | --- | --- |", *rows])
    await acreate_markdown_artifact(table, key="decisions", description="What this turn decided, and why.")
