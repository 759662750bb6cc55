"""The follow-up plan as data: thresholds, rates, hours and texts, and the times computed from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pendulum import DateTime

from domain.customers.care import CareCombination, Thresholds
from domain.customers.contact_hours import ContactQuietHours
from domain.customers.import_row import CustomerContact
from domain.durations import later
from domain.text import Text


@dataclass(frozen=True, slots=True)
class FollowUpPlan:
    """How customers are followed up. Spans are of real time; a drill's pace divides them.

    Attributes:
        channels: Contact method (`mail`, `phone`) to a tag of the channel file; first choice first.
        placeholder: Contact method to the stand-in within that channel's address, which the contact replaces.
        drill: The tag to which a drill's surveys go, for every contact.
        per_batch: So many messages a channel takes in one `every`.
        unhappy_at_most: A customer whose rating is at most this is called by a person.
        high_value: A customer who ordered for more (hundredths) is called by a person.
        second_aim: Second complaints are to stay below this share.
        erase_after: Counted from the close, contacts are gone by then.
        key_env: The environment variable with the key of the contacts; empty: a file of the home.
    """

    thresholds: Thresholds
    combinations: tuple[CareCombination, ...]
    zone: str
    channels: Mapping[str, str]
    placeholder: Mapping[str, str]
    drill: str
    every: timedelta
    per_batch: int
    quiet: ContactQuietHours
    remind_after: timedelta
    collect_after: timedelta
    link_life: timedelta
    unhappy_at_most: int
    high_value: int
    second_aim: float
    erase_after: timedelta
    key_env: str = ""
    texts: Mapping[str, Text] = field(default_factory=dict)

    def ways(self, contact: CustomerContact) -> tuple[str, ...]:
        """List the methods by which a customer can be reached, of those with a channel."""
        return tuple(way for way in self.channels if way in contact.ways())


@dataclass(frozen=True, slots=True)
class FollowUpTimes:
    """The follow-up's own deadlines after one close."""

    begun_at: DateTime
    collect_at: DateTime
    erase_at: DateTime


def compute_follow_up_times(plan: FollowUpPlan, closed_at: DateTime, pace: float = 1.0) -> FollowUpTimes:
    """Compute when all is collected and when contacts are erased; elapsed time, as deadlines are."""
    return FollowUpTimes(
        closed_at, later(closed_at, plan.collect_after / pace), later(closed_at, plan.erase_after / pace)
    )


def next_check_at(soon: DateTime, candidates: Mapping[str, DateTime | None]) -> DateTime:
    """When the follow-up is due next: the first of the candidates, and never before the next batch may go."""
    moments = [at for at in candidates.values() if at is not None]
    assert moments, "somebody still waits for something"  # noqa: S101 - contacts are erased in the end
    return max(min(moments), soon)
