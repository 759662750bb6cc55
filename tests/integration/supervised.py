"""A supervisor in a process of its own, with small stand-ins for the children."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.process.startup_checks import read_state

ROOT = Path(__file__).parents[2]

# A child that beats, answers /healthz when given a port, and keeps a grandchild in a session of its own.
CHILD = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from engine.process.heartbeat import Heartbeat
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
from engine.process.children import ChildSpec, StartCondition
from engine.process.supervisor import Supervisor, SupervisorTimings
from engine.process.startup_checks import StartError
from storage.settings import load_settings
child_file, moods = sys.argv[1], dict(pair.split("=") for pair in sys.argv[2:])
settings = load_settings()
def child(name, **more):
    port = {"web": settings.port, "prefect-server": settings.prefect_port}.get(name, 0)
    command = (sys.executable, "-S", child_file, str(settings.home), name, str(port), moods[name])
    url = f"http://127.0.0.1:{port}/healthz" if port else None
    return ChildSpec(name=name, command=command, environment=ENV, folder=ROOT, health_url=url, **more)
import os
from pathlib import Path
ROOT = Path(os.environ["TEST_ROOT"])
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
kinds = {
    "web": dict(beat_limit=1.0, essential=True, health_limit=2.0),
    "engine": dict(beat_limit=1.0, essential=True),
    "prefect-server": dict(health_limit=1.5),
    "prefect-worker": dict(start=StartCondition.WITH_PREFECT, stopped_limit=1.0),
    "prefect-setup": dict(start=StartCondition.AFTER_READY),
}
timings = SupervisorTimings(
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


BOTH = {"web": "well", "engine": "well"}
