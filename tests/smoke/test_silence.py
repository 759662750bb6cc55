"""Engine, runner and worker stopped, and nobody there to start them again: outside it is noticed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.smoke.stack import Stack, until

NOTICED_SECONDS = 120.0
STOPPED = ("engine", "runner", "prefect-worker")


@contextmanager
def watcher() -> Iterator[tuple[str, list[float]]]:
    """Somebody outside who notes when it beats."""
    beats: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats.append(time.monotonic())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/beat", beats
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_with_all_three_stopped_the_heartbeat_stops_within_two_minutes(tmp_path: Path) -> None:
    with watcher() as (url, beats), Stack(tmp_path, environment={"TOCSIN_HEARTBEAT_URL": url}) as stack:
        until(stack.all_up, 90, "everything is up")
        until(lambda: len(beats) >= 2, 150, "it beats once a minute", 0.5)
        assert 55 < beats[1] - beats[0] < 90
        # The supervisor is frozen: it would start them again.
        assert stack.process is not None
        stack.signal(stack.process.pid, signal.SIGSTOP)
        pids = stack.pids()
        for name in STOPPED:
            stack.signal(pids[name], signal.SIGKILL)
        stopped = time.monotonic()
        try:
            assert stack.client.get("/healthz").is_success, "the pages are there: they are not what is missed"
            until(lambda: time.monotonic() - stopped > NOTICED_SECONDS, NOTICED_SECONDS + 5, "two minutes", 1.0)
            assert [beat for beat in beats if beat > stopped + 1.0] == []
        finally:
            stack.signal(stack.process.pid, signal.SIGCONT)
        until(lambda: len([beat for beat in beats if beat > stopped]) > 0, 120, "back again, it beats again", 0.5)
