"""Rehearsals on the real processes: the whole passes, and each fault fails it and is named."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from engine.premises import read_state
from storage import people
from storage.database import Database
from web.schemas import schema

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SAMPLE = ROOT / "examples" / "affected_customers.csv"
TOCSIN = [sys.executable, "-m", "cli.main"]
# The machine that runs the tests runs others beside them: what a test allows for, a person would not.
TOLERANCE = 4.0
FAULT_TOLERANCE = 3.0

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(420)]


@dataclass
class Installation:
    """A running one, and its command line."""

    home: Path
    environment: dict[str, str]
    port: int

    def rehearse(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and document of a rehearsal."""
        command = [*TOCSIN, "rehearse", *arguments, "--auto", "--json"]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        jsonschema.validate(document, schema("rehearse"))
        return done.returncode, document

    def rehearse_short(self) -> tuple[int, dict[str, Any]]:
        """The short playbook, 22 minutes of it in about 15 seconds."""
        return self.rehearse("short-response", "--speed", "90", "--until", "22m", "--tolerance", f"{FAULT_TOLERANCE:g}")

    def tokens(self) -> int:
        """How many tokens there are."""
        database = Database(f"sqlite+pysqlite:///{self.home / 'tocsin.db'}")
        with database.read() as connection:
            found = len(connection.execute(people.TOKEN.select()).all())
        database.close()
        return found


def running(home: Path, ports: tuple[int, int], **environment: str) -> Iterator[Installation]:
    """`tocsin up` until the test is over."""
    home.mkdir(parents=True, exist_ok=True)
    whole = {**os.environ, "TOCSIN_HOME": str(home), "PYTHONPATH": str(ROOT), **environment}
    command = [*TOCSIN, "up", "--port", str(ports[0]), "--prefect-port", str(ports[1])]
    with (home / "up.log").open("w") as log:
        up = subprocess.Popen(command, cwd=ROOT, env=whole, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: answers(ports[0]) and all_beat(home), 90, home / "up.log")
            yield Installation(home, whole, ports[0])
        finally:
            up.terminate()
            up.wait(20)


def says_ready(log: Path) -> bool:
    return any(line.startswith("ready") for line in log.read_text().splitlines())


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def all_beat(home: Path) -> bool:
    return {"engine", "runner"} <= {path.stem for path in (home / "run").glob("*.beat")} and bool(read_state(home))


def wait_for(true: Callable[[], bool], seconds: float, log: Path) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@pytest.fixture
def whole(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Installation]:
    """Everything, Prefect's server and worker too."""
    for one in running(tmp_path / "home", (free_port(), free_port())):
        log = one.home / "up.log"
        wait_for(partial(says_ready, log), 90, log)
        yield one


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Installation]:
    """An installation whose code has switches for faults. Prefect is away, so that the guarantor drives alone."""
    home = tmp_path_factory.mktemp("faulty")
    (home / "playbooks").mkdir()
    shutil.copy(DATA / "short-response.yaml", home / "playbooks")
    yield from running(
        home,
        (free_port(), free_port()),
        PYTHONPATH=os.pathsep.join((str(DATA / "faults"), str(ROOT))),
        PREFECT_API_URL=f"http://127.0.0.1:{free_port()}/api",
    )


@pytest.fixture(scope="module")
def sound(faulty: Installation) -> dict[str, Any]:
    """The same rehearsal without a fault: what fails afterwards fails for the fault."""
    code, found = faulty.rehearse_short()
    assert (code, found["verdict"], found["reasons"]) == (0, "PASS", [])
    return found


@pytest.fixture
def changed(faulty: Installation) -> Iterator[Callable[[str, str, str], None]]:
    """Changes a file of the home, and puts it back."""
    before: dict[Path, str] = {}

    def change(name: str, old: str, new: str) -> None:
        path = faulty.home / name
        before[path] = path.read_text(encoding="utf-8")
        assert old in before[path]
        path.write_text(before[path].replace(old, new), encoding="utf-8")
        time.sleep(1.5)  # every process looks once a second; none tells when it has looked

    yield change
    for path, text in before.items():
        path.write_text(text, encoding="utf-8")
    if before:
        time.sleep(1.5)


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


def drills(installation: Installation) -> list[str]:
    """Incidents that are open."""
    answer = httpx.get(f"http://127.0.0.1:{installation.port}/api/incidents", timeout=10, trust_env=False).json()
    return [incident["ref"] for incident in answer["incidents"]]


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
