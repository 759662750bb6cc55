"""Prefect task of learning."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from engine.learning.poll import run_due
from tasks import process_context


@task(name="learn", cache_policy=NO_CACHE)
async def update_learning() -> int:
    """Group suggestions, prepare the meeting, count recurrences, request promises; the amount of work done."""
    return await asyncio.to_thread(lambda: run_due(process_context.get_installation(), process_context.now()))
