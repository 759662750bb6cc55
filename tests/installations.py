"""Installation harness for a test: home, database, one receiver as everyone's phone, a manual clock.

`from tests.installations import installation_fixture  # noqa: F401` gives the fixture `installation`, on SQLite and on
PostgreSQL; `sqlite_installation` is for what does not depend on the database.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest
from pendulum import DateTime

from domain.commands import Acknowledge, Approve, Declare, Draft
from domain.incident import Snapshot
from engine.delivery.deliver import Deliverer, DeliveryCounts
from engine.installation import Installation
from engine.response import commands
from engine.response.turn import TurnDriver, TurnResult, lease_turns, take_turn
from storage import outbox
from storage.incidents import incidents, timeline
from storage.incidents.timeline import TimelineEntry
from storage.outbox import OutboxMessage
from storage.settings import load_settings
from tests.homes import lay_out
from tests.receivers import HttpReceiver

BEGAN = pendulum.datetime(2026, 11, 2, 3, 0)
CALL = """
id: call
title: Call
never_silent: {within: 50m, then: 10m, first: incident-commander, after: executive}
stages:
  - id: s
    title: S
    ends: 1h
    steps:
      - {id: fix, kind: act, title: Fix it, owner: technology-lead, ack_within: 5m, remind: 10m, due: 40m}
  - id: closing
    title: C
    from: closed
    ends: 1h
    steps:
      - {id: report, kind: act, title: Report, owner: incident-commander, due: 30m}
  - id: recall
    title: R
    on_demand: true
    ends: 1h
    steps:
      - {id: again, kind: act, title: Again, owner: pr-lead, ack_within: 5m, due: 30m}
"""
SAY = """
id: say
title: Say
stages:
  - id: s
    title: S
    ends: 1h
    steps:
      - {id: write, kind: draft, title: Write, owner: pr-lead, due: 20m}
      - {id: pass, kind: approve, title: Pass, owner: incident-commander, of: write, needs: [write], due: 40m}
      - {id: post, kind: publish, title: Post, owner: pr-lead, of: write, needs: [pass], channels: [website-en]}
"""
INFORM = """
id: inform
title: Inform
stages:
  - id: s
    title: S
    ends: 1h
    steps:
      - {id: word, kind: tell, title: Word, owner: front-line}
