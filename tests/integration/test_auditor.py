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
from tests.houses import (
    InstallationHarness,
    house_fixture,  # noqa: F401
    sqlite_house_fixture,  # noqa: F401
)


def found(house: InstallationHarness) -> set[str]:
    with house.house.database.read() as connection:
        return set(find_faults(connection, house.now))


def test_all_is_well_when_what_was_due_was_done(house: InstallationHarness) -> None:
    assert found(house) == set()
    house.declare()
    house.turn()
    house.deliver()
    assert found(house) == set()


def test_a_turn_that_nobody_took(house: InstallationHarness) -> None:
    house.declare()
    house.deliver()
    house.wait(minutes=7)  # its reminder was due two minutes ago
    assert found(house) == {"turns"}
    house.turn()
    house.deliver()
    assert found(house) == set()


def test_a_message_that_nobody_sent(house: InstallationHarness) -> None:
    house.declare("inform")
    house.turn()
    house.wait(minutes=6)
    assert "sends" in found(house)


def test_a_channel_that_gave_up(house: InstallationHarness) -> None:
    ref = house.declare()
    house.deliver()
    with house.house.database.write() as connection:
        connection.execute(update(OUTBOX).values(state="dead", attempt_started_at=house.now))
    assert found(house) == {f"channel {house.rows(ref)[0].channel}"}
    house.wait(minutes=4)
    house.turn()
    house.wait(minutes=7)
    assert not any(name.startswith("channel") for name in found(house)), "said while it lasts"


def test_schedules_that_do_not_fire(house: InstallationHarness) -> None:
    with house.house.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, house.now)
    house.wait(minutes=19)
    assert found(house) == set()
    house.wait(minutes=2)
    assert found(house) == {"sweep"}


def test_the_last_resort_is_told_once_an_hour_however_many_look(house: InstallationHarness) -> None:
    with house.house.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, house.now)
    house.wait(minutes=30)
    for _ in range(3):  # as the engine and the sweep do
        Auditor(house.house, house.clock).run_once()
    assert ["30" in title for title in house.titles("wangjie")] == [True]
    house.wait(minutes=61)
    Auditor(house.house, house.clock).run_once()
    assert len(house.titles("wangjie")) == 2


def test_nobody_told_is_tried_again_soon(sqlite_house: InstallationHarness) -> None:
    house = sqlite_house
    with house.house.database.write() as connection:
        turns.save_installation_fact(connection, "sweep", {}, house.now)
    house.wait(minutes=30)
    with house.house.database.read() as connection:
        reason = find_faults(connection, house.now)["sweep"]
    house.receiver.script("/inbox/wangjie", status=500)
    assert not alert_last_resort(house.house, "sweep", reason, house.now)
    house.receiver.script("/inbox/wangjie", status=200)
    assert not alert_last_resort(house.house, "sweep", reason, house.now), "not at once"
    house.wait(minutes=1, seconds=1)
    assert alert_last_resort(house.house, "sweep", reason, house.now)


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
    sqlite_house: InstallationHarness, caplog: pytest.LogCaptureFixture
) -> None:
    house = sqlite_house
    with watcher() as (url, beats):
        house.house.settings = house.house.settings.model_copy(update={"heartbeat_url": url})
        auditor = Auditor(house.house, house.clock)
        for _ in range(8):  # two minutes, a look every 15 s
            auditor.run_once()
            house.wait(seconds=15)
        assert len(beats) == 2
        house.declare()
        house.wait(minutes=7)
        for _ in range(8):
            auditor.run_once()
            house.wait(seconds=15)
        assert len(beats) == 2, "a turn is late: no beat"
        house.turn()
        house.deliver()
        auditor.run_once()
        assert len(beats) == 3
    house.wait(minutes=2)
    for _ in range(2):
        auditor.run_once()
        house.wait(minutes=1)
    said = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
    assert len(said) == 1
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(house.house.settings)
