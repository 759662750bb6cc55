"""Child process at run time: started, watched for life, killed with all it started, started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.process import reaper
from engine.process.children import ChildSpec, StartCondition
from engine.process.heartbeat import beat_file

_TAIL_BYTES: Final = 4096
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_HEADER: Final = "--- "


@dataclass(frozen=True)
class SupervisorTimings:
    """Patience of the supervisor, in seconds; other values than these are for tests."""

    tick: float = 0.2
    # Before its first sign of life a child may import, migrate and wait for a busy machine.
    first_sign: float = 60.0
    backoff_first: float = 0.1
    backoff_most: float = 5.0
    # A child that lived as long is taken to be well: the next restart is quick again.
    settled: float = 30.0
    probe_every: float = 1.0
    # Once it has answered: each question costs the server a few milliseconds, all day.
    probe_calm: float = 3.0
    probe_timeout: float = 3.0
    prefect_patience: float = 45.0
    setup_delay: float = 3.0
    setup_retry_most: float = 60.0
    terminate: float = 6.0
    # A loop that was held up for longer (machine asleep, supervisor stopped) says nothing about the children.
    own_pause: float = 1.0


@dataclass(frozen=True)
class UnresponsiveReason:
    """Reason why a child is killed: no `beat`, no `answer`, or `stopped`, for so many seconds."""

    kind: str
    seconds: float


class HealthProbe(threading.Thread):
    """Background probe of an address: a frozen server holds up nobody but this thread."""

    def __init__(self, url: str, timings: SupervisorTimings) -> None:
        super().__init__(name=f"probe {url}", daemon=True)
        self.url = url
        self.last_answer: float | None = None
        self._timings = timings
        self._ended = threading.Event()
        # The address is on this machine, whatever proxy the environment names, unless the user gave another.
        local = url.startswith(("http://127.", "http://[::1]", "http://localhost"))
        handlers = [urllib.request.ProxyHandler({})] if local else []
        self._opener = urllib.request.build_opener(*handlers)

    def run(self) -> None:
        """Note the monotonic time of each good answer until told to end."""
        while not self._ended.wait(self._pause()):
            if self._answers():
                self.last_answer = time.monotonic()

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()

    def _pause(self) -> float:
        return self._timings.probe_calm if self.last_answer else self._timings.probe_every

    def _answers(self) -> bool:
        try:
            with self._opener.open(self.url, timeout=self._timings.probe_timeout) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004
        except (OSError, ValueError, urllib.error.URLError):
            return False


class ChildProcess:
    """Running side of a `ChildSpec`. All times are monotonic seconds, passed in as `now`."""

    def __init__(self, child: ChildSpec, home: Path, mark: str, timings: SupervisorTimings) -> None:
        self.child = child
        self.log = home / "logs" / f"{child.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.starts = 0
        self.not_before = 0.0
        self.first_sign: float | None = None
        self.failures = 0
        self.probe = HealthProbe(child.health_url, timings) if child.health_url else None
        self._home = home
        self._mark = mark
        self._timings = timings
        # A one-shot is heavy and nothing waits for it: it is tried again at leisure.
        one_shot = child.start is StartCondition.AFTER_READY
        self._backoff_first = timings.setup_delay if one_shot else timings.backoff_first
        self._backoff_most = timings.setup_retry_most if one_shot else timings.backoff_most
        self._backoff = self._backoff_first
        self._beat: int | None = None
        self._beat_seen = 0.0
        self._running_seen = 0.0

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self.process.pid if self.process else None

    def spawn(self, now: float) -> None:
        """Start it in a session of its own, its output going to its log."""
        beat_file(self._home, self.child.name).unlink(missing_ok=True)
        environment = {
            **self.child.environment,
            reaper.SUPERVISOR_VARIABLE: self._mark,
            reaper.CHILD_VARIABLE: self.child.name,
        }
        with self.log.open("ab") as log:
            log.write(f"{_HEADER}{time.strftime('%Y-%m-%dT%H:%M:%S%z')} started\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                self.child.command,
                cwd=self.child.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if self.child.nice:
            with suppress(OSError):  # gone already, which is noticed at the next look
                os.setpriority(os.PRIO_PROCESS, self.process.pid, self.child.nice)
        self.starts += 1
        self.started = self._beat_seen = self._running_seen = now
        self._beat = None
        self.first_sign = None
        if self.probe:
            self.probe.last_answer = None
            if not self.probe.is_alive():
                self.probe.start()

    def poll_exit(self, now: float) -> int | None:
        """Return the exit status once it has ended (negative: the signal), after which it may be started again."""
        if self.process is None or (status := self.process.poll()) is None:
            return None
        self.process = None
        # Flow runs of a dead worker, say: whoever comes next starts them again.
        reaper.kill_marked(self._mark, self.child.name)
        # Ended by itself, soon: a child may well beat before it finds out that it cannot work.
        self.failures += status > 0
        if now - self.started >= self._timings.settled:
            self._backoff, self.failures = self._backoff_first, 0
        self.not_before = now + self._backoff
        self._backoff = min(2 * self._backoff, self._backoff_most)
        return status

    def check_liveness(self, now: float, *, after_pause: bool) -> UnresponsiveReason | None:
        """Check for signs of life; return the reason for which it must be killed, or None when all is well."""
        if after_pause:
            self._beat_seen = self._running_seen = now
            if self.probe and self.probe.last_answer:
                self.probe.last_answer = now
        silences = self._silences(now)
        self._note_first_sign(now)
        return next((UnresponsiveReason(kind, seconds) for kind, seconds, limit in silences if seconds > limit), None)

    def kill(self) -> None:
        """SIGKILL, frozen or not, with everything that it started."""
        if self.process:
            reaper.send_signal(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def last_log_line(self) -> str:
        """Return the last line of its log, to tell why it ended."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        # Only what it said since its last start: the headers are ours.
        said = _COLOURS.sub("", text).rpartition(f"{_HEADER}20")[2].splitlines()[1:]
        return next((line.strip() for line in reversed(said) if line.strip()), "")

    def rotate_log(self, most: int) -> None:
        """Keep one older log. It is copied and emptied, not renamed: the child holds the file open."""
        try:
            if self.log.stat().st_size > most:
                shutil.copyfile(self.log, self.log.with_name(f"{self.log.name}.1"))
                os.truncate(self.log, 0)
        except OSError:
            return  # a full disk must not end the supervision

    def _silences(self, now: float) -> list[tuple[str, float, float]]:
        """(kind, seconds of silence, limit) of each thing that it is watched for."""
        child, found = self.child, []
        if child.beat_limit is not None:
            self._look_at_beat(now)
            limit = child.beat_limit if self._beat else max(child.beat_limit, self._timings.first_sign)
            found.append(("beat", now - self._beat_seen, limit))
        if child.health_limit is not None and self.probe:
            answered = self.probe.last_answer
            limit = child.health_limit if answered else max(child.health_limit, self._timings.first_sign)
            found.append(("answer", now - (answered or self.started), limit))
        if child.stopped_limit is not None:
            self._running_seen = self._running_seen if self._is_stopped() else now
            found.append(("stopped", now - self._running_seen, child.stopped_limit))
        return found

    def _note_first_sign(self, now: float) -> None:
        beats = self.child.beat_limit is None or self._beat is not None
        answers = self.probe is None or self.probe.last_answer is not None
        if self.first_sign is None and beats and answers:
            self.first_sign = now

    def _look_at_beat(self, now: float) -> None:
        # The change is what counts, timed by our own clock: a step of the wall clock kills nobody.
        try:
            beat = beat_file(self._home, self.child.name).stat().st_mtime_ns
        except OSError:
            return
        if beat != self._beat:
            self._beat, self._beat_seen = beat, now

    def _is_stopped(self) -> bool:
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] in ("T", "t")
