"""Blows at random moments from a printed seed: SIGKILL, and SIGSTOP for a while, at any child of a stack."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass

from engine.process.heartbeat import beat_file
from tests.smoke.stack import Stack, until

CHILDREN = ("runner", "engine", "figures", "web", "prefect-worker", "prefect-server")
BEATS = frozenset({"runner", "engine", "figures", "web"})
FREEZE_SECONDS = (0.5, 6.0)
BACK_SECONDS = 40.0


@dataclass(slots=True)
class Blow:
    """One blow, and when its process was back (seconds since the epoch; 0.0 while it is not)."""

    name: str
    kind: str  # kill | freeze
    pid: int
    at: float
    seconds: float = 0.0
    back: float = 0.0

    def __str__(self) -> str:
        away = f"{self.back - self.at:.1f} s" if self.back else "for good"
        how = f"frozen for {self.seconds:.1f} s" if self.kind == "freeze" else "killed"
        return f"{time.strftime('%H:%M:%S', time.gmtime(self.at))} {self.name} {how}, away {away}"


class Chaos:
    """Deals blows to one stack. The order and the kinds follow from the seed; moments also from the machine."""

    children: tuple[str, ...] = CHILDREN

    def __init__(self, stack: Stack, seed: int) -> None:
        self.blows: list[Blow] = []
        self._stack = stack
        self._random = random.Random(seed)
        self._thawing: list[tuple[float, Blow]] = []

    def plan(self, count: int) -> list[tuple[str, str]]:
        """So many blows: every child in turn in random order, each killed and frozen as often as the other."""
        kinds = {name: self._random.choice(("kill", "freeze")) for name in self.children}
        chosen: list[tuple[str, str]] = []
        while len(chosen) < count:
            for name in self._random.sample(self.children, len(self.children)):
                kinds[name] = "freeze" if kinds[name] == "kill" else "kill"
                chosen.append((name, kinds[name]))
        return chosen[:count]

    def run(self, count: int, pause: tuple[float, float]) -> None:
        """Deal them, `pause` seconds apart, whether or not the one before is over; then wait until all are back."""
        for name, kind in self.plan(count):
            self._wait(self._random.uniform(*pause))
            self.strike(name, kind, self._random.uniform(*FREEZE_SECONDS))
        until(self.all_back, BACK_SECONDS, f"all back: {[str(blow) for blow in self.blows]}", 0.02)

    def strike(self, name: str, kind: str, seconds: float) -> Blow:
        """One blow now, at a process that is there."""
        pid = until(lambda: self._alive(name), BACK_SECONDS, f"{name} is there", 0.02)
        number = signal.SIGKILL if kind == "kill" else signal.SIGSTOP
        blow = Blow(name, kind, pid, time.time(), seconds if kind == "freeze" else 0.0)
        self._stack.signal(pid, number)
        self.blows.append(blow)
        if kind == "freeze":
            self._thawing.append((time.monotonic() + seconds, blow))
        return blow

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._look()
            time.sleep(0.02)

    def all_back(self) -> bool:
        """Whether whatever was struck so far is there again."""
        self._look()
        return not self._thawing and all(blow.back for blow in self.blows)

    def _alive(self, name: str) -> int:
        self._look()
        struck = {blow.pid for blow in self.blows if not blow.back}
        pid = self._stack.pids().get(name, 0)
        return 0 if pid in struck or not self._beats(name) else pid

    def _look(self) -> None:
        """Thaw what is due, and note what is back: a new process that beats, or the old one awake again."""
        pids = self._stack.pids()
        for due, blow in list(self._thawing):
            if due <= time.monotonic():
                self._thawing.remove((due, blow))
                if pids.get(blow.name) == blow.pid and self._stack.signal(blow.pid, signal.SIGCONT):
                    blow.back = time.time()
        for blow in self.blows:
            pid = pids.get(blow.name)
            if not blow.back and pid is not None and pid != blow.pid and self._works(blow.name, pid):
                blow.back = time.time()

    def _works(self, name: str, pid: int) -> bool:
        """Whether it has come so far that it can do its work; on a busy machine that takes a process seconds."""
        if name == "engine" and not list((self._stack.settings.run_dir / "senders").glob(f"*engine-{pid}-*")):
            return False
        return self._beats(name)

    def _beats(self, name: str) -> bool:
        return name not in BEATS or beat_file(self._stack.home, name).exists()
