"""Retention of samples: what arrived is rolled up into the history, what is old is deleted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from pendulum import DateTime

from storage.database import StorageError
from storage.samples.rollups import RAW_RETENTION, ROLLUP_RETENTION, prune_samples, roll_up
from storage.samples.sample_store import SampleStore

log = logging.getLogger("tocsin.figures")
ROLL_SECONDS = 10.0
THIN_SECONDS = 600.0
_MUCH = 500_000  # samples of one round: more are waiting


async def run_retention(
    figures: SampleStore,
    clock: Callable[[], DateTime],
    *,
    raw: timedelta = RAW_RETENTION,
    history: timedelta = ROLLUP_RETENTION,
) -> None:
    """Roll up and delete for ever, until cancelled. Safe beside another process: nothing is counted twice."""
    loop = asyncio.get_running_loop()
    thinned = loop.time() - THIN_SECONDS
    while True:
        try:
            moved = await asyncio.to_thread(roll_up, figures)
            if loop.time() - thinned >= THIN_SECONDS:
                thinned = loop.time()
                gone = await asyncio.to_thread(prune_samples, figures, clock(), raw=raw, history=history)
                if any(gone.values()):
                    log.info("forgotten: %s", ", ".join(f"{count} {what}" for what, count in gone.items() if count))
        except StorageError as error:
            log.error("%s", error)  # noqa: TRY400 - one line, no traceback
            moved = 0
        # Behind: go on at once, but let whoever waits for the lock have it first.
        await asyncio.sleep(0.05 if moved >= _MUCH else ROLL_SECONDS)
