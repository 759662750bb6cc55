"""Health of Prefect's server, probed in the background: a frozen server must not hold anybody up."""

from __future__ import annotations

import os
import threading
import time

import httpx

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 1.0


class PrefectHealth:
    """Last known answer of the server, in `ok`. Without `PREFECT_API_URL` there is no server to drive by."""

    def __init__(self, url: str | None = None) -> None:
        self._url = (url or os.environ.get("PREFECT_API_URL", "")).rstrip("/")
        self.ok = False
        self.since = time.monotonic()

    def start(self) -> PrefectHealth:
        """Probe from now on, in a daemon thread."""
        if self._url:
            threading.Thread(target=self._run, name="prefect health", daemon=True).start()
        return self

    def _run(self) -> None:
        with httpx.Client(timeout=PATIENCE_SECONDS) as client:
            while True:
                try:
                    ok = client.get(f"{self._url}/health").status_code == httpx.codes.OK
                except httpx.HTTPError:
                    ok = False
                if ok != self.ok:
                    self.ok, self.since = ok, time.monotonic()
                time.sleep(EVERY_SECONDS)
