"""The risk of the next two hours, written back as a figure every five minutes, for the rule `risk-ahead`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from pendulum import DateTime

from domain.durations import elapsed, later
from engine.health_board.board import HealthBoard
from storage.database import StorageError
from storage.figures import LIVE, Batch, Figures, canonical, micros, moment

log = logging.getLogger("tocsin.health")
EVERY: Final = timedelta(minutes=5)
METRIC: Final = "risk_ahead"
LEAST_PAUSE_SECONDS = 1.0
_EVERY_MICROS: Final = EVERY // timedelta(microseconds=1)


def write(figures: Figures, board: HealthBoard, services: Callable[[], list[str]], now: DateTime) -> int:
    """Work out the risk at the last full five minutes and keep it, of each service or of the whole; how many.

    What cannot be told is not written: the rule then says that there are no figures, not that all is well. A repeat
    of the same five minutes changes nothing where the risk is the same.

    Raises:
        StorageError: the figures cannot be read or written.
    """
    at = moment(micros(now) // _EVERY_MICROS * _EVERY_MICROS)
    batch = Batch(LIVE)
    for service in services() or [""]:
        risk = board.risk_ahead(at, LIVE, service)
        if risk is not None:
            batch.add((METRIC, canonical({"service": service} if service else {})), micros(at), risk.ratio, 1.0)
    if len(batch):
        figures.take([batch], now)
    return len(batch)


async def derive(
    figures: Figures, board: HealthBoard, services: Callable[[], list[str]], clock: Callable[[], DateTime]
) -> None:
    """Do so at every full five minutes, until cancelled; trouble with the store is said, and tried again then."""
    while True:
        now = clock()
        try:
            await asyncio.to_thread(write, figures, board, services, now)
        except StorageError as error:
            log.error("%s", error)  # noqa: TRY400 - one line, no traceback
        except Exception:  # the warnings live in this process: a wrong forecast must not end them
            log.exception("the risk ahead could not be worked out")
        at = moment(micros(now) // _EVERY_MICROS * _EVERY_MICROS)
        await asyncio.sleep(max(LEAST_PAUSE_SECONDS, elapsed(clock(), later(at, EVERY)).total_seconds()))
