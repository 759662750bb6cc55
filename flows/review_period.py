"""Hold the reviews of the calendar: one deployment of this flow for each kind."""

from __future__ import annotations

from prefect import flow

from domain.review.period import ReviewKind
from flows.pipeline import take_turn
from tasks.reviews import hold_period, name_documents


@flow(name="review-period", flow_run_name="review {kind}")
async def review_period(kind: ReviewKind) -> None:
    """Hold the review of every period that is over: its document, then whoever is called for it."""
    made = await hold_period(kind)
    if made:
        await name_documents(made)
        await take_turn([])
