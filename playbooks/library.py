"""All playbooks: the catalogue that ships, and the folders whose files add to it or replace by id."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock

from domain.playbook import Playbook
from playbooks.errors import Finding
from playbooks.explain import choose
from playbooks.loader import load_playbook
from playbooks.watched import Clock, Pace, Watched

CATALOG = Path(__file__).parent / "catalog"
_ENDINGS = frozenset({".yaml", ".yml"})


class UnknownPlaybook(KeyError):
    """No playbook has that id; the text names those that were probably meant."""

    def __init__(self, wanted: str, known: list[str]) -> None:
        self.wanted = wanted
        super().__init__(f"no playbook {wanted[:60]!r}: {choose(wanted[:60], known)}")

    def __str__(self) -> str:
        return str(self.args[0])


class Library:
    """The playbooks in force. Threads may share one.

    `folders` come after the catalogue, a later one wins. Files are looked at once a second at most; a broken
    file keeps its last good version in force and is listed by `findings`.
    """

    def __init__(self, *folders: Path, clock: Clock = time.monotonic) -> None:
        own = CATALOG.resolve()  # named again by a caller, it would be listed twice
        self._folders = (CATALOG, *(folder for folder in folders if folder.resolve() != own))
        self._files: dict[Path, Watched[Playbook]] = {}
        self._playbooks: dict[str, Playbook] = {}
        self._findings: list[Finding] = []
        self._pace = Pace(clock)
        self._lock = Lock()

    def get(self, id: str) -> Playbook:  # noqa: A002 - the word of the files
        """The playbook of that id.

        Raises:
            UnknownPlaybook: there is none; its text suggests near names.
        """
        playbooks = self._current()
        if id not in playbooks:
            raise UnknownPlaybook(id, list(playbooks))
        return playbooks[id]

    def all(self) -> list[Playbook]:
        """Every playbook in force, by id."""
        playbooks = self._current()
        return [playbooks[name] for name in sorted(playbooks)]

    def findings(self) -> list[Finding]:
        """What is wrong with files that are not in force as they stand."""
        self._current()
        return list(self._findings)

    def _current(self) -> dict[str, Playbook]:
        with self._lock:
            if self._pace.due():
                self._look()
            return self._playbooks

    def _look(self) -> None:
        playbooks: dict[str, Playbook] = {}
        findings: list[Finding] = []
        kept: dict[Path, Watched[Playbook]] = {}
        for folder in self._folders:
            holder: dict[str, Path] = {}
            for path in self._listing(folder, findings):
                watched = kept[path] = self._files.get(path) or Watched(path, load_playbook)
                watched.look()
                findings.extend(watched.findings)
                if watched.value is None:
                    continue
                name = watched.value.id
                if name in holder:
                    findings.append(_twice(path, name, holder[name]))
                    continue
                holder[name] = path
                playbooks[name] = watched.value
        self._files, self._playbooks, self._findings = kept, playbooks, findings

    def _listing(self, folder: Path, findings: list[Finding]) -> list[Path]:
        """The folder's files by name; a folder that cannot be read keeps what it had."""
        try:
            names = sorted(folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            why = error.strerror or type(error).__name__
            findings.append(Finding(str(folder), None, "folder", f"cannot be read: {why}", "check its permissions"))
            return sorted(path for path in self._files if path.parent == folder)
        return [path for path in names if path.suffix in _ENDINGS and not path.name.startswith(".")]


def _twice(path: Path, name: str, other: Path) -> Finding:
    return Finding(str(path), None, "id", f"{name} is also the id of {other.name}", "give each its own id")
