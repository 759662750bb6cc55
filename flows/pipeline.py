"""The one way through that every procedure shares: commit the turns, deliver, explain."""

from __future__ import annotations

from contextvars import ContextVar

from prefect.context import TagsContext

from tasks.delivery import deliver_notices
from tasks.turns import Taken, commit_turns, explain_decisions

RUN_NAME: ContextVar[str] = ContextVar("run_name", default="turn")  # the runner knows which incidents a run is for


def run_name() -> str:
    """What a flow's run is called in Prefect; a copy of the flow for each name would cost as much as the run."""
    return RUN_NAME.get()


async def take_turn(taken: list[Taken]) -> None:
    """Decide and commit what is due, send what is owed, keep the reasons with the run."""
    with TagsContext(current_tags=set()):  # tags are the run's; on a task each costs a concurrency check on the server
        reasons = await commit_turns(taken, len(taken)) if taken else []
        await deliver_notices()
        await explain_decisions(reasons)
