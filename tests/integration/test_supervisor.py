"""The supervisor on real processes: small stand-ins for the children, real signals, a real second `up`."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import orphans
from engine.children import POOL, Start, default_children, prefect_file
from engine.heartbeat import Heartbeat, read
from engine.premises import is_running, read_state
from storage.settings import load_settings

ROOT = Path(__file__).parents[2]

# A child that beats, answers /healthz when given a port, and keeps a grandchild in a session of its own.
CHILD = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from engine.heartbeat import Heartbeat
home, name, port, mood = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
if mood == "broken":
    sys.exit("the database is newer than the program")
Heartbeat(home, name).start()
if mood == "late-broken":
    time.sleep(0.5)
    sys.exit("the database is newer than the program")
if mood == "parent":
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
if mood == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("hello from", name, flush=True)
if mood == "chatty":
    print("x" * 20_000, flush=True)
if port and mood != "mute":
    from http.server import BaseHTTPRequestHandler, HTTPServer
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b"true")
        def log_message(self, *args): pass
    HTTPServer(("127.0.0.1", port), Answer).serve_forever()
time.sleep(600)
"""

UP = """
import sys
from engine.children import Child, Start
from engine.supervisor import StartError, Supervisor, Timings
from storage.settings import load_settings
child_file, moods = sys.argv[1], dict(pair.split("=") for pair in sys.argv[2:])
settings = load_settings()
def child(name, **more):
    port = {"web": settings.port, "prefect-server": settings.prefect_port}.get(name, 0)
    command = (sys.executable, "-S", child_file, str(settings.home), name, str(port), moods[name])
    url = f"http://127.0.0.1:{port}/healthz" if port else None
    return Child(name=name, command=command, environment=ENV, folder=ROOT, health_url=url, **more)
import os
from pathlib import Path
ROOT = Path(os.environ["TEST_ROOT"])
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
kinds = {
    "web": dict(beat_limit=1.0, essential=True, health_limit=2.0),
    "engine": dict(beat_limit=1.0, essential=True),
    "prefect-server": dict(health_limit=1.5),
    "prefect-worker": dict(start=Start.WITH_PREFECT, stopped_limit=1.0),
    "prefect-setup": dict(start=Start.AFTER_READY),
}
timings = Timings(
    probe_every=0.1, probe_calm=0.1, probe_timeout=0.5, setup_delay=0.1,
    prefect_patience=float(os.environ.get("PATIENCE", 45)), terminate=float(os.environ.get("TERMINATE", 6)),
)
try:
    Supervisor(settings, [child(name, **kinds[name]) for name in moods], timings=timings).run()
except StartError as error:
    print(error, file=sys.stderr)
    sys.exit(1)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], seconds: float = 15.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {true.__name__}")


class Up:
    """A supervisor in a process of its own."""

    def __init__(
        self, folder: Path, moods: dict[str, str], *, stdout: int = subprocess.PIPE, **environment: str
    ) -> None:
        self.home = folder / "home"
        (folder / "child.py").write_text(CHILD)
        (folder / "up.py").write_text(UP)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("TOCSIN_", "PREFECT_"))},
            "TOCSIN_HOME": str(self.home),
            "TOCSIN_PORT": str(free_port()),
            "TOCSIN_PREFECT_PORT": str(free_port()),
            "TOCSIN_LOG_MAX_BYTES": "10000",
            "PYTHONPATH": str(ROOT),
            "TEST_ROOT": str(ROOT),
            **environment,
        }
        self.command = [sys.executable, str(folder / "up.py"), str(folder / "child.py")]
        self.command += [f"{name}={mood}" for name, mood in moods.items()]
        self.stdout = stdout
        self.output = ""
        self.process = self.start()

    def start(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            env={**self.environment, **environment},
            stdout=self.stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ready(self, seconds: float = 20.0) -> Up:
        self.says("^ready", seconds)
        return self

    def says(self, pattern: str, seconds: float = 20.0) -> str:
        assert self.process.stdout
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if re.search(pattern, self.output, re.MULTILINE):
                return self.output
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                self.output += os.read(self.process.stdout.fileno(), 65536).decode()
            if self.process.poll() is not None:
                break
        raise AssertionError(f"never said {pattern!r}: {self.output}")

    @property
    def mark(self) -> str:
        state = until(lambda: read_state(self.home))
        return str(state["mark"])

    def pids(self) -> dict[str, int]:
        return dict((read_state(self.home) or {}).get("pids", {}))

    def new_pid(self, name: str, old: int, seconds: float = 15.0) -> int:
        return int(until(lambda: self.pids().get(name) not in (None, old) and self.pids()[name], seconds))

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 10.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    made: list[Up] = []

    def make(moods: dict[str, str], **environment: str) -> Up:
        made.append(Up(tmp_path, moods, stdout=subprocess.PIPE, **environment))
        return made[-1]

    yield make
    for one in made:
        state = read_state(one.home)
        one.process.kill()
        one.process.communicate()
        if state:
            orphans.kill_marked(state["mark"])


BOTH = {"web": "well", "engine": "well"}


def test_ready_says_where_to_look_and_what_to_type(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    output = one.says("Ctrl-C stops everything")
    port = one.environment["TOCSIN_PORT"]
    assert f"\nready  http://127.0.0.1:{port}\n" in output
    assert f"http://127.0.0.1:{port}/inbox" in output
    assert str(one.home / "logs") in output
    assert "tocsin declare --title" in output
    state = read_state(one.home)
    assert state is not None
    assert state["ready"] is True
    assert (str(state["port"]), state["pid"]) == (port, one.process.pid)
    assert set(state["pids"]) == {"web", "engine"}
    assert "hello from engine" in (one.home / "logs" / "engine.log").read_text()
    assert is_running(one.home)


def test_on_a_screen_ready_begins_a_line(tmp_path: Path) -> None:
    master, screen = pty.openpty()
    one = Up(tmp_path, BOTH, stdout=screen)
    os.close(screen)
    shown = ""
    try:
        while "everything has stopped" not in shown:
            assert select.select([master], [], [], 20)[0], shown
            shown += os.read(master, 65536).decode()
            if "Ctrl-C stops everything" in shown and "stopping" not in shown:
                one.process.send_signal(signal.SIGINT)
        assert one.process.wait(5) == 0
    finally:
        one.process.kill()
        one.process.wait()
        os.close(master)
    assert "waiting for" in shown
    # What a terminal does with the codes of a live line: the last carriage return or erasure begins it anew.
    lines = [re.split(r"\r|\x1b\[[0-9;?]*[A-Za-z]", line.rstrip("\r"))[-1] for line in shown.split("\n")]
    assert f"ready  http://127.0.0.1:{one.environment['TOCSIN_PORT']}" in lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_leaves_nobody(up: Callable[..., Up], number: signal.Signals) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    until(lambda: len(orphans.marked(mark)) == 3)
    begun = time.monotonic()
    assert one.stop(number) == 0
    assert time.monotonic() - begun < 5
    assert orphans.marked(mark) == []
    assert one.process.stdout
    said = one.output + one.process.stdout.read()
    assert said.endswith("\nstopping everything\neverything has stopped\n")
    assert read_state(one.home) is None
    assert not is_running(one.home)


def test_a_child_that_will_not_stop_is_killed(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "stubborn"}, TERMINATE="1").ready()
    mark = one.mark
    assert one.stop(seconds=4) == 0
    assert orphans.marked(mark) == []


def test_a_frozen_child_is_no_obstacle_to_stopping(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    mark = one.mark
    os.kill(one.pids()["engine"], signal.SIGSTOP)
    assert one.stop(seconds=10) == 0
    assert orphans.marked(mark) == []


def test_nobody_outlives_a_killed_supervisor(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    until(lambda: len(orphans.marked(mark)) == 3)
    one.process.kill()
    until(lambda: orphans.marked(mark) == [], 5)


def test_up_again_after_supervisor_and_reaper_were_killed(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark = one.mark
    before = one.pids()
    state = read_state(one.home) or {}
    os.kill(one.process.pid, signal.SIGSTOP)
    os.kill(state["reaper"], signal.SIGKILL)
    one.process.kill()
    one.process.wait()
    assert orphans.marked(mark) != []
    one.process = one.start()
    one.output = ""
    one.ready()
    assert orphans.marked(mark) == []
    assert set(one.pids().values()).isdisjoint(before.values())


def test_a_killed_child_is_back_at_once_and_what_it_started_is_gone(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "parent"}).ready()
    mark, pids = one.mark, one.pids()
    until(lambda: len(orphans.marked(mark, "engine")) == 2)
    old = set(orphans.marked(mark, "engine"))
    begun = time.monotonic()
    os.kill(pids["engine"], signal.SIGKILL)
    one.new_pid("engine", pids["engine"])
    assert time.monotonic() - begun < 1.5
    until(lambda: old.isdisjoint(orphans.marked(mark)))
    assert one.pids()["web"] == pids["web"]
    one.says(r"engine ended \(SIGKILL\), starting it again")


def test_a_frozen_child_is_killed_and_started_again(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    old = one.pids()["engine"]
    os.kill(old, signal.SIGSTOP)
    begun = time.monotonic()
    one.new_pid("engine", old)
    assert 0.7 < time.monotonic() - begun < 3
    one.says("engine gave no sign of life for 1")


def test_a_supervisor_that_slept_does_not_kill_the_well(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    before = one.pids()
    os.kill(one.process.pid, signal.SIGSTOP)
    time.sleep(2.5)  # longer than any limit: the time itself is what is tested
    os.kill(one.process.pid, signal.SIGCONT)
    time.sleep(1.0)
    assert one.pids() == before


def test_a_prefect_server_that_does_not_answer_is_started_again(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-worker": "well"}).ready()
    old = until(lambda: "prefect-worker" in one.pids() and one.pids())
    os.kill(old["prefect-server"], signal.SIGSTOP)
    one.new_pid("prefect-server", old["prefect-server"])
    assert one.pids()["engine"] == old["engine"]
    one.says("prefect-server did not answer for")


def test_a_stopped_worker_is_started_again(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-worker": "well"}).ready()
    old = until(lambda: one.pids().get("prefect-worker"))
    os.kill(old, signal.SIGSTOP)
    one.new_pid("prefect-worker", old)
    one.says("prefect-worker was stopped for 1")


def test_ready_without_prefect_says_so(up: Callable[..., Up]) -> None:
    one = up({**BOTH, "prefect-server": "broken"}, PATIENCE="2").ready()
    assert "Prefect does not answer yet; nothing waits for it" in one.says("Ctrl-C")
    assert "prefect-worker" not in one.pids()


def test_the_schedules_are_tried_until_they_are_applied(up: Callable[..., Up], tmp_path: Path) -> None:
    one = up({**BOTH, "prefect-server": "well", "prefect-setup": "broken"}).ready()
    one.says(r"prefect-setup ended \(exit 1\)")
    child = tmp_path / "child.py"
    child.write_text(child.read_text().replace('sys.exit("the', 'sys.exit(0 and "the'))
    one.says("Prefect has our schedules")
    assert "prefect-setup" not in until(lambda: "prefect-setup" not in one.pids() and one.pids())


@pytest.mark.parametrize("mood", ["broken", "late-broken"])
def test_a_child_that_cannot_start_ends_it_with_its_last_words(up: Callable[..., Up], mood: str) -> None:
    # Prefect's server is awaited meanwhile, as in a real start.
    one = up({"web": "well", "engine": mood, "prefect-server": "mute"})
    assert one.process.wait(20) == 1
    assert one.process.stderr
    log = one.home / "logs" / "engine.log"
    said = one.process.stderr.read()
    assert said == f"engine cannot start: the database is newer than the program (see {log})\n"
    assert not is_running(one.home)


def test_a_second_up_names_the_first(up: Callable[..., Up]) -> None:
    one = up(BOTH).ready()
    second = one.start(TOCSIN_PORT=str(free_port()))
    _, said = second.communicate(timeout=10)
    assert second.returncode == 1
    assert said == (
        f"Tocsin already runs on {one.home} (process {one.process.pid}): "
        "stop it, or choose another TOCSIN_HOME\n"
    )
    assert one.process.poll() is None


@pytest.mark.parametrize(
    ("variable", "option"), [("TOCSIN_PORT", "--port"), ("TOCSIN_PREFECT_PORT", "--prefect-port")]
)
def test_a_port_in_use_is_named_with_its_option(up: Callable[..., Up], variable: str, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        one = up(BOTH, **{variable: str(port)})
        _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    assert said == f"port {port} of 127.0.0.1 is in use: choose another with {option} N, or stop it\n"


@pytest.mark.parametrize("name", ["roster.yaml", "channels.yaml"])
def test_an_unreadable_file_is_one_line(up: Callable[..., Up], tmp_path: Path, name: str) -> None:
    (tmp_path / "home" / name).mkdir(parents=True)
    one = up(BOTH)
    _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    path = tmp_path / "home" / name
    assert said == f"cannot read {path}: Is a directory; make it a file that this user can read\n"


def test_a_home_that_cannot_be_made_is_one_clear_line(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    one = up(BOTH)
    _, said = one.process.communicate(timeout=10)
    assert one.process.returncode == 1
    assert said == f"cannot use the folder {tmp_path}/home: File exists; choose another with TOCSIN_HOME\n"


def test_asking_whether_it_runs_keeps_nobody_from_starting(up: Callable[..., Up], tmp_path: Path) -> None:
    (tmp_path / "home" / "run").mkdir(parents=True)
    lock = tmp_path / "home" / "run" / "up.lock"
    lock.touch()
    asking = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom engine.premises import is_running\n"
    asking += f"from pathlib import Path\nwhile True: is_running(Path({str(tmp_path / 'home')!r}))"
    nosy = subprocess.Popen([sys.executable, "-c", asking])
    try:
        until(lambda: nosy.poll() is None and Path(f"/proc/{nosy.pid}/fd").exists())
        up(BOTH).ready()
    finally:
        nosy.kill()
        nosy.wait()


def test_logs_are_rotated(up: Callable[..., Up]) -> None:
    one = up({"web": "well", "engine": "chatty"}).ready()
    log = one.home / "logs" / "engine.log"
    until(lambda: (one.home / "logs" / "engine.log.1").exists() and log.stat().st_size < 10_000)


def test_a_heartbeat_is_fresh_until_it_stops(tmp_path: Path) -> None:
    assert read(tmp_path, "engine") is None
    beat = Heartbeat(tmp_path, "engine", interval=0.05).start()
    pid, began = (tmp_path / "run" / "engine.beat").read_text().split()
    assert (int(pid), abs(float(began) - time.time()) < 5) == (os.getpid(), True)
    first = (tmp_path / "run" / "engine.beat").stat().st_mtime_ns
    until(lambda: (tmp_path / "run" / "engine.beat").stat().st_mtime_ns > first)
    (tmp_path / "run" / "engine.beat").unlink()
    until(lambda: read(tmp_path, "engine") is not None)
    beat.stop()
    until(lambda: (read(tmp_path, "engine") or 0) > 0.3)


def test_the_children_of_an_embedded_installation(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, port=7800, prefect_port=7801)
    children = {
        child.name: child for child in default_children(settings, {"PREFECT_PROFILE": "mine", "A": "b"})
    }
    assert list(children) == ["prefect-server", "web", "engine", "runner", "prefect-worker", "prefect-setup"]
    assert {name for name, child in children.items() if child.essential} == {"web", "engine", "runner"}
    for child in children.values():
        assert child.environment["TOCSIN_HOME"] == str(tmp_path)
        assert child.environment["PREFECT_API_URL"] == "http://127.0.0.1:7801/api"
        assert child.environment["PREFECT_HOME"] == str(tmp_path / "prefect")
        assert child.environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert child.environment["A"] == "b"
        assert "PREFECT_PROFILE" not in child.environment
        assert "environment" not in repr(child)
    assert children["prefect-worker"].start is Start.WITH_PREFECT
    assert POOL in children["prefect-worker"].command
    assert prefect_file().name == "prefect.yaml"


def test_a_prefect_server_of_the_user_is_used_and_none_started(tmp_path: Path) -> None:
    environ = {"PREFECT_API_URL": "http://prefect.example/api", "PREFECT_PROFILE": "mine"}
    children = {c.name: c for c in default_children(load_settings(home=tmp_path), environ)}
    assert "prefect-server" not in children
    assert children["runner"].environment["PREFECT_API_URL"] == "http://prefect.example/api"
    assert children["runner"].environment["PREFECT_PROFILE"] == "mine"
    assert "PREFECT_HOME" not in children["runner"].environment
