"""Setup of the ticker in the process that evaluates the warning rules."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from pendulum import DateTime

from channels.notice_wording import localize_reason
from domain.health.finding import standby_finding
from domain.text import Text
from domain.warning.disposition import series_service
from domain.warning.rule import Rule, SeriesKey
from engine.health.board import HealthBoard
from engine.installation import Installation
from engine.process.clock import now
from engine.warning.rule_state_store import Advise, WarningStateStore
from engine.warning.ticker import RuleSet, Ticker
from playbooks.rulebook import STANDARD, Rulebook
from storage.database import StorageError
from storage.samples.sample_store import open_sample_store
from storage.settings import Settings

log = logging.getLogger("tocsin.warning")
STANDBY_PLAYBOOK = "standby-agents"


def evaluator_name(installation: Installation) -> str:
    """Name the evaluator by machine and home. A restarted process is the same one, and goes on at once."""
    return f"{socket.gethostname()}:{installation.settings.home}"


def rules_in_force(book: Rulebook, profile: str = STANDARD) -> RuleSet:
    """The rules in force now."""
    calendar = book.calendar()
    return RuleSet(tuple(book.rules(profile)), calendar.campaigns, calendar.holidays)


def make_adviser(board: HealthBoard) -> Advise:
    """Make the advice for the person called: how many standby agents the first tier calls in."""

    def advise(rule: Rule, series: SeriesKey, at: DateTime, feed: str) -> Text | None:
        if rule.starts is None or rule.starts.playbook != STANDBY_PLAYBOOK:
            return None
        try:
            call = board.standby_to_call(at, feed, series_service(rule, series))
        except StorageError as error:  # advice is worth less than the call
            log.warning("how many agents to call in cannot be told: %s", error)
            return None
        found = standby_finding(call) if call is not None else None
        return Text(localize_reason(found.next, "en"), localize_reason(found.next, "zh_CN")) if found else None

    return advise


def open_ticker(settings: Settings, board: HealthBoard, profile: Callable[[], str] = lambda: STANDARD) -> Ticker:
    """Open the ticker of an installation, ready to run.

    Raises:
        StorageError: the databases cannot be opened, or are not of this program's schema.
    """
    installation = Installation(settings, sends=False, checks=False).open()
    book = Rulebook(settings.home, playbooks=lambda: [playbook.id for playbook in installation.library.all()])
    ledger = WarningStateStore(installation, lambda: {rule.id: rule for rule in book.all()}, now, make_adviser(board))
    figures = open_sample_store(settings)
    return Ticker(
        installation.database,
        figures,
        ledger,
        lambda: rules_in_force(book, profile()),
        now,
        evaluator_name(installation),
    )
