"""What an installation consists of, opened once per process and passed down."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from channels.errors import ChannelConfigError
from domain.roster import Roster
from playbooks.errors import BadFile
from playbooks.library import Library
from playbooks.roster import RosterFile
from storage.database import Database
from storage.schema import require_current
from storage.settings import Settings

if TYPE_CHECKING:  # it loads Apprise: twenty megabytes that a process without channels does not need
    from channels.directory import ChannelDirectory

CATALOG = Path(__file__).resolve().parent.parent / "playbooks" / "catalog"
_LOOK_SECONDS = 1.0


class House:
    """Settings, database, playbooks, roster and channels of one installation.

    Changed files come into force within a second; a broken one leaves the last good version in force.
    """

    def __init__(self, settings: Settings, *, sends: bool = True) -> None:
        """`sends`: whether this process loads channels at all; without, the roster's tags are not held against them."""
        self.settings = settings
        self.database = Database(settings.database)
        self.library = Library(CATALOG, settings.playbooks_dir)
        self._channels = _ChannelFile(settings.channels_file)
        self._roster = RosterFile(settings.roster_file, self._channels.tags if sends else None)
        self._written = RosterFile(settings.roster_file)  # the same, tags unchecked

    def open(self) -> House:
        """Check that the database has this program's schema; StorageError otherwise."""
        require_current(self.database)
        return self

    def roster(self) -> Roster:
        """Who people are now.

        A roster with a tag that no channel has never replaces a good one; where there is none yet, it is better
        than nobody: whoever cannot be reached is passed over, and `findings` says why.

        Raises:
            BadFile: there has been no readable roster yet.
        """
        try:
            return self._roster.current()
        except BadFile:
            return self._written.current()

    def channels(self) -> ChannelDirectory:
        """How they are reached now."""
        return self._channels.current()

    def findings(self) -> list[str]:
        """What is wrong with the files, each a line; the last good versions are in force."""
        found = [str(finding) for finding in (*self.library.findings(), *self._roster.findings())]
        self._channels.current()
        return [*found, *([self._channels.finding] if self._channels.finding else [])]

    def close(self) -> None:
        """Give back what is held."""
        self.database.close()


class _ChannelFile:
    """The channel file, loaded again when it changes; a broken one changes nothing but the finding."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[float, int] | None = None
        self._looked = 0.0
        self._directory: ChannelDirectory | None = None
        self._lock = threading.Lock()
        self._good = False
        self.finding = ""

    def current(self) -> ChannelDirectory:
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

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            stat = self._path.stat()
            from channels.directory import ChannelDirectory  # noqa: PLC0415 - Apprise, see above

            seen = (stat.st_mtime, stat.st_size)
            if seen != self._seen:
                self._seen = seen
                self._directory = ChannelDirectory.load(self._path)
                self._good, self.finding = True, ""
        except ChannelConfigError as error:
            self.finding = str(error)
            if error.passing:  # what it refers to may be there in a moment: look again though the file is the same
                self._seen = None
        except OSError as error:
            self.finding = f"{self._path.name}: cannot be read ({error.strerror}); the last good one is in force"
