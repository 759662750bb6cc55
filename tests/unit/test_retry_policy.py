"""Retry policies: the waits after each attempt, worked out by hand, and when a message is given up."""

from __future__ import annotations

import pytest

from engine.delivery import retry
from engine.delivery.retry import RetryPolicy

# The policy, the wait after attempts 1 to 10 without jitter, how much jitter is added, and the last attempt.
FIGURES: list[tuple[RetryPolicy, list[float], float, int | None]] = [
    (retry.PAGE, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30], 0.5, 5),
    (retry.PAGE_WITH_ANOTHER_CHANNEL, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30], 0.5, 1),
    (retry.PUBLICATION, [2, 4, 8, 16, 32, 60, 60, 60, 60, 60], 1, 6),
    (retry.PATIENT, [5, 10, 20, 40, 80, 160, 300, 300, 300, 300], 5, 8),
    (retry.ISSUE_TRACKER, [30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360], 0, None),
]
NAMES = ["page", "page-with-another-channel", "publication", "patient", "issue-tracker"]


@pytest.mark.parametrize(("policy", "waits", "jitter", "last"), FIGURES, ids=NAMES)
def test_the_wait_doubles_up_to_the_longest(
    policy: RetryPolicy, waits: list[float], jitter: float, last: int | None
) -> None:
    for attempt, wait in enumerate(waits, 1):
        for _ in range(20):
            assert wait <= policy.wait_after(attempt).total_seconds() <= min(wait + jitter, policy.longest_wait)


@pytest.mark.parametrize(("policy", "waits", "jitter", "last"), FIGURES, ids=NAMES)
def test_a_message_is_given_up_after_its_last_attempt(
    policy: RetryPolicy, waits: list[float], jitter: float, last: int | None
) -> None:
    given_up = [attempt for attempt in range(1, 1_000) if policy.is_exhausted(attempt)]
    assert given_up == (list(range(last, 1_000)) if last else [])


def test_the_tracker_is_asked_every_six_hours_however_often_it_did_not_answer() -> None:
    assert {retry.ISSUE_TRACKER.wait_after(attempt).total_seconds() for attempt in (11, 100, 5_000)} == {21_600}


def test_waits_of_messages_that_failed_together_differ() -> None:
    assert len({retry.PAGE.wait_after(1) for _ in range(50)}) > 1


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (None, 30),  # nothing asked: our own
        (7.0, 30),  # less than our own
        (90.0, 90),
        (3_600.0, 3_600),
        (86_400.0, 3_600),  # no service is granted more than an hour
    ],
)
def test_a_service_that_asks_for_a_longer_wait_gets_it_up_to_an_hour(asked: float | None, wait: float) -> None:
    assert retry.PAGE.wait_after(6, asked).total_seconds() == wait


@pytest.mark.parametrize(("asked", "wait"), [(None, 1), (0.0, 1), (0.2, 0.2), (7.0, 7), (86_400.0, 3_600)])
def test_what_was_held_back_waits_as_long_as_its_channel_says(asked: float | None, wait: float) -> None:
    assert retry.PUBLICATION.held_back_for(asked).total_seconds() == wait
