"""Owing surveys as a Prefect task: a batch of customers at a time, known to Prefect by how many follow-ups moved."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from engine.customers.desk import desk_of
from engine.customers.following import look
from tasks import place


@task(name="owe-surveys", cache_policy=NO_CACHE)
async def owe_surveys() -> int:
    """Begin, go on with or end every follow-up that is due: batches, reminders, the result; how many moved."""
    return await asyncio.to_thread(lambda: look(desk_of(place.house()), place.now()))
