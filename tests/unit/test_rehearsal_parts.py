"""What a rehearsal stands on: tokens lent and taken back, the sandbox, the plan of its course."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pendulum
import pytest

import playbooks
from channels.directory import ChannelDirectory
from domain.roster import PublicChannel
from engine.rehearsal.api_client import RehearsalError
from engine.rehearsal.request import RehearsalRequest
from engine.rehearsal.run_rehearsal import _Rehearsal, choose_incident_fields
from engine.rehearsal.sandbox import find_leaks, inbox_boxes, require_sandbox
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import parse_roster
from storage import schema
from storage.database import Database
from storage.incidents import person_tokens

SAMPLE = Path(playbooks.__file__).parent / "sample"
ROSTER = parse_roster((SAMPLE / "roster.yaml").read_text(encoding="utf-8"), "roster.yaml")
NOW = pendulum.datetime(2026, 3, 2, 3, 0)
PORT = 7700


@pytest.fixture
def directory(tmp_path: Path) -> ChannelDirectory:
    return channels(tmp_path)


def channels(folder: Path, old: str = "", new: str = "") -> ChannelDirectory:
    text = (SAMPLE / "channels.yaml").read_text(encoding="utf-8").replace("{port}", str(PORT))
    path = folder / "channels.yaml"
    path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
    return ChannelDirectory.load(path)


def test_a_lent_token_stands_beside_a_persons_own_and_goes_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite+pysqlite:///{tmp_path / 'test.db'}")
    schema.upgrade_schema(database)
    with database.write() as connection:
        own = person_tokens.replace_person_token(connection, "alice", NOW)
        lent = person_tokens.add_person_token(connection, "alice", NOW)
        assert {person_tokens.find_person(connection, own), person_tokens.find_person(connection, lent)} == {"alice"}
        person_tokens.remove_person_token(connection, lent)
        assert person_tokens.find_person(connection, own) == "alice"
        assert person_tokens.find_person(connection, lent) is None
    database.close()


def test_the_sample_leads_to_the_inbox_and_nowhere_else(directory: ChannelDirectory) -> None:
    require_sandbox(PlaybookLibrary().get("four-hour-response"), ROSTER, directory)
    assert inbox_boxes(ROSTER, directory, PORT) == {name: name for name in ROSTER.people}
    assert inbox_boxes(ROSTER, directory, PORT + 1) == {}


def test_a_person_reached_outside_is_named(tmp_path: Path) -> None:
    outside = channels(tmp_path, "json://127.0.0.1:7700/inbox/dora", "json://example.invalid/inbox/dora")
    with pytest.raises(RehearsalError, match=r"^simulated owners .* channel dora of dora leads elsewhere: "):
        require_sandbox(PlaybookLibrary().get("four-hour-response"), ROSTER, outside)


def test_a_sandbox_that_leads_outside_is_named(tmp_path: Path) -> None:
    outside = channels(tmp_path, "127.0.0.1:7700/inbox/public/weibo", "example.invalid/weibo")
    with pytest.raises(RehearsalError, match="the official channel weibo leads elsewhere although"):
        require_sandbox(PlaybookLibrary().get("four-hour-response"), ROSTER, outside)


def test_a_real_official_channel_needs_a_sandbox_to_stand_in(directory: ChannelDirectory) -> None:
    real = PublicChannel("site", "official-site", "en")
    beside = replace(ROSTER, public={**ROSTER.public, "site": real})
    require_sandbox(PlaybookLibrary().get("four-hour-response"), beside, directory)
    alone = replace(ROSTER, public={"site": real})
    with pytest.raises(RehearsalError, match="no sandbox stands in for the official channel site"):
        require_sandbox(PlaybookLibrary().get("four-hour-response"), alone, directory)


def test_what_went_to_a_real_channel_is_a_leak(directory: ChannelDirectory) -> None:
    beside = replace(ROSTER, public={**ROSTER.public, "site": PublicChannel("site", "official-site", "en")})
    targets = iter([("s/publish", "weibo"), ("s/publish", "site"), ("s/publish", "gone")])
    assert find_leaks(targets, beside, directory) == [
        "s/publish: published on site, which is no sandbox",
        "s/publish: published on gone, which is no sandbox",
    ]


@pytest.mark.parametrize(
    ("playbook", "minutes"),
    [("four-hour-response", 260), ("service-outage", 95), ("public-opinion", 260), ("standby-agents", 50)],
)
def test_how_much_of_a_playbook_is_rehearsed(playbook: str, minutes: float) -> None:
    plan = PlaybookLibrary().get(playbook)
    assert RehearsalRequest(plan).closes_at == minutes * 60
    assert RehearsalRequest(plan, until=timedelta(hours=1)).closes_at == 3600


def test_interrupted_while_it_is_being_declared_it_is_cancelled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    posted: list[str] = []
    ids: list[object] = []

    def post(path: str, document: dict[str, object], token: str = "") -> dict[str, str]:
        posted.append(path)
        if path == "/api/incidents":
            ids.append(document["id"])
            if len(ids) == 1:  # it is committed there, and its answer is on the way
                raise KeyboardInterrupt
        return {"ref": "INC-7"}

    playbook = PlaybookLibrary().get("four-hour-response")
    order = RehearsalRequest(playbook, auto=False)
    held = object.__new__(_Rehearsal)
    line = SimpleNamespace(post=post, new_messages=list)
    values = {
        "_line": line,
        "_order": order,
        "_about": choose_incident_fields(playbook),
        "_ref": "",
        "_cast": None,
        "_follow": None,
    }
    for name, value in values.items():
        monkeypatch.setattr(held, name, value, raising=False)
    with pytest.raises(KeyboardInterrupt):
        held.hold(lambda _progress: None)
    assert posted == ["/api/incidents", "/api/incidents", "/api/incidents/INC-7/cancel"]
    assert ids[0] == ids[1], "asked again it is the same"
