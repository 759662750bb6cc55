"""Library of all playbooks: the shipped catalogue, and folders whose files add to it or replace by id."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from domain.playbook import Playbook
from playbooks.errors import FileFinding
from playbooks.file_catalog import FileCatalog
from playbooks.playbook_loader import load_playbook
from playbooks.validation_messages import suggest_choice
from playbooks.watched_file import Clock, PollInterval

CATALOG = Path(__file__).parent / "catalog"


class UnknownPlaybook(KeyError):
    """No playbook has that id; the message names similar ones."""

    def __init__(self, wanted: str, known: list[str]) -> None:
        self.wanted = wanted
        super().__init__(f"no playbook {wanted[:60]!r}: {suggest_choice(wanted[:60], known)}")

    def __str__(self) -> str:
        return str(self.args[0])


class PlaybookLibrary:
    """The playbooks in force. Threads may share one.

    `folders` come after the catalogue, a later one wins. Files are looked at once a second at most; a broken
    file keeps its last good version in force and is listed by `findings`.
    """

    def __init__(self, *folders: Path, clock: Clock = time.monotonic) -> None:
        own = CATALOG.resolve()  # named again by a caller, it would be listed twice
        mine = (CATALOG, *(folder for folder in folders if folder.resolve() != own))
        self._shelf = FileCatalog(mine, load_playbook, lambda playbook: playbook.id)
        self._pace = PollInterval(clock)
        self._lock = Lock()

    def get(self, id: str) -> Playbook:  # noqa: A002 - the word of the files
        """Return the playbook of that id.

        Raises:
            UnknownPlaybook: there is none; its text suggests near names.
        """
        playbooks = self._current()
        if id not in playbooks:
            raise UnknownPlaybook(id, list(playbooks))
        return playbooks[id]

    def all(self) -> list[Playbook]:
        """List every playbook in force, by id."""
        playbooks = self._current()
        return [playbooks[name] for name in sorted(playbooks)]

    def findings(self) -> list[FileFinding]:
        """List what is wrong with files that are not in force as they stand."""
        self._current()
        return list(self._shelf.findings)

    def _current(self) -> Mapping[str, Playbook]:
        with self._lock:
            if self._pace.due():
                self._shelf.refresh()
            return self._shelf.things
