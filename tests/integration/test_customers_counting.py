"""The figures on an incident's page: counted beside it, never waited for, and right in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.customers import survey_counts
from engine.customers.survey_counts import SurveyResultCounter
from storage.customers import affected_customers
from tests.customers import FollowUp, customer_installation, row
from tests.installations import InstallationHarness


@pytest.fixture
def one(home: Path) -> Iterator[InstallationHarness]:
    with customer_installation(home) as installation:
        yield installation


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Counting waits until it is set."""
    go, count = threading.Event(), affected_customers.compute_result

    def slow(*arguments: Any) -> Any:
        assert go.wait(30)
        return count(*arguments)

    monkeypatch.setattr(affected_customers, "compute_result", slow)
    monkeypatch.setattr(survey_counts, "WAIT_SECONDS", 0.01)
    yield go
    go.set()


def until(true: Callable[[], Any]) -> None:
    pause = threading.Event()
    for _ in range(1_000):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it never came")


def test_a_page_does_not_wait_for_a_long_count_and_shows_it_next_time(
    one: InstallationHarness, held: threading.Event
) -> None:
    follow = FollowUp(one)
    follow.take([row(n) for n in range(3)])
    counter = SurveyResultCounter(one.installation)
    assert counter.get_result(follow.id) is None
    assert counter.get_result(follow.id) is None, "one count at a time, however many look"
    held.set()
    until(lambda: counter.get_result(follow.id))
    found = counter.get_result(follow.id)
    assert found is not None
    assert found.customers == 3


def test_what_was_counted_is_shown_until_the_next_count_is_there(
    one: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_counts, "MIN_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(survey_counts, "MAX_TIME_SHARE", float("inf"))
    follow = FollowUp(one)
    follow.take([row(1)])
    counter = SurveyResultCounter(one.installation)
    until(lambda: counter.get_result(follow.id))
    follow.take([row(2)])
    until(lambda: (found := counter.get_result(follow.id)) is not None and found.customers == 2)


def test_a_count_that_fails_is_counted_again(one: InstallationHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    follow = FollowUp(one)
    follow.take([row(1)])
    counter, count = SurveyResultCounter(one.installation), affected_customers.compute_result
    fails = iter((True, False))

    def once(*arguments: Any) -> Any:
        if next(fails, False):
            raise ValueError("once")
        return count(*arguments)

    monkeypatch.setattr(affected_customers, "compute_result", once)
    with pytest.raises(ValueError, match="once"):
        until(lambda: counter.get_result(follow.id))
    until(lambda: counter.get_result(follow.id))
