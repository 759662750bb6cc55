"""What owners did and when messages reached them: the rehearsal's own record, beside the system's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.notices import Purpose
from engine.rehearsal.cast import Call, Task
from engine.rehearsal.span import NOT_EVER, Span


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did something, and when: between asking for it and hearing that it was done."""

    by: str
    at: Span


@dataclass(frozen=True, slots=True)
class Deeds:
    """What really happened, for the expectation to count from. Whoever did nothing is not in it."""

    acknowledged: Mapping[str, Deed] = field(default_factory=dict)
    done: Mapping[str, Deed] = field(default_factory=dict)
    heard_at: Mapping[tuple[str, str, str], float] = field(default_factory=dict)  # step, purpose, person
    posted_at: Mapping[str, Span] = field(default_factory=dict)  # publish step -> its last channel
    amounts: Mapping[str, int] = field(default_factory=dict)

    def takes(self, task: Task, calls: Sequence[Call]) -> tuple[str, Span]:  # noqa: ARG002
        """Who acknowledged first, and when; a step done without is taken by being done."""
        deed = self.acknowledged.get(task.step) or self.done.get(task.step)
        return (deed.by, deed.at) if deed else ("", NOT_EVER)

    def finishes(self, task: Task, person: str, acknowledged: Span) -> tuple[str, Span]:  # noqa: ARG002
        """Who did the step, and when."""
        deed = self.done.get(task.step)
        return (deed.by, deed.at) if deed else ("", NOT_EVER)

    def heard(self, step: str, purpose: Purpose, person: str) -> float | None:
        """When a call was received."""
        return self.heard_at.get((step, str(purpose), person))

    def posted(self, step: str, opened: Span) -> Span:  # noqa: ARG002
        """When a publication stood on all its channels."""
        return self.posted_at.get(step, NOT_EVER)

    def amount(self, draft: str) -> int | None:
        """What a draft costs."""
        return self.amounts.get(draft)
