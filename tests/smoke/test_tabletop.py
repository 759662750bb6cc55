"""Sudden situations and the chain check's own course, on the real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from tests.smoke.installed import (
    ROOT,
    TOCSIN,
    Installation,
    changed_fixture,  # noqa: F401
    drills,
    faulty_fixture,  # noqa: F401
    whole_fixture,  # noqa: F401
)
from web.schemas import schema

pytestmark = pytest.mark.timeout(420)


@pytest.mark.slow
def test_the_chain_check_holds_a_course_of_its_own(
    faulty: Installation, changed: Callable[[str, str, str], None], free_port: Callable[[], int]
) -> None:
    def course() -> dict[str, Any]:
        command = [*TOCSIN, "check", "--inbox", "--json"]
        done = subprocess.run(
            command, cwd=ROOT, env=faulty.environment, capture_output=True, text=True, timeout=120, check=False
        )
        found = json.loads(done.stdout)
        jsonschema.validate(found, schema("check"))
        assert next(one for one in found["findings"] if one["what"] == "acknowledge links")["ok"]
        rehearsal: dict[str, Any] = next(one for one in found["findings"] if one["what"] == "rehearsal")
        return rehearsal

    held = course()
    assert (held["ok"], drills(faulty), faulty.tokens()) == (True, [], 0), held
    changed("channels.yaml", f":{faulty.port}/inbox/hana", f":{free_port()}/inbox/hana")
    muted = course()
    assert not muted["ok"]
    assert "hana" in muted["reason"]
    changed("channels.yaml", f"127.0.0.1:{faulty.port}/inbox/erik", "example.invalid/inbox/erik")
    assert "not held" in course()["reason"], "nobody real is called by a check"


SUDDEN = """
category: people
scenarios:
  - id: ours
    title: Ours
    story: Nobody knew.
    playbook: short-response
    injections:
      - {id: away, at: 10s, effect: unreachable, to: technology-lead, text: On a plane., within: 10m}
      - {id: press, at: 1m, effect: message, to: media-contact, text: A reporter calls., within: 6m, due: 9m}
      - {id: nobody, at: 2m, effect: message, to: technology-lead, text: Who decides?, within: 4m}
    questions:
      - {id: own, scale: manner, text: Own?}
"""


def tabletop(installation: Installation, *arguments: str, name: str = "rehearse-scenario") -> dict[str, Any]:
    command = [*TOCSIN, "rehearse", *arguments, "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=installation.environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, schema(name))
    return document


@pytest.mark.slow
def test_a_sudden_situation_is_played_and_only_what_is_known_is_scored(faulty: Installation, tmp_path: Path) -> None:
    (faulty.home / "scenarios").mkdir()
    (faulty.home / "scenarios" / "ours.yaml").write_text(SUDDEN)
    found = tabletop(faulty, "--scenario", "ours", "--auto", "--speed", "150")
    items = {item["id"]: item for item in found["items"]}
    assert items["away:relieved"]["because"].startswith("erik "), "the backup took over"
    assert items["press:acknowledged"]["because"].startswith("dora ")
    assert (items["press:answered"]["share"], items["tone"]["share"], items["own"]["share"]) == (1.0, None, None)
    assert items["nobody:acknowledged"]["because"].startswith("erik "), "the message went to the backup too"
    assert {one["id"] for one in found["happened"]} == {"away", "press", "nobody"}
    manner = next(part for part in found["score"]["parts"] if part["scale"] == "manner")
    assert (manner["points"], found["score"]["of"]) == (None, 70), "nobody observed: it is not invented"
    assert drills(faulty) == []
    assert faulty.tokens() == 0
    answers = tmp_path / "answers.yaml"
    answers.write_text("observer: Bob\nanswers: {tone: 4, own: 2}\nremarks: Calm.\n")
    again = tabletop(faulty, "--show", found["id"], "--observer", str(answers))
    manner = next(part for part in again["score"]["parts"] if part["scale"] == "manner")
    assert (manner["points"], again["score"]["of"], again["observer"]) == (22.5, 100, "Bob")
    assert [item for item in again["items"] if item["measured"]] == [i for i in found["items"] if i["measured"]]
    (row,) = tabletop(faulty, "--results", name="rehearse-results")["results"]
    assert (row["id"], row["score"]) == (found["id"], again["score"])
    page = httpx.get(f"http://127.0.0.1:{faulty.port}/documents/{found['report']}", trust_env=False)
    assert page.status_code == 200
    assert "A reporter calls." in page.text


def test_what_cannot_be_played_is_said_in_a_line(faulty: Installation, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        done = subprocess.run(
            [*TOCSIN, "rehearse", *arguments], cwd=ROOT, env=faulty.environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        return done.stderr

    assert "did you mean rumor" in refused("--scenario", "rumour", "--auto")
    broken = tmp_path / "broken.yaml"
    broken.write_text("answers: [1]")
    assert "each answer 0 to 4" in refused("--scenario", "rumor", "--auto", "--observer", str(broken))
    assert "`tocsin rehearse --results`" in refused("--show", "INC-999")
    assert "which playbook?" in refused()
    assert len(tabletop(faulty, "--scenarios", name="rehearse-scenarios")["scenarios"]) >= 24


@pytest.mark.slow
def test_a_text_sent_back_is_written_and_approved_anew(whole: Installation) -> None:
    found = tabletop(whole, "--scenario", "text-rejected", "--auto")
    items = {item["id"]: item for item in found["items"]}
    assert items["not-so:approved"]["share"] == 1.0
    assert items["procedure:in-time"]["share"] == 1.0
    drawn = httpx.get(f"http://127.0.0.1:{whole.port}/inbox/public/weibo", trust_env=False).text
    assert "DRILL 演练" in drawn, "published in the sandbox, after the second approval"
