"""What the process of the warnings consists of."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from pendulum import DateTime

from channels.wording import reason_in
from domain.health.finding import of_standby
from domain.text import Text
from domain.warning.raised import service_of
from domain.warning.rule import Rule, SeriesKey
from engine.clock import now
from engine.health_board.board import HealthBoard
from engine.house import House
from engine.warning.ledger import Advise, WarningLedger
from engine.warning.ticking import RuleSet, Ticker
from playbooks.rulebook import STANDARD, Rulebook
from storage.database import StorageError
from storage.figures import open_figures
from storage.settings import Settings

log = logging.getLogger("tocsin.warning")
STANDBY = "standby-agents"


def holder_of(house: House) -> str:
    """Who evaluates, as it is shown: machine and home. A restarted process is the same one, and goes on at once."""
    return f"{socket.gethostname()}:{house.settings.home}"


def rules_of(book: Rulebook, profile: str = STANDARD) -> RuleSet:
    """What is in force now."""
    calendar = book.calendar()
    return RuleSet(tuple(book.rules(profile)), calendar.campaigns, calendar.holidays)


def adviser(board: HealthBoard) -> Advise:
    """What whoever is called should know: how many standby agents the first tier calls in."""

    def advise(rule: Rule, series: SeriesKey, at: DateTime, lane: str) -> Text | None:
        if rule.starts is None or rule.starts.playbook != STANDBY:
            return None
        try:
            call = board.standby_to_call(at, lane, service_of(rule, series))
        except StorageError as error:  # advice is worth less than the call
            log.warning("how many agents to call in cannot be told: %s", error)
            return None
        found = of_standby(call) if call is not None else None
        return Text(reason_in(found.next, "en"), reason_in(found.next, "zh_CN")) if found else None

    return advise


def open_ticker(settings: Settings, board: HealthBoard, profile: Callable[[], str] = lambda: STANDARD) -> Ticker:
    """The loop of an installation, ready to run.

    Raises:
        StorageError: the databases cannot be opened, or are not of this program's schema.
    """
    house = House(settings, sends=False, checks=False).open()
    book = Rulebook(settings.home, playbooks=lambda: [playbook.id for playbook in house.library.all()])
    ledger = WarningLedger(house, lambda: {rule.id: rule for rule in book.all()}, now, adviser(board))
    figures = open_figures(settings)
    return Ticker(house.database, figures, ledger, lambda: rules_of(book, profile()), now, holder_of(house))
