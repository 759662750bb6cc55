"""Prefect task of learning."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from engine.learning.looking import run_due
from tasks import place


@task(name="learn", cache_policy=NO_CACHE)
async def update_learning() -> int:
    """Group suggestions, prepare the meeting, count recurrences, request promises; the amount of work done."""
    return await asyncio.to_thread(lambda: run_due(place.get_installation(), place.now()))
