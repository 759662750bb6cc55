"""Context of one decision: facts move the snapshot as they are recorded, notifications are collected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pendulum import DateTime

from domain.evolve import evolve_snapshot
from domain.facts import Fact, FactKind
from domain.incident import Snapshot, StepState
from domain.notifications import PAGE_PURPOSES, ExplainedDecision, Notification, NotificationPurpose, Publication
from domain.text import Reason


class DecisionContext:
    """What a decision has found so far. Mutable, and never leaves `decide`."""

    def __init__(self, snapshot: Snapshot, now: DateTime) -> None:
        self.snapshot = snapshot
        self.now = now
        self.facts: list[Fact] = []
        self.notices: list[Notification] = []
        self.publications: list[Publication] = []
        self.reasons: list[ExplainedDecision] = []
        self.wakes: list[DateTime] = []

    def steps(self) -> Iterator[StepState]:
        """Yield each step in its present state, in the order they were scheduled."""
        for name in tuple(self.snapshot.steps):
            yield self.snapshot.steps[name]

    def record(self, kind: FactKind, step: str = "", **data: Any) -> None:
        """Record a fact, in force at once."""
        fact = Fact(kind=kind, at=self.now, step=step, data=data)
        self.facts.append(fact)
        self.snapshot = evolve_snapshot(self.snapshot, fact)

    def call(
        self, people: Iterable[str], purpose: NotificationPurpose, because: Reason, step: str = ""
    ) -> tuple[str, ...]:
        """Owe each of these people one notification.

        A person who already gets one for this step now is not called twice.
        """
        number = self.snapshot.steps[step].calls if step else self.snapshot.response.silence_calls
        told = {notice.person for notice in self.notices if step and notice.step == step}
        called = tuple(dict.fromkeys(person for person in people if person and person not in told))
        for person in called:
            urgent = purpose in PAGE_PURPOSES
            self.notices.append(Notification(person, purpose, number, because, step, urgent))
        if called:
            self.explain(step or "the public", because)
        return called

    def explain(self, about: str, reason: Reason) -> None:
        """Add a reason to the decision."""
        self.reasons.append(ExplainedDecision(about, reason))

    def wake(self, at: DateTime) -> None:
        """Schedule the next turn at `at` or earlier."""
        if at > self.now:
            self.wakes.append(at)

    def person(self, role: str) -> str:
        """Return who holds a role now; empty where nobody does."""
        return self.snapshot.roster.primary(role) or ""

    def name(self, person: str) -> str:
        """Return a person's name."""
        return self.snapshot.roster.name(person)
