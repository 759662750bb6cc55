"""`tocsin roster who | days | override | overrides | end-override | handover`, as they are typed."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.home import prepare_home
from storage.settings import load_settings
from tests.integration.test_rotation_calendars import FRAME, HELD, ROSTER, event
from tests.served import check
from tests.typed import type_ as typed_

pytestmark = pytest.mark.calendar

ROOT = Path(__file__).parents[2]


def stamp(hours: float) -> str:
    """So many hours from now, as calendars write it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime(":%Y%m%dT%H%M00Z")


@pytest.fixture(name="laid")
def laid_fixture(home: Path) -> Path:
    """A home that is not running. Hana is on shift, then nobody for two hours, then Erik for weeks."""
    settings = load_settings(home=home)
    settings.roster_file.write_text(ROSTER.replace(HELD, f"{HELD}, calendar: tech.ics"))
    shifts = event("Hana", stamp(-3), stamp(30)), event("erik", stamp(32), stamp(24 * 40))
    (home / "tech.ics").write_text(FRAME.format("\n".join(shifts)))
    prepare_home(settings)
    return home


def type_(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    return typed_("roster", *words, environment={**clean, "TZ": "UTC", **environment})


def document(name: str, *words: str, code: int = 0) -> dict[str, Any]:
    done = type_(*words, "--json")
    assert done.returncode == code, done.stderr
    return check(name, json.loads(done.stdout))


def test_who_is_on_duty_now_and_then(laid: Path) -> None:
    (now,) = document("roster", "who", "technology-lead")["roles"]
    assert (now["primary"], now["source"]) == ("hana", "calendar")
    later = (datetime.now(UTC) + timedelta(hours=31)).isoformat()
    (then,) = document("roster", "who", "technology-lead", "--at", later)["roles"]
    assert (then["primary"], then["gap"]) == ("fenglei", True)
    shown = type_("who", "technology-lead", "--at", later, LANG="zh_CN.UTF-8").stdout
    assert "无人排班：按花名册负责人" in shown
    wrong = type_("who", "technology-lead", "--at", "2026-12-24T03:00:00")
    assert (wrong.returncode, "has no time zone" in wrong.stderr) == (1, True)


def test_the_picture_of_the_days_shows_the_gap(laid: Path) -> None:
    found = document("roster-days", "days", "technology-lead", code=1)
    assert [span["person"] for span in found["roles"][0]["spans"]] == ["hana", "fenglei", "erik"]
    done = type_("days", "technology-lead")
    assert done.returncode == 1
    picture = done.stdout.splitlines()
    row = next(line for line in picture if line.startswith("technology-lead"))
    letters = {line.split()[1]: line.split()[0] for line in picture if line.startswith("  ") and len(line.split()) > 1}
    assert "!" in row
    assert {letters["Hana"], letters["Erik"], "!"} == set(row.removeprefix("technology-lead").replace(" ", ""))
    assert any(line.startswith("  ! technology-lead: nobody is on shift from") for line in picture)
    assert max(map(len, picture[:3])) <= 100


def test_by_hand_over_the_gap_and_back(laid: Path) -> None:
    start, until = ((datetime.now(UTC) + timedelta(hours=h)).isoformat() for h in (29.9, 32.1))
    words = ("override", "technology-lead", "dora", "--from", start, "--until", until, "--reason", "gap")
    made = document("roster-override", *words, "--as", "alice", "--id", "one")
    assert (made["state"], made["by"], made["changed"]) == ("ahead", "alice", True)
    assert document("roster-override", *words, "--as", "alice", "--id", "one")["changed"] is False
    assert document("roster-days", "days", "technology-lead")["gaps"] == []
    (listed,) = document("roster-overrides", "overrides")["overrides"]
    assert listed["reason"] == "gap"
    assert "dora" in type_("overrides").stdout
    assert document("roster-end-override", "end-override", "one") == {"id": "one", "changed": True}
    assert "nobody was put on duty" in type_("overrides").stdout
    assert document("roster-days", "days", "technology-lead", code=1)["gaps"]
    refused = type_(*words[:1], "king", *words[2:])
    assert (refused.returncode, "no role 'king'" in refused.stderr) == (1, True)
    unknown = type_("end-override", "two")
    assert (unknown.returncode, "`tocsin roster overrides` lists them" in unknown.stderr) == (1, True)


def test_what_is_handed_over(laid: Path) -> None:
    found = document("roster-handover", "handover", "technology-lead")
    assert (found["person"], found["steps"]) == ("hana", [])
    assert "Open: 0; late: 0" in type_("handover", "technology-lead").stdout
