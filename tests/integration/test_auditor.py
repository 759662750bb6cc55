"""Someone notices: what is stuck is said to the last resort once an hour, and the heartbeat stays away meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sqlalchemy import update

from engine.audit.auditor import Auditor, alert_last_resort, find_faults
from storage.incidents import turns
from storage.outbox import OUTBOX
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
    sqlite_installation_fixture,  # noqa: F401
)


def found(installation: InstallationHarness) -> set[str]:
    with installation.installation.database.read() as connection:
        return set(find_faults(connection, installation.now))


def test_all_is_well_when_what_was_due_was_done(installation: InstallationHarness) -> None:
    assert found(installation) == set()
    installation.declare()
    installation.turn()
    installation.deliver()
    assert found(installation) == set()


def test_a_turn_that_nobody_took(installation: InstallationHarness) -> None:
    installation.declare()
    installation.deliver()
    installation.wait(minutes=7)  # its reminder was due two minutes ago
    assert found(installation) == {"turns"}
    installation.turn()
    installation.deliver()
    assert found(installation) == set()


def test_a_message_that_nobody_sent(installation: InstallationHarness) -> None:
    installation.declare("inform")
    installation.turn()
    installation.wait(minutes=6)
    assert "sends" in found(installation)


def test_a_channel_that_gave_up(installation: InstallationHarness) -> None:
    ref = installation.declare()
    installation.deliver()
    with installation.installation.database.write() as connection:
        connection.execute(update(OUTBOX).values(state="dead", attempt_started_at=installation.now))
    assert found(installation) == {f"channel {installation.rows(ref)[0].channel}"}
    installation.wait(minutes=4)
    installation.turn()
    installation.wait(minutes=7)
    assert not any(name.startswith("channel") for name in found(installation)), "said while it lasts"


def test_schedules_that_do_not_fire(installation: InstallationHarness) -> None:
    with installation.installation.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, installation.now)
    installation.wait(minutes=19)
    assert found(installation) == set()
    installation.wait(minutes=2)
    assert found(installation) == {"sweep"}


def test_the_last_resort_is_told_once_an_hour_however_many_look(installation: InstallationHarness) -> None:
    with installation.installation.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, installation.now)
    installation.wait(minutes=30)
    for _ in range(3):  # as the engine and the sweep do
        Auditor(installation.installation, installation.clock).run_once()
    assert ["30" in title for title in installation.titles("wangjie")] == [True]
    installation.wait(minutes=61)
    Auditor(installation.installation, installation.clock).run_once()
    assert len(installation.titles("wangjie")) == 2


def test_nobody_told_is_tried_again_soon(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    with installation.installation.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, installation.now)
    installation.wait(minutes=30)
    with installation.installation.database.read() as connection:
        reason = find_faults(connection, installation.now)["sweep"]
    installation.receiver.script("/inbox/wangjie", status=500)
    assert not alert_last_resort(installation.installation, "sweep", reason, installation.now)
    installation.receiver.script("/inbox/wangjie", status=200)
    assert not alert_last_resort(installation.installation, "sweep", reason, installation.now), "not at once"
    installation.wait(minutes=1, seconds=1)
    assert alert_last_resort(installation.installation, "sweep", reason, installation.now)


@contextmanager
def watcher() -> Iterator[tuple[str, list[str]]]:
    """Somebody outside who counts beats."""
    beats: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            beats.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/beat/s3cret", beats
    server.shutdown()
    server.server_close()


def test_it_beats_once_a_minute_and_not_while_something_is_wrong(
    sqlite_installation: InstallationHarness, caplog: pytest.LogCaptureFixture
) -> None:
    installation = sqlite_installation
    with watcher() as (url, beats):
        installation.installation.settings = installation.installation.settings.model_copy(
            update={"heartbeat_url": url}
        )
        auditor = Auditor(installation.installation, installation.clock)
        for _ in range(8):  # two minutes, a look every 15 s
            auditor.run_once()
            installation.wait(seconds=15)
        assert len(beats) == 2
        installation.declare()
        installation.wait(minutes=7)
        for _ in range(8):
            auditor.run_once()
            installation.wait(seconds=15)
        assert len(beats) == 2, "a turn is late: no beat"
        installation.turn()
        installation.deliver()
        auditor.run_once()
        assert len(beats) == 3
    installation.wait(minutes=2)
    for _ in range(2):
        auditor.run_once()
        installation.wait(minutes=1)
    said = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
    assert len(said) == 1
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(installation.installation.settings)
