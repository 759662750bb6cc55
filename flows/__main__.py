"""`python -m flows`: the runner's process."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from engine.heartbeat import Heartbeat
from storage.settings import load_settings

if __name__ == "__main__":
    Heartbeat(load_settings().home, "runner").start()  # before the heavy imports: starting is a sign of life
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    from prefect.exceptions import TerminationSignal

    from flows.runner import main

    with suppress(TerminationSignal):  # Prefect's way to say SIGTERM in the middle of a run: we were told to end
        asyncio.run(main())
