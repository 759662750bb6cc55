"""Two that look at the same time, and a look that is broken off: nothing is counted, warned of or called for twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from engine.house import House
from engine.learning import proposal, recurrence, suggestions
from engine.learning.desk import learning_of
from engine.learning.looking import look
from storage import documents, learning, learning_recurrence, warnings
from tests.houses import Estate, house_fixture  # noqa: F401

LOOKERS = 3
CHECKOUT = {"title": "Checkout is down", "service": "orders", "kind": "outage"}


def what_stands(house: Estate) -> dict[str, Any]:
    with house.house.database.read() as connection:
        raised = warnings.listed(connection, lane=None, standing_only=False)
        papers = documents.listing(connection, kind="optimisation-proposal")
        kinds = learning_recurrence.running(connection)
        cases = [learning_recurrence.cases_of(connection, kind.id) for kind in kinds]
    return {
        "warnings": [(row.rule, row.value) for row in raised], "papers": len(papers),
        "cases": [len(one) for one in cases],
    }  # fmt: skip


def test_several_that_look_at_once_make_one_warning_and_one_proposal(house: Estate) -> None:
    for _ in range(3):
        house.declare(**CHECKOUT)
    houses = [House(house.house.settings).open() for _ in range(LOOKERS)]
    start = Barrier(LOOKERS)

    def at_once(one: House) -> int:
        learning_of(one)
        start.wait(10)
        return look(one, house.now)

    with ThreadPoolExecutor(LOOKERS) as pool:
        list(pool.map(at_once, houses))
    for one in houses:
        one.close()
    look(house.house, house.now)
    assert what_stands(house) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 1, "cases": [3]}


def test_a_look_that_is_broken_off_in_the_middle_leaves_nothing_and_the_next_one_does_it(
    house: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        house.declare(**CHECKOUT)

    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(learning_recurrence, "seen", killed)  # the warning is raised, and nothing is committed
        with pytest.raises(KeyboardInterrupt):
            recurrence.look(learning_of(house.house), house.now)
    assert what_stands(house) == {"warnings": [], "papers": 0, "cases": []}
    with house.house.database.read() as connection:
        assert len(learning_recurrence.new_incidents(connection, house.now.subtract(days=90), 10)) == 3
    with monkeypatch.context() as broken:
        broken.setattr(proposal, "refresh", killed)  # the warning is committed, the proposal not yet written
        with pytest.raises(KeyboardInterrupt):
            recurrence.look(learning_of(house.house), house.now)
    assert what_stands(house) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 0, "cases": [3]}
    look(house.house, house.now)
    assert what_stands(house) == {"warnings": [("recurrence:outage-orders", 3.0)], "papers": 1, "cases": [3]}


def test_a_part_that_fails_holds_up_no_other(house: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        house.declare(**CHECKOUT)

    def fails(*_: Any) -> int:
        raise ValueError("a fault of ours")

    monkeypatch.setattr(suggestions, "hear", fails)
    assert look(house.house, house.now) > 0
    assert what_stands(house)["papers"] == 1
    with house.house.database.read() as connection:
        assert learning.listed(connection) == []
