"""The real thing: every process of one installation on free ports, and an independent receiver beside them.

Owners and official channels lead to the receiver, a process that nobody kills: what arrived is counted there.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import pendulum
import yaml

from engine.process.startup_checks import read_state
from storage.database import Database
from storage.incidents import person_tokens
from storage.settings import Settings, load_settings
from tests.receivers import write_channels

ROOT = Path(__file__).parents[2]
SAMPLE_ROSTER = ROOT / "playbooks" / "sample" / "roster.yaml"
READY_SECONDS = 90.0
PACKAGES = ("domain", "playbooks", "storage", "channels", "engine", "tasks", "flows", "runner", "web", "cli", "locales")
T = TypeVar("T")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what belongs to another installation; modules are compiled once, not at every restart."""
    dropped = ("TOCSIN_", "PREFECT_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def free_ports(count: int) -> list[int]:
    """So many loopback ports on which nobody listens."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def until(true: Callable[[], T], seconds: float, what: str, pause: float = 0.05) -> T:
    """What `true` gives once that is something; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds:g} s: {what}")


class ReceiverProcess:
    """`python -m tests.receivers` as a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.receivers", "--port", "0"]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().split()[-1])
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False)

    def received(self, since: int = 0) -> list[dict[str, Any]]:
        """What arrived from that number on."""
        return list(self._client.get("/_received", params={"since": since}).json()["received"])

    def script(self, prefix: str, **fields: Any) -> None:
        """Answer below that path so from now on: the fields of `tests.receivers.Behaviour`."""
        self._client.post("/_script", json={"prefix": prefix, **fields}).raise_for_status()

    def stop(self) -> None:
        """End it."""
        self._client.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


class Stack:
    """One installation: `with Stack(folder) as stack:`. Ended by its own process ids, whatever happened."""

    def __init__(
        self, folder: Path, *, playbooks: Mapping[str, str] | None = None, second_channels: bool = True,
        environment: Mapping[str, str] | None = None, database_url: str = "",
    ) -> None:  # fmt: skip
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.output = folder / "up.log"
        self.port, self.prefect_port = free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings: Settings = load_settings(
            home=self.home, port=self.port, prefect_port=self.prefect_port, database_url=database_url
        )
        self.environment = clean_environment(
            TOCSIN_HOME=str(self.home), TOCSIN_PORT=str(self.port), TOCSIN_PREFECT_PORT=str(self.prefect_port),
            **({"TOCSIN_DATABASE_URL": database_url} if database_url else {}), **(environment or {}),
        )  # fmt: skip
        self.receiver = ReceiverProcess()
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        self._lay_out(playbooks or {}, second_channels=second_channels)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self.client.close()
            self.receiver.stop()

    # --- before

    def _lay_out(self, playbooks: Mapping[str, str], *, second_channels: bool) -> None:
        """Roster and channels: everyone at the receiver, with a second way for a page that cannot get through."""
        roster = yaml.safe_load(SAMPLE_ROSTER.read_text(encoding="utf-8"))
        base = f"json://127.0.0.1:{self.receiver.port}"
        tags = {}
        for name, person in roster["people"].items():
            tags[name] = f"{base}/person/{name}"
            if second_channels:
                tags[f"{name}-2"] = f"{base}/second/{name}"
                person["channels"] = [name, f"{name}-2"]
        for name, public in roster["public_channels"].items():
            tags[public["channel"]] = f"{base}/public/{name}"
        text = yaml.safe_dump(roster, allow_unicode=True, sort_keys=False)
        self.settings.roster_file.write_text(text, encoding="utf-8")
        self.people = tuple(roster["people"])
        write_channels(self.settings.channels_file, **tags)
        self.settings.playbooks_dir.mkdir()
        for name, text in playbooks.items():
            (self.settings.playbooks_dir / f"{name}.yaml").write_text(text, encoding="utf-8")

    # --- running

    def start(self) -> Self:
        """Start everything, and wait for `ready`."""
        with self.output.open("ab") as log:
            command = [sys.executable, "-m", "cli.main", "up"]
            command += ["--port", str(self.port), "--prefect-port", str(self.prefect_port)]
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        until(self._is_ready, READY_SECONDS, f"ready; it said: {self.said()}")
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"up ended: {self.said()}"
        return bool((read_state(self.home) or {}).get("ready"))

    def said(self) -> str:
        """What `up` printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def stop(self) -> None:
        """Ctrl-C, and SIGKILL for a supervisor that does not obey: its reaper ends the rest."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"up did not stop within 15 s: {self.said()}") from None

    def pids(self) -> dict[str, int]:
        """Process ids by child, as of now."""
        return dict((read_state(self.home) or {}).get("pids", {}))

    def signal(self, pid: int, number: signal.Signals) -> bool:
        """Signal a child, if it is still there."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def all_up(self) -> bool:
        """Whether every child runs and answers, and Prefect has our schedules."""
        pids = self.pids()
        if "Prefect has our schedules" not in self.said():
            return False
        if not {"web", "engine", "runner", "prefect-server", "prefect-worker"} <= set(pids):
            return False
        with suppress(httpx.HTTPError):
            prefect = httpx.get(f"http://127.0.0.1:{self.prefect_port}/api/health", timeout=2, trust_env=False)
            return self.client.get("/healthz").is_success and prefect.is_success
        return False

    # --- using it

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The truth, from outside of every process."""
        database = Database(self.settings.database)
        try:
            yield database
        finally:
            database.close()

    def tokens(self) -> dict[str, dict[str, str]]:
        """Each person's own Authorization header."""
        with self.database() as database, database.write() as connection:
            now = pendulum.now("UTC")
            made = {person: person_tokens.replace_person_token(connection, person, now) for person in self.people}
        return {person: {"Authorization": f"Bearer {token}"} for person, token in made.items()}

    def declare(self, title: str, **fields: Any) -> str:
        """A new incident, declared as often as it takes; its reference."""
        document = {"title": title, "id": f"test-{title}".replace(" ", "-"), **fields}

        def answered() -> str:
            with suppress(httpx.HTTPError):
                answer = self.client.post("/api/incidents", json=document)
                assert answer.status_code < httpx.codes.BAD_REQUEST, answer.text
                return str(answer.json()["ref"])
            return ""

        return until(answered, 30, f"declare {title}")

    def tracebacks(self) -> list[str]:
        """What the logs show of exceptions raised in our own code."""
        found = []
        for log in sorted(self.settings.logs_dir.glob("*.log*")):
            blocks = log.read_text(errors="replace").split("Traceback (most recent call last):")[1:]
            for block in blocks:
                trace = "\n".join(block.splitlines()[:60])
                if any(f'File "{ROOT}/{package}/' in trace for package in PACKAGES):
                    found.append(f"{log.name}: {trace[-1500:]}")
        return found

    def logs(self) -> str:
        """The ends of all logs, for a report of what went wrong."""
        ends = [f"== up\n{self.said()[-3000:]}"]
        logs = sorted(self.settings.logs_dir.glob("*.log"))
        ends += [f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs]
        return "\n".join(ends)


def as_json(rows: Any) -> str:
    """For a message of an assertion."""
    return json.dumps(rows, indent=1, default=str, ensure_ascii=False)[:4000]
