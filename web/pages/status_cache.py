"""Status page cache: the public document, refreshed at most every two seconds, and its last copy during an outage."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pendulum import DateTime

from engine.installation import Installation
from engine.statuspage import page

log = logging.getLogger("tocsin.web")
_FRESH = 2.0  # seconds for which a look at the database is good
_PATIENCE = 1.0  # seconds for which a reader waits for the database
_AGAIN = 5.0  # seconds until a database that did not answer is waited for again
_KEEP_EVERY = 60.0
_LONG_AGO = 1e9


class StatusPageCache:
    """Status document, refreshed at most every two seconds; the last good copy during an outage."""

    def __init__(self, installation: Installation, now: Callable[[], DateTime]) -> None:
        self._installation, self._now = installation, now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="status")
        self._asking: asyncio.Future[None] | None = None
        self._found: dict[str, Any] | None = None
        self._looked = self._failed = self._kept = -_LONG_AGO
        self._body: object = None

    async def current(self) -> dict[str, Any]:
        """Status document; never fails, and never takes longer than a second."""
        if time.monotonic() - self._looked > _FRESH:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.get_running_loop().run_in_executor(self._thread, self._look)
            waits = 0.0 if time.monotonic() - self._failed < _AGAIN and self._found else _PATIENCE
            done, _pending = await asyncio.wait({self._asking}, timeout=waits)
            if not done:
                self._failed = time.monotonic()
        if self._found is None:
            plan = self._installation.status_page.plan
            self._found = page.load_copy(self._installation.settings.home) or page.build_unknown_page(plan, self._now())
        return self._found

    def _look(self) -> None:
        try:
            found = page.build_page(self._installation, self._installation.status_page.plan, self._now())
        except Exception as error:  # noqa: BLE001 - the public sees the last good copy, whatever it was
            if self._failed < 0:
                log.warning("the status page shows its last copy: %s", type(error).__name__)
            self._failed = time.monotonic()
            return
        self._found, self._looked, self._failed = found, time.monotonic(), -_LONG_AGO
        body = (found["overall"], found["services"], found["statements"])
        if body != self._body or time.monotonic() - self._kept > _KEEP_EVERY:
            page.save_copy(self._installation.settings.home, found)
            self._body, self._kept = body, time.monotonic()

    def close(self) -> None:
        """Stop refreshing."""
        self._thread.shutdown(wait=False, cancel_futures=True)
