"""Hold the calendar's reviews: one deployment of this flow for each kind."""

from __future__ import annotations

from prefect import flow

from domain.review.period import ReviewKind
from flows.pipeline import run_turns
from tasks.reviews import hold_due_reviews, link_documents


@flow(name="review-period", flow_run_name="review {kind}")
async def review_period(kind: ReviewKind) -> None:
    """Hold the review of every finished period: its document, then the people it calls."""
    made = await hold_due_reviews(kind)
    if made:
        await link_documents(made)
        await run_turns([])
