"""`python -m runner`: the runner process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading

from engine.process.heartbeat import Heartbeat
from storage.settings import load_settings


def _run(stop: threading.Event, ended: list[int]) -> None:
    from runner.runner import main  # noqa: PLC0415 - heavy: the sign of life comes first

    try:
        asyncio.run(main(stop))
        ended.append(0)
    except Exception:
        logging.getLogger("tocsin.runner").exception("the runner broke")
    finally:
        stop.set()


if __name__ == "__main__":
    Heartbeat(load_settings().home, "runner").start()  # before the heavy imports: starting is a sign of life
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    told, ended = threading.Event(), list[int]()
    # Prefect takes SIGTERM over where it finds itself in the main thread, and breaks off the run: here it does not.
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    thread = threading.Thread(target=_run, args=(told, ended), name="runner", daemon=True)
    thread.start()
    told.wait()
    thread.join(timeout=4.0)  # a run that Prefect holds up does not hold us up: what we have in hand is a lease
    os._exit(0 if ended or thread.is_alive() else 1)
