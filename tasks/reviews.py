"""Reviews as Prefect tasks: periods held once, retrospectives drafted, effects traced."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE

from domain.review.period import ReviewKind
from engine.review.catching_up import catch_up
from tasks import place

_RETRIES = [10.0, 60.0, 300.0]  # seconds: a database that is busy or away for a moment


@task(name="hold-review-of-period", cache_policy=NO_CACHE, retries=3, retry_delay_seconds=_RETRIES)
async def hold_period(kind: ReviewKind) -> list[str]:
    """Review every period of that kind that is over and was not reviewed; the documents that were made."""

    def work() -> list[str]:
        from engine.review.desk import desk_of  # noqa: PLC0415 - only the runs that need it load it
        from engine.review.holding import hold  # noqa: PLC0415

        return [held.document for held in hold(desk_of(place.house()), kind, place.now())]

    return await asyncio.to_thread(work)


@task(name="catch-up-reviews", cache_policy=NO_CACHE)
async def catch_up_reviews() -> list[str]:
    """Draft the retrospectives that are wanted, renew effects, hold reviews whose own schedule did not fire."""
    return await asyncio.to_thread(lambda: catch_up(place.house(), place.now()))


@task(name="name-documents", cache_policy=NO_CACHE)
async def name_documents(made: list[str]) -> None:
    """The documents with their addresses, as an artifact of this run."""
    if made:
        links = "\n".join(f"- {place.house().settings.links_url}/documents/{name}" for name in made)
        await acreate_markdown_artifact(links, key="documents", description="What this run made.")
