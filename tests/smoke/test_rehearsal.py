"""Rehearsals on the real processes: the whole passes, and each fault fails it and is named."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.smoke.installed import (
    FAULT_TOLERANCE,
    ROOT,
    TOCSIN,
    Installation,
    changed_fixture,  # noqa: F401
    drills,
    faulty_fixture,  # noqa: F401
    wait_for,
    whole_fixture,  # noqa: F401
)

SAMPLE = ROOT / "examples" / "affected_customers.csv"
# The machine that runs the tests runs others beside them: what a test allows for, a person would not.
TOLERANCE = 4.0

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def sound(faulty: Installation) -> dict[str, Any]:
    """The same rehearsal without a fault: what fails afterwards fails for the fault."""
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"], found["reasons"]) == (0, "PASS", [])
    return found


@pytest.fixture
def fault(faulty: Installation) -> Iterator[Callable[..., int]]:
    """Switches a fault of the code on, until the test is over."""
    file = faulty.home / "faults.json"
    yield lambda **faults: file.write_text(json.dumps(faults))
    file.unlink(missing_ok=True)


def named(findings: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(finding["step"], finding["purpose"], finding["person"]) for finding in findings}


def backup_called(found: dict[str, Any]) -> tuple[str, str]:
    """A step whose backup was called for somebody absent, and the backup."""
    return next(
        (step["id"], call["person"])
        for step in found["steps"]
        for call in step["called"]
        if call["why"] == "backup" and step["owner"] in found["absent"]
    )


def test_the_four_hour_response_passes_in_a_minute(whole: Installation) -> None:
    code, found = whole.rehearse("four-hour-response", "--speed", "240", "--tolerance", f"{TOLERANCE:g}")
    assert (code, found["verdict"], found["reasons"]) == (0, "PASS", [])
    assert found["notices"]["missing"] == []
    assert found["lasted_seconds"] < 100
    assert len(found["absent"]) == 1
    whys = {call["why"] for step in found["steps"] for call in step["called"]}
    assert whys >= {"assign", "backup"}
    assert {step["state"] for step in found["steps"]} == {"done"}
    assert "# PASS" in Path(found["report"]).read_text(encoding="utf-8")
    assert whole.tokens() == 0, "the tokens of simulated owners are gone"
    drawn = httpx.get(f"http://127.0.0.1:{whole.port}/inbox/public/weibo", trust_env=False).text
    assert "DRILL 演练" in drawn


def affected(folder: Path, rows: int) -> Path:
    """The first rows of the sample file, with a bad one and one without a channel."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()[: rows + 1]
    path = folder / "affected.csv"
    path.write_text("\n".join([*lines, "C1,nowhere,en,1,0,0,UTC,no", "C2,,zh_CN,1,0,0,UTC,no"]), encoding="utf-8")
    return path


def rehearse_followed(installation: Installation, folder: Path, rows: int) -> tuple[int, dict[str, Any]]:
    """The short playbook, and 72 hours after its close in about half a minute."""
    return installation.rehearse(
        "short-response", "--speed", "90", "--until", "22m", "--tolerance", f"{FAULT_TOLERANCE:g}",
        "--customers", str(affected(folder, rows)), "--closed-speed", "8640",
    )  # fmt: skip


@pytest.mark.slow  # its short form is the course with three kills, test_follow_up.py
def test_affected_customers_are_followed_up_and_it_passes(faulty: Installation, tmp_path: Path) -> None:
    code, found = rehearse_followed(faulty, tmp_path, 60)
    assert (code, found["verdict"], found["reasons"]) == (0, "PASS", [])
    customers = found["customers"]
    assert (customers["rows"], customers["bad"], customers["without_channel"]) == (62, 1, 2)
    assert customers["asked"] == customers["to_ask"] == 59
    assert 0 < customers["answered"] < 59
    assert customers["reminded"] >= customers["silent"] > 0
    assert customers["callbacks"]["expected"] == customers["callbacks"]["listed"] > 0
    assert customers["suggestions"] == customers["on_agenda"] > 0
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert "asked 59 of 59" in page
    assert "@example.com" not in page
    assert "C100001" not in page, "nobody is named"
    assert faulty.tokens() == 0


