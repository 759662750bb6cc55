"""Prefect tasks of reviews: hold each period once, draft retrospectives, trace effects."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from domain.review.period import ReviewKind
from engine.review import missed_reviews
from tasks import process_context

_RETRIES = [10.0, 60.0, 300.0]  # seconds: a database that is busy or away for a moment


@task(name="hold-review-of-period", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=_RETRIES)
async def hold_due_reviews(kind: ReviewKind) -> list[str]:
    """Hold the review of every finished period of that kind without one; the documents made."""

    def work() -> list[str]:
        from engine.review.run_review import run_due_reviews  # noqa: PLC0415

        return [
            held.document
            for held in run_due_reviews(process_context.get_installation().reviews, kind, process_context.now())
        ]

    return await asyncio.to_thread(work)


@task(name="catch-up-reviews", cache_policy=NO_CACHE)
async def catch_up_reviews() -> list[str]:
    """Draft missing retrospectives, renew effects, hold reviews whose own schedule did not fire."""
    return await asyncio.to_thread(
        lambda: missed_reviews.catch_up_reviews(process_context.get_installation(), process_context.now())
    )


@task(name="name-documents", cache_policy=NO_CACHE)
async def link_documents(made: list[str]) -> None:
    """Publish the documents' links as an artifact of this run."""
    if made:
        links = "\n".join(
            f"- {process_context.get_installation().settings.links_url}/documents/{name}" for name in made
        )
        await acreate_markdown_artifact(links, key="documents", description="What this run made.")