"""


class InstallationHarness:
    """Installation under test, with the operations of a test."""

    def __init__(self, installation: Installation, receiver: HttpReceiver) -> None:
        self.installation = installation
        self.receiver = receiver
        self.now = BEGAN
        self._senders: list[Deliverer] = []

    def clock(self) -> DateTime:
        """The time that the test says it is."""
        return self.now

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.now += timedelta(**span)

    def declare(self, playbook: str = "call", **fields: Any) -> str:
        """A new incident; its reference."""
        given = {"id": str(uuid.uuid4()), "title": "Checkout is down", **fields}
        return commands.declare(self.installation, Declare(playbook=playbook, **given), self.now).ref

    def do(self, ref: str, command: type, by: str = "", **fields: Any) -> commands.CommandResult:
        """A command, under a new id unless one is given."""
        given = {"id": str(uuid.uuid4()), "incident": ref, "by": by, **fields}
        return commands.carry_out_command(self.installation, command(**given), self.now)

    def turn(self, driver: TurnDriver = "prefect") -> list[TurnResult]:
        """Take every turn that is due."""
        with self.installation.database.read() as connection:
            due = [row.id for row in incidents.list_due_responses(connection, self.now, limit=500)]
        taken = [
            take_turn(self.installation, lease, self.now, driver=driver)
            for lease in lease_turns(self.installation, due, self.now)
        ]
        return [one for one in taken if one is not None]

    def sender(self, role: str = "test") -> Deliverer:
        """A sender of this process, ended with the test."""
        self._senders.append(Deliverer(self.installation, role, self.clock))
        return self._senders[-1]

    def deliver(self, **how: Any) -> DeliveryCounts:
        """Send everything that is ready."""
        return (self._senders[0] if self._senders else self.sender()).deliver(**how)

    def post(self, **fields: Any) -> str:
        """An incident whose statement is approved and ordered; its reference."""
        ref = self.declare("say", **fields)
        self.do(ref, Draft, "chenyu", step="s/write", texts={"en": "We are sorry."})
        self.turn()
        self.do(ref, Acknowledge, "alice", step="s/pass")
        digest = self.snapshot(ref).steps["s/write"].digest
        self.do(ref, Approve, "alice", step="s/pass", digest=digest)
        self.turn()
        return ref

    def snapshot(self, ref: str, place: int = 0) -> Snapshot:
        """What stands of an incident's response."""
        with self.installation.database.read() as connection:
            ids = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))
            return incidents.load_snapshot(connection, ids[place], self.installation.roster())

    def rows(self, ref: str, **wanted: str) -> list[OutboxMessage]:
        """The messages of an incident in the order they were made; those with these values."""
        with self.installation.database.read() as connection:
            found = outbox.list_incident_messages(connection, incidents.find_incident_id(connection, ref))
        return [row for row in found if all(getattr(row, name) == value for name, value in wanted.items())]

    def row(self, ref: str, **wanted: str) -> OutboxMessage:
        """The only such message."""
        found = self.rows(ref, **wanted)
        assert len(found) == 1, [(row.key, row.state) for row in self.rows(ref)]
        return found[0]

    def facts(self, ref: str, kind: str = "") -> list[TimelineEntry]:
        """The timeline of an incident; its facts of one kind."""
        with self.installation.database.read() as connection:
            found = timeline.read_timeline(connection, incidents.find_incident_id(connection, ref))
        return [entry for entry in found if kind in ("", entry.kind)]

    def verified(self, ref: str) -> str | None:
        """What is wrong with the timeline."""
        with self.installation.database.read() as connection:
            return timeline.verify_chain(connection, incidents.find_incident_id(connection, ref))

    def titles(self, person: str) -> list[str]:
        """What a person's phone showed."""
        return [str(request.json["title"]) for request in self.receiver.at(f"/inbox/{person}")]

    def close(self) -> None:
        """End the senders."""
        for sender in self._senders:
            sender.close()


@contextmanager
def installation_harness(
    home: Path, database_url: str = "", *, roster: str = "", channels: str = ""
) -> Iterator[InstallationHarness]:
    """Lay out a home with the samples and three small playbooks, its database at this program's schema.

    `roster` and `channels` replace the samples; `{port}` in `channels` is the receiver's.
    """
    with HttpReceiver() as receiver:
        settings = load_settings(home=home, database_url=database_url, port=receiver.port)
        settings.playbooks_dir.mkdir(parents=True, exist_ok=True)
        for name, text in (("call", CALL), ("say", SAY), ("inform", INFORM)):
            (settings.playbooks_dir / f"{name}.yaml").write_text(text)
        for path, text in ((settings.roster_file, roster), (settings.channels_file, channels)):
            if text:
                path.write_text(text.replace("{port}", str(receiver.port)), encoding="utf-8")
        lay_out(settings)
        opened = InstallationHarness(Installation(settings).open(), receiver)
        opened.installation.on_duty.clock = opened.clock
        assert opened.installation.findings() == [], "a broken sample"
        try:
            yield opened
        finally:
            opened.close()
            opened.installation.close()


@pytest.fixture(name="installation")
def installation_fixture(home: Path, database_url: str) -> Iterator[InstallationHarness]:
    """On SQLite and on PostgreSQL."""
    with installation_harness(home, database_url) as opened:
        yield opened


@pytest.fixture(name="sqlite_installation")
def sqlite_installation_fixture(home: Path) -> Iterator[InstallationHarness]:
    """On SQLite."""
    with installation_harness(home) as opened:
        yield opened
