"""A watched file: its last good content stays in force while it is edited."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from playbooks.errors import BadFile, FileFinding

T = TypeVar("T")
Clock = Callable[[], float]
POLL_SECONDS = 1.0  # seconds of the monotonic clock: a stat a second costs nothing, one at every turn would


class PollInterval:
    """Limits reads of the disk to one a second."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None

    def due(self) -> bool:
        """Whether a second has passed since the last time this was true."""
        now = self._clock()
        if self._last is not None and now - self._last < POLL_SECONDS:
            return False
        self._last = now
        return True


class WatchedFile(Generic[T]):
    """One file, read again when it changed; a broken version leaves the good one in force and is a finding."""

    def __init__(self, path: Path, read: Callable[[Path], T]) -> None:
        self.path = path
        self.value: T | None = None
        self.findings: tuple[FileFinding, ...] = ()
        self._read = read
        self._seen: tuple[int, ...] | None = None

    def refresh(self, *, anew: bool = False) -> None:
        """Read the file if it changed since the last refresh; `anew`: even if it did not."""
        mark = self._mark()
        if mark == self._seen and not anew:
            return
        self._seen = mark
        try:
            self.value = self._read(self.path)
            self.findings = ()
        except BadFile as error:
            self.findings = error.findings

    def _mark(self) -> tuple[int, ...]:
        try:
            stat = self.path.stat()
        except OSError as error:
            return (error.errno or 0,)
        # Not the time alone: two saves within a tick of the file system's clock differ in size or inode.
        return (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)


class OptionalFile(Generic[T]):
    """The last good version of an optional file of the home; without the file the result of `otherwise`.

    Threads may share one.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], T], otherwise: Callable[[], T], *, clock: Clock = time.monotonic
    ) -> None:
        self._file = WatchedFile(path, read)
        self._otherwise = otherwise
        self._pace = PollInterval(clock)
        self._lock = Lock()

    def current(self) -> T:
        """Return the content in force, read again when the file changed."""
        with self._lock:
            self._look()
            return self._otherwise() if self._file.value is None else self._file.value

    def findings(self) -> list[FileFinding]:
        """List what is wrong with the file as it stands; an older version, or none, is then in force."""
        with self._lock:
            self._look()
            return list(self._file.findings)

    def _look(self) -> None:
        if not self._pace.due():
            return
        if self._file.path.exists():
            self._file.refresh()
        else:
            self._file.value, self._file.findings = None, ()
