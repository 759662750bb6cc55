"""`python -m engine.warning`: the process that evaluates warning rules."""

from __future__ import annotations

import logging
import os
import signal

from engine.heartbeat import Heartbeat
from storage.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    Heartbeat(settings.home, "warning").start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Before numpy is loaded: columns of this size gain nothing from a second core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from engine.warning.process import open_ticker

    ticker = open_ticker(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ticker.stop())
    ticker.run()
