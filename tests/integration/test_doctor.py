"""`tocsin doctor`: what is wrong is said with what would be right."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from engine.check.infrastructure import check_storage
from engine.check.prefect_schedules import list_deployments
from tests.installations import InstallationHarness, installation_fixture, sqlite_installation_fixture  # noqa: F401 - fixtures
from tests.served import check
from tests.typed import type_ as typed_

ROOT = Path(__file__).parents[2]


@contextmanager
def prefect(version: str = "3.8.9", paused: str = "") -> Iterator[str]:
    """What Prefect's server answers to these questions."""

    class Handler(BaseHTTPRequestHandler):
        def _say(self, document: Any) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._say(version if self.path.endswith("/version") else True)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            on = [{"active": True}]
            there = [{"id": n, "name": n, "schedules": on, "paused": n == paused} for n in list_deployments()]
            self._say(there if "deployments" in self.path else [])

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


def doctor(installation: InstallationHarness, **environment: str) -> dict[str, dict[str, Any]]:
    given = {"TOCSIN_HOME": str(installation.installation.settings.home), "TOCSIN_PORT": "1", **environment}
    done = typed_("doctor", "--json", environment={**os.environ, **given})
    assert done.returncode == 1, done.stderr
    return {one["what"]: one for one in check("doctor", json.loads(done.stdout))["findings"]}


def test_prefects_state_is_told(sqlite_installation: InstallationHarness) -> None:
    import prefect as installed

    with prefect(installed.__version__) as api:
        found = doctor(sqlite_installation, PREFECT_API_URL=api)
    assert found["prefect"]["ok"]
    assert found["schedules"] == {"what": "schedules", "ok": True, "reason": "all are there, and fire"}
    assert f"Prefect's server {installed.__version__}" in found["versions"]["reason"]
    with prefect("2.20.1", paused=list_deployments()[0]) as api:
        found = doctor(sqlite_installation, PREFECT_API_URL=api)
    assert not found["versions"]["ok"]
    assert "2.20.1" in found["versions"]["reason"]
    assert not found["schedules"]["ok"]
    assert "paused" in found["schedules"]["reason"]
    assert not found["web"]["ok"]


def test_a_clock_behind_what_is_recorded(installation: InstallationHarness) -> None:
    installation.declare()
    said = {one.what: one for one in check_storage(installation.installation, installation.now)}
    assert (
        said["clock"].ok == installation.installation.database.is_sqlite
    )  # on PostgreSQL our made-up time is not the database's
    installation.wait(seconds=-60)
    (clock,) = [one for one in check_storage(installation.installation, installation.now) if one.what == "clock"]
    assert not clock.ok
    assert "60 s ahead of it" in clock.reason.en


def test_a_calendar_that_cannot_be_read_is_told(
    sqlite_installation: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sqlite_installation.installation.settings.roster_file
    path.write_text(path.read_text().replace("backup: dora}", "backup: dora, calendar: none.ics}", 1))
    found = doctor(sqlite_installation)
    assert "calendar of pr-lead" in found["files"]["reason"]
