"""Process of the guarantor: `python -m engine`."""

from __future__ import annotations

import logging
import signal

from engine.process.heartbeat import Heartbeat
from storage.settings import load_settings

if __name__ == "__main__":
    settings = load_settings()
    Heartbeat(settings.home, "engine").start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    from engine.installation import Installation
    from engine.process.clock import now
    from engine.response.guarantor import Guarantor

    guarantor = Guarantor(Installation(settings).open(), now)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: guarantor.stop())
    guarantor.run()
