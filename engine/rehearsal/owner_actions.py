"""Actions of owners and arrivals of messages: the rehearsal's own record, beside the system's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.notifications import NotificationPurpose
from engine.rehearsal.personas import EscalationCall, PersonaTask
from engine.rehearsal.time_bounds import NOT_EVER, TimeBounds


@dataclass(frozen=True, slots=True)
class OwnerAction:
    """Action of an owner, and its time: between asking for it and hearing that it was done."""

    by: str
    at: TimeBounds


@dataclass(frozen=True, slots=True)
class OwnerActions:
    """Actions that really happened, for the expectation to count from; absent for those who did nothing."""

    acknowledged: Mapping[str, OwnerAction] = field(default_factory=dict)
    done: Mapping[str, OwnerAction] = field(default_factory=dict)
    heard_at: Mapping[tuple[str, str, str], float] = field(default_factory=dict)  # step, purpose, person
    posted_at: Mapping[str, TimeBounds] = field(default_factory=dict)  # publish step -> its last channel
    amounts: Mapping[str, int] = field(default_factory=dict)

    def first_to_acknowledge(self, task: PersonaTask, calls: Sequence[EscalationCall]) -> tuple[str, TimeBounds]:  # noqa: ARG002
        """Find who acknowledged first, and when; a step done without that is taken by being done."""
        deed = self.acknowledged.get(task.step) or self.done.get(task.step)
        return (deed.by, deed.at) if deed else ("", NOT_EVER)

    def finished_by(self, task: PersonaTask, person: str, acknowledged: TimeBounds) -> tuple[str, TimeBounds]:  # noqa: ARG002
        """Find who did the step, and when."""
        deed = self.done.get(task.step)
        return (deed.by, deed.at) if deed else ("", NOT_EVER)

    def received_at(self, step: str, purpose: NotificationPurpose, person: str) -> float | None:
        """When a call was received."""
        return self.heard_at.get((step, str(purpose), person))

    def published_at(self, step: str, opened: TimeBounds) -> TimeBounds:  # noqa: ARG002
        """When a publication stood on all its channels."""
        return self.posted_at.get(step, NOT_EVER)

    def draft_cost(self, draft: str) -> int | None:
        """What a draft costs."""
        return self.amounts.get(draft)
