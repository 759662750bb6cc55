"""What the process of the warnings consists of."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from engine.clock import now
from engine.house import House
from engine.warning.ticking import Ledger, RuleSet, Ticker
from playbooks.rulebook import STANDARD, Rulebook
from storage.figures import Figures


def holder_of(house: House) -> str:
    """Who evaluates, as it is shown: machine and home. A restarted process is the same one, and goes on at once."""
    return f"{socket.gethostname()}:{house.settings.home}"


def rules_of(book: Rulebook, profile: Callable[[], str] = lambda: STANDARD) -> RuleSet:
    """What is in force now."""
    calendar = book.calendar()
    return RuleSet(tuple(book.rules(profile())), calendar.campaigns, calendar.holidays)


def make_ticker(
    house: House, figures: Figures, ledger: Ledger, book: Rulebook, profile: Callable[[], str] = lambda: STANDARD
) -> Ticker:
    """The loop of an installation, ready to run."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # columns of this size gain nothing from a second core
    return Ticker(house.database, figures, ledger, lambda: rules_of(book, profile), now, holder_of(house))
