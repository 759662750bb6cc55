"""The bench of one decision: facts move the snapshot as they are recorded, notices pile up beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pendulum import DateTime

from domain.evolve import evolve
from domain.facts import Fact, FactKind
from domain.incident import Snapshot, StepState
from domain.notices import PAGES, Explained, Notice, Publication, Purpose
from domain.text import Reason


class Work:
    """What a decision has found so far. Mutable, and never leaves `decide`."""

    def __init__(self, snapshot: Snapshot, now: DateTime) -> None:
        self.snapshot = snapshot
        self.now = now
        self.facts: list[Fact] = []
        self.notices: list[Notice] = []
        self.publications: list[Publication] = []
        self.reasons: list[Explained] = []
        self.wakes: list[DateTime] = []

    def steps(self) -> Iterator[StepState]:
        """Each step as it stands at the moment it is reached, in the order they were laid out."""
        for name in tuple(self.snapshot.steps):
            yield self.snapshot.steps[name]

    def record(self, kind: FactKind, step: str = "", **data: Any) -> None:
        """A fact, in force at once."""
        fact = Fact(kind=kind, at=self.now, step=step, data=data)
        self.facts.append(fact)
        self.snapshot = evolve(self.snapshot, fact)

    def call(self, people: Iterable[str], purpose: Purpose, because: Reason, step: str = "") -> tuple[str, ...]:
        """Owe each of these people one notice; whoever already gets one for this step now is not called twice."""
        number = self.snapshot.steps[step].calls if step else self.snapshot.response.silence_calls
        told = {notice.person for notice in self.notices if step and notice.step == step}
        called = tuple(dict.fromkeys(person for person in people if person and person not in told))
        for person in called:
            urgent = purpose in PAGES
            self.notices.append(Notice(person, purpose, number, because, step, urgent))
        if called:
            self.explain(step or "the public", because)
        return called

    def explain(self, about: str, reason: Reason) -> None:
        """Say why."""
        self.reasons.append(Explained(about, reason))

    def wake(self, at: DateTime) -> None:
        """Look again at `at`."""
        if at > self.now:
            self.wakes.append(at)

    def person(self, role: str) -> str:
        """Who holds a role now; empty where nobody does."""
        return self.snapshot.roster.primary(role) or ""

    def name(self, person: str) -> str:
        """How a person is written."""
        return self.snapshot.roster.name(person)
