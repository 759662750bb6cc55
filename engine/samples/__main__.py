"""`python -m engine.samples`: evaluates the warning rules, polls sources, looks ahead, rolls up, prunes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.process.heartbeat import Heartbeat
from storage.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from playbooks.sources_file import SourcesFile
    from storage.samples.sample_store import SampleStore

_LOOK_SECONDS = 1.0  # between two looks whether there are sources now


async def _pull(sources: SourcesFile, figures: SampleStore) -> None:
    """Poll the sources once there are some: an installation without any is spared the HTTP client's seven megabytes."""
    while not await asyncio.to_thread(sources.current):  # noqa: ASYNC110 - a file says nothing by itself
        await asyncio.sleep(_LOOK_SECONDS)
    from engine.process.clock import now  # noqa: PLC0415
    from engine.samples.source_poller import poll_sources  # noqa: PLC0415

    await poll_sources(sources.current, figures, now)


async def serve(settings: Settings) -> None:
    """Run until told to end."""
    from engine.health.board_factory import open_board, services_of  # noqa: PLC0415
    from engine.health.risk_ahead import run_risk_writer  # noqa: PLC0415
    from engine.process.clock import now  # noqa: PLC0415 - the heartbeat must not wait for imports
    from engine.samples.retention import run_retention  # noqa: PLC0415
    from engine.warning.ticker_setup import open_ticker  # noqa: PLC0415
    from playbooks.rulebook import Rulebook  # noqa: PLC0415
    from playbooks.sources_file import SourcesFile  # noqa: PLC0415
    from storage.samples.sample_store import open_sample_store  # noqa: PLC0415

    figures = open_sample_store(settings)
    board, plan = open_board(settings, figures, Rulebook(settings.home))
    ticker = open_ticker(settings, board, lambda: settings.rule_profile)
    sources = SourcesFile(settings.home / "sources.yaml")
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    work = [
        asyncio.create_task(
            run_retention(
                figures, now, raw=timedelta(hours=settings.samples_hours), history=timedelta(days=settings.history_days)
            )
        ),
        asyncio.create_task(_pull(sources, figures)),
        asyncio.create_task(run_risk_writer(figures, board, services_of(plan), now)),
        asyncio.create_task(asyncio.to_thread(ticker.run)),
        asyncio.create_task(told.wait()),
    ]
    try:
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # what ended by itself has failed: the supervisor starts anew
    finally:
        ticker.stop()  # the tick in hand is finished: its thread is waited for
        for task in work:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*work, return_exceptions=True)
        figures.close()


def main() -> int:
    """Run the process. One line on stderr when it cannot start."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    Heartbeat(settings.home, "figures").start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would write every question, address included

    from storage.database import StorageError  # noqa: PLC0415

    try:
        asyncio.run(serve(settings))
    except StorageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
