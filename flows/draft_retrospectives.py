"""Draft retrospectives of what is over, trace effects, make up for reviews whose schedule did not fire."""

from __future__ import annotations

from prefect import flow

from flows.pipeline import take_turn
from tasks.reviews import catch_up_reviews, name_documents


@flow(name="draft-retrospectives")
async def draft_retrospectives() -> None:
    """Draft, trace, make up for what was missed; then send what that owes."""
    await name_documents(await catch_up_reviews())
    await take_turn([])
