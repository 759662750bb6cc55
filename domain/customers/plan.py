"""The follow-up as data: thresholds, rates, hours and texts, with the times they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pendulum import DateTime

from domain.customers.care import Combination, Thresholds
from domain.customers.hours import Quiet
from domain.customers.record import Contact
from domain.durations import later
from domain.text import Text


@dataclass(frozen=True, slots=True)
class Plan:
    """How customers are followed up. Spans are of real time; a drill's pace divides them.

    Attributes:
        channels: Way of contact (`mail`, `phone`) to a tag of the channel file; first choice first.
        placeholder: Way of contact to the stand-in within that channel's address, which the contact replaces.
        drill: The tag to which a drill's surveys go, whatever the customer's contact.
        per_batch: So many messages a channel takes in one `every`.
        unhappy_at_most: Whoever answers so is called by a person.
        high_value: Whoever ordered for more (hundredths) is called by a person.
        second_aim: Second complaints are to stay below this share.
        erase_after: Counted from the close, contacts are gone by then.
        key_env: The environment variable with the key of the contacts; empty: a file of the home.
    """

    thresholds: Thresholds
    combinations: tuple[Combination, ...]
    zone: str
    channels: Mapping[str, str]
    placeholder: Mapping[str, str]
    drill: str
    every: timedelta
    per_batch: int
    quiet: Quiet
    remind_after: timedelta
    collect_after: timedelta
    link_life: timedelta
    unhappy_at_most: int
    high_value: int
    second_aim: float
    erase_after: timedelta
    key_env: str = ""
    texts: Mapping[str, Text] = field(default_factory=dict)

    def ways(self, contact: Contact) -> tuple[str, ...]:
        """How a customer can be reached, by the channels that there are."""
        return tuple(way for way in self.channels if way in contact.ways())


@dataclass(frozen=True, slots=True)
class Times:
    """The follow-up's own deadlines after one close."""

    begun_at: DateTime
    collect_at: DateTime
    erase_at: DateTime


def times(plan: Plan, closed_at: DateTime, pace: float = 1.0) -> Times:
    """When all is collected and when contacts are erased; elapsed time, as deadlines are."""
    return Times(closed_at, later(closed_at, plan.collect_after / pace), later(closed_at, plan.erase_after / pace))


def next_look(soon: DateTime, candidates: Mapping[str, DateTime | None]) -> DateTime:
    """When the follow-up is looked at again: the first of what is to come, and never before the next batch may go."""
    moments = [at for at in candidates.values() if at is not None]
    assert moments, "somebody still waits for something"  # noqa: S101 - contacts are erased in the end
    return max(min(moments), soon)
