"""Channel file of an installation: loaded by processes that send, probed through another process by others."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from channels.errors import ChannelConfigError

if TYPE_CHECKING:  # it loads Apprise: twenty megabytes that a process without channels does not need
    from channels.directory import ChannelDirectory

_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 15.0  # between two looks at a file that refers to something which was not there
_PATIENCE_SECONDS = 60.0  # what the other process may take: it is ended then, and asked anew when the file changes
_DEEPEST = 4  # files that include files
FileStamp = tuple[tuple[int, int], ...]
_ROOT = Path(__file__).resolve().parents[2]


class ChannelFile:
    """Channel file, loaded again when it changes; a broken one changes nothing but the finding."""

    def __init__(self, path: Path, homes: int = 1) -> None:
        """Read nothing yet. `homes`: how many installations share what each service takes."""
        self._path, self._homes = path, homes
        self._seen: FileStamp | None = None
        self._looked = 0.0
        self._directory: ChannelDirectory | None = None
        self._lock = threading.Lock()
        self._good = False
        self._finding = ""

    def current(self) -> ChannelDirectory:
        """Its last good version; without one, a directory without channels."""
        with self._lock:
            if self._directory is None or time.monotonic() - self._looked > _LOOK_SECONDS:
                self._look()
            if self._directory is None:
                from channels.directory import ChannelDirectory  # noqa: PLC0415 - Apprise, see above

                self._directory = ChannelDirectory([])
            return self._directory

    def tags(self) -> frozenset[str] | None:
        """The tags known; None while no good version was read, so that nothing can be said about any tag."""
        tags = self.current().tags()
        return tags if self._good else None

    def finding(self) -> str:
        """What is wrong with the file as it stands; empty if nothing."""
        self.current()
        return self._finding

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            seen = _mark(self._path)
            if seen != self._seen:
                from channels.directory import ChannelDirectory  # noqa: PLC0415 - Apprise, see above

                self._seen = seen
                self._directory = ChannelDirectory.load(self._path, homes=self._homes)
                self._good, self._finding = True, ""
        except ChannelConfigError as error:
            self._finding = str(error)
            if error.passing:  # what it refers to may be there in a moment: look again though the file is the same
                self._seen = None
        except OSError as error:
            self._finding = _unreadable(self._path, error)


class ChannelFileProbe:
    """Channel file seen by a process that never sends: it asks `python -m channels` after each change.

    Never waits: until the answer is there, the last one holds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: FileStamp | None = None
        self._asked = 0.0
        self._other: threading.Thread | None = None
        self._lock = threading.Lock()
        self._again = False
        self._tags: frozenset[str] | None = None
        self._finding = ""

    def tags(self) -> frozenset[str] | None:
        """The tags known; None while no good version was read, so that nothing can be said about any tag."""
        with self._lock:
            self._look()
            return self._tags

    def finding(self) -> str:
        """What is wrong with the file as it was when it was last probed; empty if nothing."""
        with self._lock:
            self._look()
            return self._finding

    def _look(self) -> None:
        if self._other is not None and self._other.is_alive():
            return
        try:
            seen = _mark(self._path)
        except OSError as error:
            self._seen, self._finding = None, _unreadable(self._path, error)
            return
        waited = time.monotonic() - self._asked
        if seen != self._seen or (self._again and waited > _AGAIN_SECONDS):
            self._seen, self._asked = seen, time.monotonic()
            self._other = threading.Thread(target=self._ask, name="channel file", daemon=True)
            self._other.start()

    def _ask(self) -> None:
        command = (sys.executable, "-m", "channels", str(self._path))
        try:
            said = subprocess.run(command, capture_output=True, cwd=_ROOT, timeout=_PATIENCE_SECONDS, check=True)
            answer = json.loads(said.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            answer = {"tags": None, "passing": True}
            answer["finding"] = f"{self._path.name}: cannot be looked at; `python -m channels {self._path}` says why"
        with self._lock:
            self._again, self._finding = answer["passing"], answer["finding"]
            if answer["tags"] is not None:
                self._tags = frozenset(answer["tags"])


def _mark(path: Path) -> FileStamp:
    """By which a change of the file, or of one that it includes, is seen."""
    stat = path.stat()
    return ((stat.st_mtime_ns, stat.st_size), *(_mark_of_another(file) for file in sorted(_included(path, _DEEPEST))))


def _mark_of_another(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


def _included(path: Path, depth: int) -> set[Path]:
    """The files that a channel file may mean by its `include`; one too many does no harm, it is only looked at."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace") if depth else ""
    except OSError:
        return set()
    found: set[Path] = set()
    within = False
    for line in text.splitlines():
        words = line.split("#")[0].replace(",", " ").split()
        begins = bool(words) and words[0].rstrip(":").lower() == "include"
        within = begins or (within and bool(words) and words[0].startswith("-"))
        if within:
            names = (word.strip("-[]'\"") for word in words[1 if begins else 0 :])
            found |= {path.parent / name for name in names if name and "://" not in name}
    for file in tuple(found):
        found |= _included(file, depth - 1)
    return found


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path.name}: cannot be read ({error.strerror}); the last good one is in force"
