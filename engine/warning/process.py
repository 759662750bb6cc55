"""What the process of the warnings consists of."""

from __future__ import annotations

import socket
from collections.abc import Callable

from engine.clock import now
from engine.house import House
from engine.warning.ledger import WarningLedger
from engine.warning.ticking import RuleSet, Ticker
from playbooks.rulebook import STANDARD, Rulebook
from storage.figures import open_figures
from storage.settings import Settings


def holder_of(house: House) -> str:
    """Who evaluates, as it is shown: machine and home. A restarted process is the same one, and goes on at once."""
    return f"{socket.gethostname()}:{house.settings.home}"


def rules_of(book: Rulebook, profile: str = STANDARD) -> RuleSet:
    """What is in force now."""
    calendar = book.calendar()
    return RuleSet(tuple(book.rules(profile)), calendar.campaigns, calendar.holidays)


def open_ticker(settings: Settings, profile: Callable[[], str] = lambda: STANDARD) -> Ticker:
    """The loop of an installation, ready to run.

    Raises:
        StorageError: the databases cannot be opened, or are not of this program's schema.
    """
    house = House(settings, sends=False).open()
    book = Rulebook(settings.home, playbooks=lambda: [playbook.id for playbook in house.library.all()])
    ledger = WarningLedger(house, lambda: {rule.id: rule for rule in book.all()}, now)
    figures = open_figures(settings)
    return Ticker(house.database, figures, ledger, lambda: rules_of(book, profile()), now, holder_of(house))
