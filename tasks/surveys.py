"""Prefect task of surveys: a batch of customers a run, reported by the number of follow-ups advanced."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from engine.customers.survey_schedule import run_due
from tasks import process_context


@task(name="owe-surveys", cache_policy=NO_CACHE)
async def enqueue_surveys() -> int:
    """Advance every follow-up that is due: batches, reminders, the result; the number advanced."""
    return await asyncio.to_thread(lambda: run_due(process_context.get_installation().customers, process_context.now()))
