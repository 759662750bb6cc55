"""Supervisor of `tocsin up`: starts the children, restarts what dies or hangs, and stops them all."""

from __future__ import annotations

import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Final

from engine.process import reaper
from engine.process.child import ChildProcess, HealthProbe, SupervisorTimings, UnresponsiveReason
from engine.process.children import (
    PREFECT_SERVER,
    ROOT,
    ChildSpec,
    StartCondition,
    default_children,
    external_prefect,
    settings_environment,
)
from engine.process.progress import StartupProgress
from engine.process.startup_checks import StartError, check_port, lock_home, read_state, state_file, write_state
from locales import translator
from storage.settings import Settings

__all__ = ["StartError", "Supervisor", "SupervisorTimings"]

_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GIVE_UP_AFTER: Final = 5
_HOUSEKEEPING_SECONDS: Final = 5.0
_SAY_AGAIN_SECONDS: Final = 20.0
_SAY_ALL_UP_TO: Final = 3
_SAY_EVERY: Final = 12
_STOP_STEP: Final = 0.05


def prepare_home_in_subprocess(settings: Settings, *, starts: bool = True) -> list[str]:
    """Lay out the home and the database in a subprocess, so that the supervisor does not keep its libraries.

    `starts`: Tocsin is about to start, so an account to log in with must exist, or a login link is made.

    Raises:
        StartError: the home cannot be written, the database is not usable, or the pages would be open to the
            network
            without an administrator. One line.
    """
    command = (sys.executable, "-m", "engine.home", *(("starts",) if starts else ()))
    environment = {**os.environ, **settings_environment(settings)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise StartError(said[-1] if said else f"the home cannot be prepared: exit {done.returncode}")
    return done.stdout.splitlines()


class Supervisor:
    """Supervisor of one installation, from start to stop. No child outlives `run`, however that ends."""

    def __init__(
        self,
        settings: Settings,
        children: Sequence[ChildSpec] | None = None,
        *,
        language: str = "en",
        environ: Mapping[str, str] = os.environ,
        timings: SupervisorTimings | None = None,
        serves: bool = True,
    ) -> None:
        """Start nothing yet. `serves`: the pages are among the children, so that their port must be free."""
        self._settings = settings
        self._serves = serves
        self._timings = timings or SupervisorTimings()
        self._mark = secrets.token_hex(8)
        self._texts = translator(language)
        self._progress = StartupProgress(self._texts)
        children = default_children(settings, environ) if children is None else children
        self._watched = [ChildProcess(child, settings.home, self._mark, self._timings) for child in children]
        self._external = external_prefect(environ)
        self._prefect_probe = self._probe_of_prefect()
        self._prefect_since: float | None = None
        self._reaper: subprocess.Popen[bytes] | None = None
        self._wakeup: tuple[int, int] = (-1, -1)
        self._begun = 0.0
        self._ready = False
        self._said_at = 0.0
        self._housekeeping_at = 0.0
        self._written: object = None

    def run(self) -> None:
        """Start all, print a line that begins with `ready`, supervise until told to end, stop all.

        Call it in the main thread. Returns after SIGINT, SIGTERM or SIGHUP.

        Raises:
            StartError: in one line, why it cannot start (a port in use, a second `up`, an unreadable file).

        """
        with lock_home(self._settings, self._texts):
            self._clear_leftovers()
            self._check_ports()
            restore = self._listen_to_signals()
            try:
                self._begin()
                self._supervise()
            finally:
                self._progress.stopping()
                self._stop_all()
                self._progress.stopped()
                restore()

    # --- before

    def _probe_of_prefect(self) -> HealthProbe | None:
        if self._external:
            return HealthProbe(f"{self._external.rstrip('/')}/health", self._timings)
        return next((w.probe for w in self._watched if w.child.name == PREFECT_SERVER), None)

    def _clear_leftovers(self) -> None:
        # A supervisor that was killed together with its reaper left children that hold ports and beat.
        old = read_state(self._settings.home) or {}
        if isinstance(mark := old.get("mark"), str) and mark:
            reaper.kill_marked(mark)

    def _check_ports(self) -> None:
        if self._serves:
            check_port(self._settings.host, self._settings.port, "--port", self._texts)
        if not self._external:
            check_port("127.0.0.1", self._settings.prefect_port, "--prefect-port", self._texts)

    def _listen_to_signals(self) -> Callable[[], None]:
        """Signals, and the end of a child, wake the loop through a pipe: nothing is done inside a handler."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        self._wakeup = (reader, writer)
        handled = (*_STOP_SIGNALS, signal.SIGCHLD)
        old = {number: signal.signal(number, _nothing) for number in handled}
        old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

        def restore() -> None:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old.items():
                signal.signal(number, handler)
            os.close(reader)
            os.close(writer)

        return restore

    # --- the loop

    def _begin(self) -> None:
        self._begun = self._said_at = time.monotonic()
        self._progress.starting(self._settings.home)
        self._keep_reaper()
        if self._external and self._prefect_probe:
            self._prefect_probe.start()

    def _supervise(self) -> None:
        before = time.monotonic()
        while True:
            now = time.monotonic()
            after_pause = now - before > self._timings.tick + self._timings.own_pause
            before = now
            self._note_prefect(now)
            for watched in self._watched:
                self._attend(watched, now, after_pause=after_pause)
            self._keep_reaper()
            self._note_ready(now)
            self._write_state()
            self._housekeep(now)
            if self._stop_asked(self._timings.tick):
                return

    def _attend(self, watched: ChildProcess, now: float, *, after_pause: bool) -> None:
        if watched.process is not None:
            unsigned = watched.first_sign is None
            if silence := watched.check_liveness(now, after_pause=after_pause):
                self._say_silence(watched, silence)
                watched.kill()
                watched.poll_exit(now)
            elif unsigned and watched.first_sign and not self._ready:
                self._progress.up(watched.child.name, now - self._begun)
            self._note_end(watched, now)
        if watched.process is None and now >= watched.not_before and self._may_start(watched, now):
            self._spawn(watched, now)

    def _note_end(self, watched: ChildProcess, now: float) -> None:
        status = watched.poll_exit(now)
        if status is None:
            return  # it runs, or it was ended here a moment ago
        once = watched.child.start is StartCondition.AFTER_READY
        if once and status == 0:
            watched.not_before = float("inf")
            self._progress.event(self._texts("Prefect has our schedules"))
            return
        self._say_end(watched, status)
        hopeless = watched.child.essential and watched.failures >= _GIVE_UP_AFTER
        if hopeless and not self._ready:
            text = self._texts("%(name)s cannot start: %(words)s (see %(log)s)")
            raise StartError(text % {**self._about(watched), "words": watched.last_log_line() or _how(status)})

    def _may_start(self, watched: ChildProcess, now: float) -> bool:
        if watched.child.start is StartCondition.AT_ONCE:
            return True
        if self._prefect_since is None:
            return False
        settled = now - self._prefect_since >= self._timings.setup_delay
        return watched.child.start is StartCondition.WITH_PREFECT or (self._ready and settled)

    def _spawn(self, watched: ChildProcess, now: float) -> None:
        try:
            watched.spawn(now)
        except OSError as error:
            # No memory, no process slot, a full disk: these pass, and the rest must go on meanwhile.
            watched.not_before = now + self._timings.backoff_most
            text = self._texts("%(name)s could not be started (%(reason)s), trying again")
            self._progress.event(text % {"name": watched.child.name, "reason": error.strerror})

    def _note_prefect(self, now: float) -> None:
        answered = self._prefect_probe.last_answer if self._prefect_probe else None
        if answered is None:
            self._prefect_since = None
        elif self._prefect_since is None:
            self._prefect_since = now

    def _note_ready(self, now: float) -> None:
        if self._ready:
            return
        missing = [w.child.name for w in self._watched if w.child.essential and not w.first_sign]
        waited = now - self._begun
        patient = self._prefect_probe is not None and waited < self._timings.prefect_patience
        if self._prefect_since is None and patient:
            missing.append(PREFECT_SERVER)
        if missing:
            self._progress.waiting(missing, waited)
            if now - self._said_at > _SAY_AGAIN_SECONDS:
                self._said_at = now
                self._progress.still_waiting(missing, self._settings.logs_dir)
            return
        self._ready = True
        self._write_state()
        self._progress.ready(
            self._settings.links_url,
            self._external or f"http://127.0.0.1:{self._settings.prefect_port}",
            self._settings.logs_dir,
            prefect_answers=self._prefect_since is not None,
        )

    def _housekeep(self, now: float) -> None:
        if now < self._housekeeping_at:
            return
        self._housekeeping_at = now + _HOUSEKEEPING_SECONDS
        for watched in self._watched:
            watched.rotate_log(self._settings.log_max_bytes)

    def _stop_asked(self, timeout: float) -> bool:
        reader = self._wakeup[0]
        if not select.select([reader], [], [], timeout)[0]:
            return False
        with suppress(BlockingIOError):
            return any(number in _STOP_SIGNALS for number in os.read(reader, 256))
        return False

    # --- what it says and writes

    def _about(self, watched: ChildProcess) -> dict[str, str | Path]:
        return {"name": watched.child.name, "log": watched.log}

    def _say_silence(self, watched: ChildProcess, silence: UnresponsiveReason) -> None:
        _ = self._texts
        text = {
            "beat": _("%(name)s gave no sign of life for %(seconds).1f s: ended and started again"),
            "answer": _("%(name)s did not answer for %(seconds).1f s: ended and started again"),
            "stopped": _("%(name)s was stopped for %(seconds).1f s: ended and started again"),
        }[silence.kind]
        self._progress.event(text % {"name": watched.child.name, "seconds": silence.seconds})

    def _say_end(self, watched: ChildProcess, status: int) -> None:
        if watched.failures > _SAY_ALL_UP_TO and watched.failures % _SAY_EVERY:
            return  # one that cannot start must not flood the terminal; its log has it all
        text = self._texts("%(name)s ended (%(how)s), starting it again; see %(log)s")
        self._progress.event(text % {**self._about(watched), "how": _how(status)})

    def _write_state(self) -> None:
        settings = self._settings
        pids = {w.child.name: w.pid for w in self._watched if w.pid}
        now_written = (pids, self._ready, self._reaper and self._reaper.pid)
        if now_written == self._written:
            return
        state = {
            "pid": os.getpid(),
            "mark": self._mark,
            "reaper": self._reaper.pid if self._reaper else None,
            "written_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "ready": self._ready,
            "url": settings.local_url,
            "port": settings.port,
            "prefect_port": None if self._external else settings.prefect_port,
            "pids": pids,
            "starts": {w.child.name: w.starts for w in self._watched},
        }
        with suppress(OSError):  # a full disk must not end the supervision; it is tried again at the next tick
            write_state(settings.home, state)
            self._written = now_written

    # --- the end

    def _keep_reaper(self) -> None:
        if self._reaper is None or self._reaper.poll() is not None:
            command = (sys.executable, "-I", "-S", reaper.__file__, self._mark)
            with suppress(OSError):
                self._reaper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def _stop_all(self) -> None:
        """SIGTERM to all at once, SIGKILL to what is left after a while or at a second Ctrl-C."""
        for pid in reaper.find_marked(self._mark):
            reaper.send_signal(pid, signal.SIGTERM)
            reaper.send_signal(pid, signal.SIGCONT)  # a frozen process cannot obey
        end = time.monotonic() + self._timings.terminate
        while time.monotonic() < end and any(w.process and w.process.poll() is None for w in self._watched):
            if self._stop_asked(_STOP_STEP):
                break
        reaper.kill_marked(self._mark)
        for watched in self._watched:
            if watched.probe:
                watched.probe.end()
            if watched.process:
                watched.process.wait()
        if self._reaper and self._reaper.stdin:
            self._reaper.stdin.close()
            self._reaper.wait()
        with suppress(OSError):
            state_file(self._settings.home).unlink(missing_ok=True)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Stands in as a handler: the wake-up pipe brings the signal to the loop."""


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
