"""The sample customers through close and 72 hours on a stepped clock: every count worked out from the file."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from domain.commands import Done
from domain.customers.import_row import AffectedCustomer, BadCustomerRow, parse_customer
from engine.process import clock
from tests.customers import FollowUp, customer_installation
from web.app import create_app

FILE = Path(__file__).parents[2] / "examples" / "affected_customers.csv"
BAD, WITHOUT = 40, 25
CSAT = (5, 5, 4, 4, 3, 2, 1)


def read() -> tuple[list[dict[str, str]], dict[str, AffectedCustomer]]:
    with FILE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    good = {}
    for row in rows:
        try:
            customer = parse_customer(row)
            good[customer.id] = customer
        except BadCustomerRow:
            pass
    return rows, good


def number(address: str) -> int:
    """The customer's number within their made-up address."""
    digits = re.search(r"(\d+)@example\.com$|^\+99900(\d{7})$", address)
    assert digits, address
    return int(digits[1] or digits[2])


@pytest.mark.slow
def test_the_sample_file_through_close_and_72_hours(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, good = read()
    assert (len(rows), len(good)) == (2_000, 2_000 - BAD)
    reachable = {name for name, customer in good.items() if customer.contact}
    assert len(reachable) == 2_000 - BAD - WITHOUT
    with customer_installation(home) as installation, TestClient(create_app(installation.installation)) as pages:
        monkeypatch.setattr(clock, "now", installation.clock)
        installation.now = installation.now.set(hour=10)
        follow = FollowUp(installation)
        taken = follow.take(rows)
        assert (taken.taken, taken.known, len(taken.bad)) == (2_000 - BAD, 0, BAD)
        assert follow.take(rows).known == 2_000 - BAD, "again, and nobody is there twice"
        follow.close()
        follow.step()
        installation.do(follow.ref, Done, "alice", step="closing/report", evidence="report")
        answered: set[str] = set()

        def customers_answer() -> None:
            """Two of three answer the first time: the scores go round, every seventh says that it is not solved."""
            for address, token in follow.tokens().items():
                who = number(address)
                if address in answered or who % 3 == 0:
                    continue
                answered.add(address)
                solved = "no" if who % 7 == 0 else "yes"
                form = {"csat": str(CSAT[who % 7]), "nps": str(who % 11), "solved": solved}
                assert pages.post(f"/a/s/{token}", data=form).status_code == 200

        follow.run_until(71, customers_answer)
        follow.run_until(2)
        follow.step()
        asked = Counter(number(address) for address in (*follow.asked(), *follow.asked("/sms/")))
        expected = {int(name[1:]) - 100_000 for name in reachable}
        assert set(asked) == expected, "all good rows, and nobody else"
        assert {who: count for who, count in asked.items() if count != (2 if who % 3 == 0 else 1)} == {}
        who_answered = {who for who in expected if who % 3}
        result = follow.row().result
        assert result == {
            "customers": 2_000 - BAD,
            "asked": len(reachable),
            "never_asked": 0,
            "no_channel": WITHOUT,
            "unreached": 0,
            "in_doubt": 0,
            "reminded": len(expected) - len(who_answered),
            "answered": len(who_answered),
            "satisfied": sum(CSAT[who % 7] >= 4 for who in who_answered),
            "rated": len(who_answered),
            "promoters": sum(who % 11 >= 9 for who in who_answered),
            "detractors": sum(who % 11 <= 6 for who in who_answered),
            "solved": sum(who % 7 != 0 for who in who_answered),
            "suggestions": 0,
            "to_call": sum(to_call(int(name[1:]) - 100_000, one) for name, one in good.items()),
            "called": 0,
            "reopened": sum(who % 7 == 0 for who in who_answered),
            "second_complaints": 0,
        }
        steps = follow.follow_steps()
        assert {name: state for name, state in steps.items() if state == "open"} == {
            "callbacks/call": "open", "reopened/settle": "open", "result/read": "open",
        }  # fmt: skip
        for step in ("callbacks/call", "reopened/settle", "result/read"):
            assert str(installation.snapshot(follow.ref).incident.status) == "closed"
            follow.done(step)
            follow.step()
        assert str(installation.snapshot(follow.ref).incident.status) == "completed"
        assert installation.verified(follow.ref) is None


def to_call(who: int, customer: AffectedCustomer) -> bool:
    """Without a channel, of high value, or (of those who answer) not solved or unhappy."""
    answers = bool(customer.contact) and who % 3 != 0
    return not customer.contact or customer.order_value > 200_000 or (answers and (who % 7 == 0 or CSAT[who % 7] <= 2))
