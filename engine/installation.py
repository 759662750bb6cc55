"""Installation: settings, database, playbooks, roster, channels, services; opened once per process, passed down."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pendulum import DateTime

from domain.oncall import Duties
from domain.roster import Roster
from engine.delivery.channel_file import ChannelFile, ChannelFileProbe
from engine.oncall.duties import OnDutyResolver
from engine.process import clock as clocks
from playbooks.errors import BadFile
from playbooks.playbook_library import PlaybookLibrary
from playbooks.roster_file import RosterFile
from storage.database import Database
from storage.schema import require_current_schema
from storage.settings import Settings

if TYPE_CHECKING:  # Apprise alone takes twenty megabytes that a process without channels does not need
    from channels.directory import ChannelDirectory
    from engine.customers.service import CustomerService
    from engine.learning.service import LearningService
    from engine.review.service import ReviewService
    from engine.statuspage.subscribers import StatusPageService

CATALOG = Path(__file__).resolve().parent.parent / "playbooks" / "catalog"


class Installation:
    """Settings, database, playbooks, roster and channels of one installation.

    Changed files come into force within a second; a broken one leaves the last good version in force.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        sends: bool = True,
        checks: bool = True,
        clock: Callable[[], DateTime] = clocks.now,
    ) -> None:
        """Open nothing yet.

        Args:
            settings: Of the installation.
            sends: This process will send; otherwise another one is asked what the channel file is worth, and this
                one is spared the senders' libraries.
            checks: The roster's tags are held against the channels.
            clock: By which somebody is on duty; another one for tests only.
        """
        self.settings = settings
        self.database = Database(settings.database)
        self.library = PlaybookLibrary(CATALOG, settings.playbooks_dir)
        self._channels = ChannelFile(settings.channels_file, settings.homes)
        self._known = self._channels if sends else ChannelFileProbe(settings.channels_file)
        self._roster = RosterFile(settings.roster_file, self._known.tags if checks else None)
        self._written = RosterFile(settings.roster_file)  # the same, tags unchecked
        self.on_duty = OnDutyResolver(settings.calendars_dir, self.database, clock)

    def open(self) -> Installation:
        """Check that the database has this program's schema; StorageError otherwise."""
        require_current_schema(self.database)
        return self

    def roster(self) -> Roster:
        """Return the roster as of now: each role held by the person on duty at this moment.

        Raises:
            BadFile: there has been no readable roster yet.
        """
        return self.on_duty.resolve(self.written_roster())

    def duties(self) -> Duties:
        """Return the duties that move people in and out of the roles of the written roster."""
        return self.on_duty.duties(self.written_roster())

    def written_roster(self) -> Roster:
        """Return the roster as its file has it: the roles' named holders.

        A roster with a tag that no channel has never replaces a good one; where there is none yet, it is better
        than nobody: a person who cannot be reached is passed over, and `findings` says why.

        Raises:
            BadFile: there has been no readable roster yet.
        """
        try:
            return self._roster.current()
        except BadFile:
            return self._written.current()

    def channels(self) -> ChannelDirectory:
        """Return the channels by which people are reached now."""
        return self._channels.current()

    def tags(self) -> frozenset[str] | None:
        """The tags that reach somebody; None while no good channel file was read."""
        return self._known.tags()

    def findings(self) -> list[str]:
        """What is wrong with the files, each a line; the last good versions are in force."""
        found = [str(finding) for finding in (*self.library.findings(), *self._roster.findings())]
        finding = self._known.finding()
        try:
            calendars = self.on_duty.findings(self.written_roster())
        except BadFile:  # said already
            calendars = []
        return [*found, *([finding] if finding else []), *calendars]

    # The services: one each, made and imported at its first use, because most processes use one or two of the four.
    # Two threads at the very first use may make one each; they share the database and the files, so nothing differs.

    @cached_property
    def customers(self) -> CustomerService:
        """Customer follow-up: its plan, the key of the contacts, survey links."""
        from engine.customers.service import CustomerService  # noqa: PLC0415 - it loads cryptography

        return CustomerService(self)

    @cached_property
    def learning(self) -> LearningService:
        """Learning: its plan, the links of its documents."""
        from engine.learning.service import LearningService  # noqa: PLC0415 - as `customers`

        return LearningService(self)

    @cached_property
    def reviews(self) -> ReviewService:
        """Reviews: their plan, the samples, the rules."""
        from engine.review.service import ReviewService  # noqa: PLC0415 - it loads numpy and the samples

        return ReviewService(self)

    @cached_property
    def status_page(self) -> StatusPageService:
        """Public status page: its plan, the links of its subscribers."""
        from engine.statuspage.subscribers import StatusPageService  # noqa: PLC0415 - as `customers`

        return StatusPageService(self)

    def close(self) -> None:
        """Close the database, and the samples if a review opened them."""
        if "reviews" in vars(self):
            self.reviews.close()
        self.database.close()
