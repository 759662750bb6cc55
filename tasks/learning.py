"""Learning as a Prefect task."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from engine.learning.looking import look
from tasks import place


@task(name="learn", cache_policy=NO_CACHE)
async def learn() -> int:
    """Gather suggestions, prepare the meeting, count what recurs, ask for promises on record; how much was done."""
    return await asyncio.to_thread(lambda: look(place.house(), place.now()))
