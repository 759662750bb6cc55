"""The follow-up on a stepped clock: everybody asked once, reminded once, called where they should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.commands import Reopen
from tests.customers import FollowUp, customer_house, row
from tests.houses import Estate


@pytest.fixture(name="house")
def house_fixture(home: Path, database_url: str) -> Iterator[Estate]:
    with customer_house(home, database_url) as opened:
        opened.now = opened.now.set(hour=10)
        yield opened


@pytest.fixture(name="one")
def one_fixture(home: Path) -> Iterator[Estate]:
    with customer_house(home) as opened:
        opened.now = opened.now.set(hour=10)
        yield opened


def test_everybody_is_asked_once_and_whoever_did_not_answer_is_reminded_once(house: Estate) -> None:
    follow = FollowUp(house)
    assert follow.take([row(n) for n in range(5)]).taken == 5
    follow.step()
    assert follow.asked() == [], "not before the close"
    follow.close()
    follow.step()
    assert sorted(follow.asked()) == [f"c{n}@example.com" for n in range(5)]
    tokens = follow.tokens()
    for n in (0, 1, 2):
        assert follow.answer(tokens[f"c{n}@example.com"])[1] is not None
    follow.run_until(73)
    counts = Counter(follow.asked())
    assert counts == {f"c{n}@example.com": 1 if n < 3 else 2 for n in range(5)}
    assert follow.row().state == "collected"
    result = follow.row().result
    assert (result["asked"], result["reminded"], result["answered"]) == (5, 2, 3)
    (note,) = [fact for fact in house.facts(follow.ref, "noted") if fact.data["follow_up"]["what"] == "collected"]
    assert "5 of 5 asked, 3 answered, satisfied 100.0 %" in note.data["text"]
    assert house.verified(follow.ref) is None
