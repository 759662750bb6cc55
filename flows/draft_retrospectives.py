"""Draft retrospectives of closed cases, trace effects, catch up on reviews whose schedule did not fire."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import run_turns
from tasks.reviews import catch_up_reviews, link_documents


@flow(name="draft-retrospectives")
async def draft_retrospectives() -> None:
    """Draft, trace, catch up; then send the notices of it."""
    await link_documents(await catch_up_reviews())
    await run_turns([])
