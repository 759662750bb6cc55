"""The chain check names each defect that is put into a healthy home, alone and in pairs, and passes the healthy one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text, update

from engine.check import infrastructure, prefect_schedules
from engine.check.chain_check import CheckScope, open_repair_actions, run_checks
from engine.check.finding import CheckFinding
from engine.installation import Installation
from engine.oncall.poll import fetch_calendars
from storage.outbox import OUTBOX
from tests.chains import ROOT, free_port
from tests.installations import BEGAN, InstallationHarness, installation_harness
from web.schemas import schema


@dataclass
class Prefect:
    """Answers the two questions that the check asks of Prefect. The real one is asked in tests/smoke."""

    deployments: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": name, "name": name, "paused": False, "schedules": [{"active": True}]}
            for name in prefect_schedules.list_deployments()
        ]
    )
    waiting: dict[str, str] = field(default_factory=dict)  # deployment -> when a run was due that nobody took
    port: int = 0

    def named(self, name: str) -> dict[str, Any]:
        return next(one for one in self.deployments if one["name"] == name)

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        if path.endswith("/deployments/filter"):
            return self.deployments
        (asked,) = body["deployments"]["id"]["any_"]
        return [{"expected_start_time": self.waiting[asked]}] if asked in self.waiting else []


@contextmanager
def answering(prefect: Prefect) -> Iterator[Prefect]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            said = json.dumps(prefect.answer(self.path, body)).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    prefect.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield prefect
    server.shutdown()
    server.server_close()


@dataclass
class Scene:
    """A home, its Prefect, and where the public address is said to be."""

    estate: InstallationHarness
    prefect: Prefect
    home: Path
    patch: pytest.MonkeyPatch

    def edit(self, name: str, old: str, new: str) -> None:
        file, port, dead = self.home / name, str(self.estate.receiver.port), str(free_port())
        old, new = (words.replace("{port}", port).replace("{dead}", dead) for words in (old, new))
        before = file.read_text(encoding="utf-8")
        assert old in before, f"{name} has no {old!r}"
        file.write_text(before.replace(old, new), encoding="utf-8")

    def write(self, name: str, words: str) -> None:
        file = self.home / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(words, encoding="utf-8")

    public: str = ""  # another address than the one that answers

    def checked(self) -> list[CheckFinding]:
        settings = self.estate.installation.settings
        installation = Installation(
            settings.model_copy(update={"public_url": self.public}) if self.public else settings
        )
        try:
            found = list(run_checks(installation, self.estate.now, CheckScope(running=False, waking=False)))
            found += infrastructure.check_links(installation)
            found += prefect_schedules.check_schedules(f"http://127.0.0.1:{self.prefect.port}/api", self.estate.now)
        finally:
            installation.close()
        return found


def newer_schema(scene: Scene) -> None:
    with scene.estate.installation.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def stuck_row(scene: Scene) -> None:
    scene.estate.declare()
    with scene.estate.installation.database.write() as connection:
        connection.execute(update(OUTBOX).values(next_attempt_at=BEGAN.subtract(hours=1)))


def refuses(scene: Scene) -> None:
    scene.estate.receiver.script("/inbox/dora", status=500)


def shift(days: float, hours: float, who: str) -> str:
    start, end = BEGAN.add(hours=int(days * 24)), BEGAN.add(hours=int(days * 24 + hours))
    stamp = "YYYYMMDD[T]HHmmss[Z]"
    return (
        f"BEGIN:VEVENT\r\nUID:{days}\r\nDTSTART:{start.format(stamp)}\r\nDTEND:{end.format(stamp)}\r\n"
        f"SUMMARY:{who}\r\nEND:VEVENT\r\n"
    )


def rota(*events: str, backup: str = ", backup: erik") -> Callable[[Scene], None]:
    """The technology lead by a calendar of two weeks and more."""

    def lay(scene: Scene) -> None:
        scene.edit("roster.yaml", "primary: fenglei, backup: erik", f"primary: fenglei{backup}, calendar: tech.ics")
        frame = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n{}END:VCALENDAR\r\n"
        (scene.home / "tech.ics").write_text(frame.format("".join(events)))
        fetch_calendars(scene.estate.installation, scene.estate.now)

    return lay


def dead_address(scene: Scene) -> None:
    scene.public = f"http://127.0.0.1:{free_port()}"


def clock_behind(scene: Scene) -> None:
    scene.estate.declare(drill=True)
    scene.estate.now = scene.estate.now.subtract(minutes=5)


def another_key(scene: Scene) -> None:
    """Whoever serves the links says that they are not whole: it was started with another key."""
    scene.estate.receiver.script("/a/", status=400)


def gone(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.prefect.deployments.remove(scene.prefect.named(name))


def paused(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.prefect.named(name).update(paused=True)


def off(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.prefect.named(name).update(schedules=[{"active": False}])


def missed(name: str) -> Callable[[Scene], None]:
    return lambda scene: scene.prefect.waiting.update({name: BEGAN.subtract(hours=2).isoformat()})


def edited(name: str, old: str, new: str) -> Callable[[Scene], None]:
    return lambda scene: scene.edit(name, old, new)


def written(name: str, words: str) -> Callable[[Scene], None]:
    return lambda scene: scene.write(name, words)


PLAYBOOK = "id: extra\ntitle: Extra\nstages:\n  - id: s\n    title: S\n    ends: 1h\n    steps:\n      - {{{step}}}\n"
RULE = "id: extra\ntitle: X\nmetric: {metric}\nwindow: 5m\nabove: 30s\n{more}\nowner: pr-lead\n"
ACT = "id: a, kind: act, title: A, owner: {owner}"

FOREVER = shift(-1, 24 * 40, "fenglei")

# What is done to a home, and what the check must name. `{port}` is the receiver's.
DEFECTS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "a person without a channel": (edited("roster.yaml", "channels: [bob]", "channels: []"), "file roster.yaml"),
    "a person on a channel that is not there": (
        edited("roster.yaml", "channels: [bob]", "channels: [bobby]"),
        "file roster.yaml",
    ),
    "a role held by nobody known": (
        edited("roster.yaml", "primary: chenyu, backup: dora", "primary: zoe, backup: dora"),
        "file roster.yaml",
    ),
    "a role without backup": (
        edited("roster.yaml", "primary: hana, backup: gaomin", "primary: hana"),
        "role workforce-manager",
    ),
    "a time zone that is none": (edited("roster.yaml", "Asia/Tokyo", "Asia/Tokio"), "file roster.yaml"),
    "a roster broken at a line": (edited("roster.yaml", "roles:", "roles: ["), "file roster.yaml"),
    "an official channel that leads nowhere": (
        edited("roster.yaml", "channel: official-weibo", "channel: weibo-2"),
        "file roster.yaml",
    ),
    "channels broken at a line": (edited("channels.yaml", "urls:", "urls: ["), "file channels.yaml"),
    "a channel of an unknown scheme": (
        edited("channels.yaml", "json://127.0.0.1:{port}/inbox/gaomin", "jsn://127.0.0.1/x"),
        "file channels.yaml",
    ),
    "a channel whose host is gone": (
        edited("channels.yaml", "json://127.0.0.1:{port}/inbox/hana", "json://127.0.0.1:{dead}/inbox/hana"),
        "channel hana",
    ),
    "a channel that refuses": (refuses, "channel dora"),
    "a playbook that does not load": (written("playbooks/extra.yaml", "id: ["), "playbooks"),
    "a playbook that needs itself": (
        written("playbooks/extra.yaml", PLAYBOOK.format(step=ACT.format(owner="pr-lead") + ", needs: [a]")),
        "playbooks",
    ),
    "a playbook with a role that nobody holds": (
        written("playbooks/extra.yaml", PLAYBOOK.format(step=ACT.format(owner="astronaut"))),
        "playbook extra",
    ),
    "a rule that does not load": (written("rules/extra.yaml", "id: ["), "rules"),
    "a rule with recovery on the wrong side": (
        written("rules/extra.yaml", RULE.format(metric="response_time", more="recover: 40s")),
        "rules",
    ),
    "a rule on an unknown metric": (
        written("rules/extra.yaml", RULE.format(metric="moonlight", more="recover: 20s")),
        "rules",
    ),
    "campaigns that do not load": (written("campaigns.yaml", "campaigns: {"), "rules"),
    "sources that do not load": (written("sources.yaml", "sources: {a: {kind: sql}}"), "file sources.yaml"),
    "words that do not load": (written("words.yaml", "sensitive: {"), "file words.yaml"),
    "a follow-up that does not load": (written("followup.yaml", "nonsense: 1"), "file followup.yaml"),
    "a health file that does not load": (written("health.yaml", "nonsense: 1"), "file health.yaml"),
    "a learning file that does not load": (written("learning.yaml", "nonsense: 1"), "file learning.yaml"),
    "a review file that does not load": (written("reviews.yaml", "nonsense: 1"), "file reviews.yaml"),
    "a drill that does not load": (written("drill.yaml", "id: x"), "file drill.yaml"),
    "a database of a newer program": (newer_schema, "database"),
    "a message that is stuck": (stuck_row, "outbox"),
    "a key that others read": (lambda scene: (scene.home / "secret.key").chmod(0o644), "acknowledge links"),
    "a key that is none": (written("secret.key", "x"), "acknowledge links"),
    "a key that the server does not have": (another_key, "acknowledge links"),
    "a public address that is dead": (dead_address, "public URL"),
    "a clock behind what is on record": (clock_behind, "clock"),
    "nobody on shift next week": (
        rota(shift(-1, 24 * 7, "fenglei"), shift(7, 24 * 30, "erik")),
        "role technology-lead in 14 days",
    ),
    "nobody behind whoever is on shift next Tuesday": (
        rota(FOREVER, backup=""),
        "role technology-lead in 14 days",
    ),
    "a calendar that is none": (
        lambda scene: scene.edit(
            "roster.yaml", "primary: fenglei, backup: erik", "primary: fenglei, backup: erik, calendar: nowhere.ics"
        ),
        "calendars",
    ),
    "a reserve under half": (written("health.yaml", "agents: 40\nstandby: 12\n"), "reserve"),
    "a reserve of one service under half": (
        written("health.yaml", "agents: 40\nstandby: 20\nservices: {orders: {agents: 30, standby: 14}}\n"),
        "reserve orders",
    ),
    "a library that does not fit": (
        lambda scene: scene.patch.setattr(metadata, "requires", lambda _: ["pydantic<2"]),
        "version",
    ),
    "a schedule that is not there": (gone("sweep-overdue"), "schedule sweep-overdue"),
    "a schedule that is paused": (paused("monthly-drill"), "schedule monthly-drill"),
    "a schedule that is switched off": (off("daily-figures"), "schedule daily-figures"),
    "a schedule that did not fire": (missed("weekly-service-review"), "schedule weekly-service-review"),
}


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    with (
        installation_harness(folder / "home") as installation,
        answering(Prefect()) as prefect,
        pytest.MonkeyPatch.context() as patch,
    ):
        yield Scene(installation, prefect, installation.installation.settings.home, patch)


def broken(found: list[CheckFinding]) -> set[str]:
    return {one.what for one in found if not one.ok}


def test_a_healthy_home_passes(tmp_path: Path) -> None:
    with scene(tmp_path) as there:
        found = there.checked()
        assert broken(found) == set(), [one for one in found if not one.ok]
        assert len(found) > 60
        assert all(one.reason.en and one.reason.zh for one in found)
        assert "DRILL" in there.estate.titles("alice")[0], "a test message is marked"


def test_whoever_opted_for_it_gets_no_test_message(tmp_path: Path) -> None:
    with scene(tmp_path) as there:
        there.edit("roster.yaml", "name: Hana Mori,", "name: Hana Mori, test_messages: false,")
        found = {one.what: one for one in there.checked()}
        assert found["person hana"].ok
        assert "channel hana" not in found
        assert there.estate.titles("hana") == []
        assert there.estate.titles("dora") != []


def break_(there: Scene, name: str) -> str:
    work, named = DEFECTS[name]
    work(there)
    return named


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_named(tmp_path: Path, name: str) -> None:
    with scene(tmp_path) as there:
        named = break_(there, name)
        found = there.checked()
        assert named in broken(found), [one for one in found if not one.ok]


def pairs() -> list[tuple[str, str]]:
    """Twelve pairs at random; two that are done to one file are not both in it."""
    dice, all_ = random.Random(5), list(combinations(DEFECTS, 2))
    whole = {"a roster broken at a line", "channels broken at a line", "a database of a newer program"}
    fit = [(a, b) for a, b in all_ if DEFECTS[a][1] != DEFECTS[b][1] and not {a, b} & whole and not _same_file(a, b)]
    return dice.sample(fit, 16)


def _same_file(a: str, b: str) -> bool:
    """Whether one would undo or hide the other: both write the staff's file, or one the roster that calendars need."""
    named = {DEFECTS[a][1], DEFECTS[b][1]}
    staff = {"file health.yaml", "reserve", "reserve orders"}
    roster = {"file roster.yaml", "calendars", "role technology-lead in 14 days"}
    return named <= staff or named <= roster


