"""Retry policy for undelivered messages: a first wait, doubled up to the longest, with jitter; then given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import tenacity


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Retry policy of messages that certainly were not delivered.

    Attributes:
        first_wait: seconds after the first attempt; doubled after each further one.
        longest_wait: seconds; the doubling, jitter included, ends there.
        jitter: up to so many seconds are added at random: what failed together does not come back together.
        max_attempts: after so many a message is given up; None: never.
        longest_retry_after: seconds that are granted to a service that asks for a wait of its own.
    """

    first_wait: float
    longest_wait: float
    jitter: float
    max_attempts: int | None
    longest_retry_after: float = 3_600.0

    def wait_after(self, attempt: int, retry_after: float | None = None) -> timedelta:
        """Return the wait after a failed attempt (the first is 1): ours, or the service's where that is longer."""
        wait = tenacity.wait_exponential_jitter(multiplier=self.first_wait, max=self.longest_wait, jitter=self.jitter)
        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = attempt
        return timedelta(seconds=max(wait(state), min(retry_after or 0.0, self.longest_retry_after)))

    def held_back_for(self, retry_after: float | None) -> timedelta:
        """Return the wait of a message that was not tried at all: its channel takes no more just now."""
        return timedelta(seconds=min(retry_after or 1.0, self.longest_retry_after))

    def is_exhausted(self, attempts: int) -> bool:
        """Return whether a message is given up after so many attempts."""
        return self.max_attempts is not None and attempts >= self.max_attempts


PAGE = RetryPolicy(first_wait=1, longest_wait=30, jitter=0.5, max_attempts=5)
# A page whose person has another channel does not wait for this one.
PAGE_WITH_ANOTHER_CHANNEL = RetryPolicy(first_wait=1, longest_wait=30, jitter=0.5, max_attempts=1)
PUBLICATION = RetryPolicy(first_wait=2, longest_wait=60, jitter=1, max_attempts=6)
PATIENT = RetryPolicy(first_wait=5, longest_wait=300, jitter=5, max_attempts=8)  # what wakes nobody
ISSUE_TRACKER = RetryPolicy(first_wait=30, longest_wait=6 * 3_600, jitter=0, max_attempts=None)
