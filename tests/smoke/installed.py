"""An installation of real processes for rehearsals: whole, or with switches for faults in its code."""

from __future__ import annotations

import json
import os
import shutil
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

from engine.process.startup_checks import read_state
from storage.database import Database
from storage.incidents import person_tokens
from web.schemas import schema

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
TOCSIN = [sys.executable, "-m", "cli.main"]
FAULT_TOLERANCE = 3.0


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
            found = len(connection.execute(person_tokens.TOKEN.select()).all())
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


@pytest.fixture(name="whole")
def whole_fixture(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Installation]:
    """Everything, Prefect's server and worker too."""
    for one in running(tmp_path / "home", (free_port(), free_port())):
        log = one.home / "up.log"
        wait_for(partial(says_ready, log), 90, log)
        yield one


@pytest.fixture(name="faulty", scope="module")
def faulty_fixture(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Installation]:
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


@pytest.fixture(name="changed")
def changed_fixture(faulty: Installation) -> Iterator[Callable[[str, str, str], None]]:
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


def drills(installation: Installation) -> list[str]:
    """Incidents that are open."""
    answer = httpx.get(f"http://127.0.0.1:{installation.port}/api/incidents", timeout=10, trust_env=False).json()
    return [incident["ref"] for incident in answer["incidents"]]