@pytest.mark.slow
@pytest.mark.parametrize("pair", pairs(), ids=" + ".join)
def test_defects_in_pairs_are_both_named(tmp_path: Path, pair: tuple[str, str]) -> None:
    with scene(tmp_path) as there:
        named = {break_(there, name) for name in pair}
        found = broken(there.checked())
        assert named <= found


def test_a_dead_prefect_and_a_dead_public_address_are_named(tmp_path: Path) -> None:
    with scene(tmp_path) as there:
        there.prefect.port = free_port()
        assert broken(there.checked()) == {"prefect"}
        assert broken(list(infrastructure.check_public_url(f"http://127.0.0.1:{free_port()}"))) == {"public URL"}


def test_what_is_broken_becomes_an_action_once(tmp_path: Path) -> None:
    with scene(tmp_path) as there:
        there.edit("roster.yaml", "primary: hana, backup: gaomin", "primary: hana")
        found = there.checked()
        installation = there.estate.installation
        refs = open_repair_actions(installation, found, there.estate.now)
        assert len(refs) == len([one for one in found if not one.ok])
        there.estate.wait(days=7)
        assert open_repair_actions(installation, found, there.estate.now) == []
        there.estate.deliver()
        assert any("workforce-manager" in title for title in there.estate.titles("hana"))


def test_the_command_answers_by_its_schema(tmp_path: Path) -> None:
    with installation_harness(tmp_path / "home") as installation:
        command = [sys.executable, "-c", "from cli.main import main; main()", "check", "--at-rest", "--inbox", "--json"]
        environment = {**os.environ, "TOCSIN_HOME": str(installation.installation.settings.home)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)
        jsonschema.validate(found, schema("check"))
        assert (done.returncode, found["ok"]) == (0, True)