@pytest.mark.slow
def test_a_survey_lost_and_one_sent_twice_fail_it_by_their_lines(
    faulty: Installation, fault: Callable[..., int], tmp_path: Path
) -> None:
    fault(lose="/ask/")
    code, found = rehearse_followed(faulty, tmp_path, 60)
    assert (code, found["verdict"]) == (1, "FAIL")
    assert any(says.startswith("line ") and says.endswith(": never asked") for says in found["customers"]["missing"])
    assert found["customers"]["extra"] == []
    fault(repeat="/ask/")
    code, found = rehearse_followed(faulty, tmp_path, 60)
    assert (code, found["verdict"]) == (1, "FAIL")
    assert any(says.endswith(": asked 2 times") for says in found["customers"]["extra"])
    assert found["customers"]["missing"] == []


def test_customers_need_a_sandbox_and_simulated_owners(
    faulty: Installation, changed: Callable[[str, str, str], None], tmp_path: Path
) -> None:
    def refused(*arguments: str) -> str:
        command = [*TOCSIN, "rehearse", "short-response", "--customers", str(affected(tmp_path, 3)), *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=faulty.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        return done.stderr

    assert "--customers needs --auto" in refused()
    changed("channels.yaml", "tag: survey-sandbox\n        sandbox: true", "tag: survey-sandbox")
    assert "give channels.yaml a json://127.0.0.1:" in refused("--auto")
    assert drills(faulty) == []


@pytest.mark.slow
def test_a_muted_channel_fails_it(
    faulty: Installation, sound: dict[str, Any], changed: Callable[[str, str, str], None], free_port: Callable[[], int]
) -> None:
    changed("channels.yaml", f":{faulty.port}/inbox/chenyu", f":{free_port()}/inbox/chenyu")
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"]) == (1, "FAIL")
    assert ("respond/draft", "assign", "chenyu") in named(found["notices"]["missing"])
    assert any("respond/draft: assign to chenyu" in reason for reason in found["reasons"])


@pytest.mark.slow
def test_a_backup_removed_from_the_roster_fails_it(
    faulty: Installation, sound: dict[str, Any], changed: Callable[[str, str, str], None]
) -> None:
    step, person = backup_called(sound)
    role = {"respond/trace": "technology-lead", "respond/care": "customer-care-lead", "respond/draft": "pr-lead"}[step]
    owner = next(one["owner"] for one in sound["steps"] if one["id"] == step)
    changed("roster.yaml", f"primary: {owner}, backup: {person}", f"primary: {owner}")
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"]) == (1, "FAIL")
    assert (step, "backup", "") in named(found["notices"]["missing"])
    assert any(f"backup to nobody: there is no backup for the role {role}" in reason for reason in found["reasons"])


@pytest.mark.slow
def test_an_escalation_dropped_in_the_code_fails_it(
    faulty: Installation, sound: dict[str, Any], fault: Callable[..., int]
) -> None:
    step, person = backup_called(sound)
    fault(drop=step)
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"]) == (1, "FAIL")
    assert named(found["notices"]["missing"]) == {(step, "backup", person)}


@pytest.mark.slow
def test_a_send_delayed_past_its_deadline_fails_it(
    faulty: Installation, sound: dict[str, Any], fault: Callable[..., int]
) -> None:
    fault(delay="/respond/approve/assign/")
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"]) == (1, "FAIL")
    assert named(found["notices"]["late"]) >= {("respond/approve", "assign", "alice")}


def test_broken_off_it_calls_nobody_any_more_and_leaves_no_token(faulty: Installation) -> None:
    command = [*TOCSIN, "rehearse", "short-response", "--auto", "--speed", "90"]
    begun = subprocess.Popen(
        command, cwd=ROOT, env=faulty.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: bool(drills(faulty)), 30, faulty.home / "up.log")
    assert faulty.tokens() > 0
    begun.send_signal(signal.SIGINT)
    _, said = begun.communicate(timeout=30)
    assert begun.returncode == 1
    assert said == "tocsin: the rehearsal was broken off; its incident is cancelled\n"
    assert drills(faulty) == []
    assert faulty.tokens() == 0


def test_channels_that_lead_out_are_refused(faulty: Installation, changed: Callable[[str, str, str], None]) -> None:
    changed("channels.yaml", f"127.0.0.1:{faulty.port}/inbox/dora", "example.invalid/inbox/dora")
    command = [*TOCSIN, "rehearse", "short-response", "--auto", "--speed", "90"]
    done = subprocess.run(
        command, cwd=ROOT, env=faulty.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "channel dora of dora leads elsewhere" in done.stderr
    assert done.stderr.count("\n") == 1
    assert faulty.tokens() == 0


def test_with_nothing_running_one_line_says_so(home: Path) -> None:
    done = subprocess.run(
        [*TOCSIN, "rehearse", "four-hour-response", "--auto"],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "type `tocsin up`" in done.stderr
    assert done.stderr.count("\n") == 1
