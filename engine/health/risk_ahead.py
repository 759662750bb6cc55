"""Risk of the next two hours, stored as a metric every five minutes, for the rule `risk-ahead`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from pendulum import DateTime

from domain.durations import elapsed, later
from engine.health.board import HealthBoard
from storage.database import StorageError
from storage.samples.sample_store import LIVE_FEED, SampleBatch, SampleStore, canonical_labels, from_micros, to_micros

log = logging.getLogger("tocsin.health")
EVERY: Final = timedelta(minutes=5)
METRIC: Final = "risk_ahead"
LEAST_PAUSE_SECONDS = 1.0
_EVERY_MICROS: Final = EVERY // timedelta(microseconds=1)


def write_risk(figures: SampleStore, board: HealthBoard, services: Callable[[], list[str]], now: DateTime) -> int:
    """Work out the risk at the last full five minutes and store it, by service or of the whole; how many.

    An unknown risk is not written: the rule then says that there is no data, not that all is well. A repeat
    of the same five minutes changes nothing where the risk is the same.

    Raises:
        StorageError: the figures cannot be read or written.
    """
    at = from_micros(to_micros(now) // _EVERY_MICROS * _EVERY_MICROS)
    batch = SampleBatch(LIVE_FEED)
    for service in services() or [""]:
        risk = board.risk_ahead(at, LIVE_FEED, service)
        if risk is not None:
            batch.add(
                (METRIC, canonical_labels({"service": service} if service else {})), to_micros(at), risk.ratio, 1.0
            )
    if len(batch):
        figures.take([batch], now)
    return len(batch)


async def run_risk_writer(
    figures: SampleStore, board: HealthBoard, services: Callable[[], list[str]], clock: Callable[[], DateTime]
) -> None:
    """Write the risk at every full five minutes, until cancelled; a storage error is logged, then retried."""
    while True:
        now = clock()
        try:
            await asyncio.to_thread(write_risk, figures, board, services, now)
        except StorageError as error:
            log.error("%s", error)  # noqa: TRY400 - one line, no traceback
        except Exception:  # the warnings live in this process: a wrong forecast must not end them
            log.exception("the risk ahead could not be worked out")
        at = from_micros(to_micros(now) // _EVERY_MICROS * _EVERY_MICROS)
        await asyncio.sleep(max(LEAST_PAUSE_SECONDS, elapsed(clock(), later(at, EVERY)).total_seconds()))
