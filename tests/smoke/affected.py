"""Simulated customers of a real installation and who cares for them: they read the receiver and act over HTTP.

Who is on the file is the rehearsal's second opinion; who got what is known by the address that it came to.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from engine.rehearsal.affected_customers import (
    CustomerFile,
    CustomerManner,
    RehearsedCustomer,
    SurveyBehaviour,
    draw_manner,
)
from tests.smoke.living import Living
from tests.smoke.stack import Stack

MAIL, SMS = "/mail/", "/sms/"
_LINK = re.compile(r"/a/s/[\w.~-]+")
_LOOK_SECONDS = 0.15


@dataclass
class Got:
    """What one customer received, by purpose."""

    purposes: Counter[str] = field(default_factory=Counter)
    link: str = ""


class Customers(Living):
    """`with Customers(stack, ref, file, addresses) as customers:` they act in a thread until the block ends."""

    def __init__(self, stack: Stack, ref: str, file: CustomerFile, addresses: dict[str, str], seed: int) -> None:
        self.got: dict[str, Got] = defaultdict(Got)  # by number in the CRM
        self.strangers: list[str] = []
        self.answered: set[str] = set()
        self.again: set[str] = set()
        self.called: set[str] = set()
        self.refused: list[str] = []
        self._stack, self._ref, self._file = stack, ref, file
        self._by_address = addresses
        self._manners = {number: draw_manner(one, seed) for number, one in file.good.items()}
        self._ids: dict[str, str] = {}
        self._since = 0
        super().__init__("customers", httpx.Client(base_url=stack.url, timeout=5, trust_env=False))

    def manner(self, number: str) -> CustomerManner:
        """How that customer takes the survey."""
        return self._manners[number]

    def live(self) -> None:
        """Read, and do what is due."""
        while not self.over.is_set():
            self._read()
            for act in (self._answer, self._complain, self._call):
                with suppress(httpx.HTTPError):  # the web process is away: next time
                    act()
            self.over.wait(_LOOK_SECONDS)

    def _read(self) -> None:
        received = self._stack.receiver.received(self._since)
        self._since += len(received)
        for one in received:
            path = unquote(one["path"])
            key = str(one["json"].get("key", ""))
            if not path.startswith((MAIL, SMS)):
                continue
            number = self._by_address.get(path.rpartition("/")[2], "")
            if not number:
                self.strangers.append(path)
                continue
            found = _LINK.search(str(one["json"]["message"]))
            assert found, one
            self.got[number].purposes[key.split("/")[4]] += 1
            self.got[number].link = found.group()

    def _answer(self) -> None:
        for number, got in list(self.got.items()):
            manner = self._manners[number]
            waits = manner.part is SurveyBehaviour.SILENT or (
                manner.part is SurveyBehaviour.LATE and not got.purposes["reminder"]
            )
            if waits or number in self.answered or self.over.is_set():
                continue
            answer = self.client.post(got.link, data=manner.form())
            if answer.status_code in (
                httpx.codes.OK,
                httpx.codes.CONFLICT,
            ):  # cut off before, it was taken all the same
                self.answered.add(number)
            elif not answer.is_server_error:
                self.refused.append(f"{number}: {answer.status_code}")
                self.answered.add(number)

    def _complain(self) -> None:
        for number in [one for one in self.answered - self.again if self._manners[one].part is SurveyBehaviour.AGAIN]:
            name = self._ids.setdefault(number, str(uuid.uuid4()))
            self._post("again", {"id": name, "customer": number})
            self.again.add(number)

    def _call(self) -> None:
        """Whoever cares for them calls those on the list."""
        path = f"/api/incidents/{self._ref}/customers"
        for one in self.client.get(path, params={"calls": "true", "limit": 200}).json()["customers"]:
            self._post("called", {"customer": one["customer"], "note": "called"})
            self.called.add(one["customer"])

    def _post(self, what: str, document: dict[str, Any]) -> None:
        answer = self.client.post(f"/api/incidents/{self._ref}/customers/{what}", json=document)
        if answer.is_client_error:
            self.refused.append(f"{what} {document['customer']}: {answer.text}")
        answer.raise_for_status()


@dataclass(frozen=True)
class Expected:
    """What must come of it, worked out from the file, the shipped thresholds and how each takes the survey."""

    reachable: frozenset[str]
    answering: frozenset[str]
    counts: dict[str, int]
    to_call: frozenset[str]


def expected(file: CustomerFile, customers: Customers) -> Expected:
    """Plain arithmetic; nothing of the code that decides is asked."""
    reachable = {number for number, one in file.good.items() if one.ways}
    answering = {number for number in reachable if customers.manner(number).part is not SurveyBehaviour.SILENT}
    said = [customers.manner(number) for number in answering]
    rated = [manner.nps for manner in said if manner.nps is not None]
    again = {number for number in answering if customers.manner(number).part is SurveyBehaviour.AGAIN}
    reopened = again | {number for number in answering if not customers.manner(number).solved}
    unhappy = {number for number in answering if customers.manner(number).csat <= 2}
    to_call = reopened | unhappy | {number for number, one in file.good.items() if _by_themselves(one)}
    counts = {
        "customers": len(file.good), "asked": len(reachable), "never_asked": 0,
        "no_channel": len(file.good) - len(reachable), "unreached": 0, "answered": len(said),
        "satisfied": sum(manner.csat >= 4 for manner in said), "rated": len(rated),
        "promoters": sum(score >= 9 for score in rated), "detractors": sum(score <= 6 for score in rated),
        "solved": sum(manner.solved for manner in said),
        "suggestions": sum(bool(manner.suggestion) for manner in said), "to_call": len(to_call),
        "called": len(to_call), "reopened": len(reopened), "second_complaints": len(again),
    }  # fmt: skip
    return Expected(frozenset(reachable), frozenset(answering), counts, frozenset(to_call))


def _by_themselves(one: RehearsedCustomer) -> bool:
    """Called whatever they answer: nothing can be sent to them, or they ordered for more than 2,000."""
    return not one.ways or one.order_value > 2_000
