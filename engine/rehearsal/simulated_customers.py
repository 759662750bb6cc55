"""Simulated customers: they open the link of their survey, fill in the page, and some complain again."""

from __future__ import annotations

import heapq
import itertools
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from channels.rendering import DRILL_MARK
from engine.rehearsal.affected_customers import CustomerManner, RehearsedCustomer, SurveyBehaviour
from engine.rehearsal.api_client import RehearsalClient, RehearsalError, incident_path
from engine.rehearsal.personas import MINUTE
from engine.rehearsal.time_bounds import TimeBounds

ASK, REMINDER = "ask", "reminder"
_LINK = re.compile(r"https?://[^\s<>\"]+/a/s/[A-Za-z0-9_.~-]+")
_HANDS = 4
_GOES_WRONG_AGAIN = 60.0  # simulated minutes after an answer


@dataclass(frozen=True, slots=True)
class ReceivedSurvey:
    """Survey or its reminder as somebody received it."""

    customer: str  # our id
    purpose: str
    key: str
    box: str
    at: float  # seconds of the rehearsed clock
    drill: bool
    link: str


def parse_survey(message: Mapping[str, Any], ref: str, at: float) -> ReceivedSurvey | None:
    """Parse a message of the inbox as a survey of that incident; None if it is of anything else."""
    key = str(message["document"].get("key") or "")
    match key.split("/"):
        case ["SURVEY", incident, _round, customer, purpose, _position] if incident == ref:
            title, body = str(message["title"]), str(message["body"])
            found = _LINK.search(body)
            marked = (title or body).startswith(DRILL_MARK)
            return ReceivedSurvey(
                customer, purpose, key, str(message["name"]), at, marked, found.group() if found else ""
            )
        case _:
            return None


@dataclass(slots=True)
class CustomerLedger:
    """What the customers got, and what they did: the rehearsal's own record."""

    surveys: list[ReceivedSurvey] = field(default_factory=list)
    answered: dict[str, TimeBounds] = field(default_factory=dict)  # our id -> when they pressed the button
    again: dict[str, TimeBounds] = field(default_factory=dict)  # who complained again
    troubles: list[str] = field(default_factory=list)


class SimulatedCustomers:
    """Simulated customers of one incident: `receive` gives them surveys, `act` lets them do what is due."""

    def __init__(
        self,
        line: RehearsalClient,
        ref: str,
        known: Mapping[str, tuple[RehearsedCustomer, CustomerManner]],
        clock: Callable[[], float],
    ) -> None:
        self.ledger = CustomerLedger()
        self._line, self._ref, self._known, self._clock = line, ref, known, clock
        self._plans: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._lock = threading.Lock()
        self._meant: set[str] = set()
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="customer")

    def close(self) -> None:
        """Stop acting; what is under way is seen to its end."""
        self._hands.shutdown(wait=True, cancel_futures=True)

    def receive(self, surveys: Iterable[ReceivedSurvey]) -> None:
        """Receive new surveys."""
        for survey in surveys:
            self.ledger.surveys.append(survey)
            known = self._known.get(survey.customer)
            if known is None or survey.customer in self._meant:
                continue
            one, manner = known
            if manner.part is SurveyBehaviour.SILENT or (
                manner.part is SurveyBehaviour.LATE and survey.purpose != REMINDER
            ):
                continue
            self._meant.add(survey.customer)
            self._at(survey.at + manner.waits * MINUTE, lambda s=survey, o=one, m=manner: self._answer(s, o, m))  # type: ignore[misc]

    def act(self) -> None:
        """Carry out what the customers meant to have done by now."""
        now = self._clock()
        while True:
            with self._lock:
                if not self._plans or self._plans[0][0] > now:
                    return
                _, _, deed = heapq.heappop(self._plans)
            self._hands.submit(deed)

    def _at(self, moment: float, deed: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._plans, (moment, next(self._number), deed))

    def _answer(self, survey: ReceivedSurvey, one: RehearsedCustomer, manner: CustomerManner) -> None:
        asked = self._clock()
        wrong = self._line.submit_form(survey.link, manner.form()) if survey.link else "there is no link in it"
        known = self._clock()
        if wrong:
            self.ledger.troubles.append(f"line {one.line}: the survey's page did not take the answer: {wrong}")
            return
        self.ledger.answered[survey.customer] = TimeBounds(asked, known)
        if manner.part is SurveyBehaviour.AGAIN:
            self._at(known + _GOES_WRONG_AGAIN * MINUTE, lambda: self._complain(survey.customer, one))

    def _complain(self, customer: str, one: RehearsedCustomer) -> None:
        """They ring up again, and the agent who takes the call records it."""
        asked = self._clock()
        try:
            self._line.post(incident_path(self._ref, "customers/again"), {"customer": one.id})
        except RehearsalError as error:
            self.ledger.troubles.append(f"line {one.line}: complaining again was not recorded: {error}")
            return
        self.ledger.again[customer] = TimeBounds(asked, self._clock())
