"""Sending as a Prefect task."""

from __future__ import annotations

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import place


@task(name="deliver-notices", cache_policy=NO_CACHE)
async def deliver_notices() -> dict[str, int]:
    """Send what is ready; how many messages came to which end."""
    delivered = await asyncio.to_thread(place.deliverer().deliver)
    return dict(delivered.by_state)
