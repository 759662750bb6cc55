"""Prefect task of delivery."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import process_context


@task(name="deliver-notices", cache_policy=NO_CACHE)
async def deliver_notices() -> dict[str, int]:
    """Send the messages that are ready; the number of messages by outcome."""
    delivered = await asyncio.to_thread(process_context.get_deliverer().deliver)
    return dict(delivered.by_state)
