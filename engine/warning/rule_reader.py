"""Reader of what a rule sees at a tick, on all its series at once: value, events, baseline."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from domain.warning.daily_rules import last_whole_day
from domain.warning.rule import VOLUMES, Rule
from engine.warning.moving_aggregate import MovingAggregate
from engine.warning.same_hours_baseline import SameHoursBaseline, has_same_hours
from engine.warning.sample_arrays import SECOND, BaselineHistory, Floats
from engine.warning.series_groups import SeriesGroups
from storage.samples.sample_store import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class SlotReadings:
    """Readings by slot. NaN: there is none."""

    value: Floats
    events: Floats
    baseline: Floats
    baseline_events: Floats


def look_back(rule: Rule) -> int:
    """How far back a rule looks at samples, in microseconds: what must be loaded before its first tick."""
    length = int(rule.window.total_seconds() * SECOND)
    if rule.daily:
        length = 49 * 3600 * SECOND  # yesterday, from the end of today, with a change of clocks
    if rule.condition.compares and rule.baseline is not None and rule.baseline.kind == "previous":
        length += length if rule.baseline.offset is None else int(rule.baseline.offset.total_seconds() * SECOND)
    return length + int(rule.no_data_after.total_seconds() * SECOND) + 10 * SECOND


class RuleReader:
    """Reads the value, events and baseline of one rule."""

    def __init__(
        self, rule: Rule, groups: SeriesGroups, history: BaselineHistory | None, holidays: Collection[str]
    ) -> None:
        self._rule, self._groups = rule, groups
        self._length = int(rule.window.total_seconds() * SECOND)
        self._figure = MovingAggregate(rule, groups.feeds, groups.grain)
        self._before: MovingAggregate | None = None
        self._weeks: SameHoursBaseline | None = None
        base = rule.baseline if rule.condition.compares else None
        self._back = self._length
        if base is not None and base.kind == "previous":
            self._back = self._length if base.offset is None else int(base.offset.total_seconds() * SECOND)
            self._before = MovingAggregate(rule, groups.feeds, groups.grain, self._back)
        elif base is not None and history is not None and has_same_hours(rule):
            self._weeks = SameHoursBaseline(rule, base, groups, history, holidays)
        listens = base is not None and rule.aggregate in VOLUMES
        longest = int(rule.no_data_after.total_seconds() * SECOND)
        self._heard = groups.feeds[0].gaps(longest) if listens else None

    def prepare(self, at: int) -> None:
        """Read history ahead."""
        if self._weeks is not None:
            self._weeks.prepare(at)

    def range(self, at: int) -> tuple[int, int]:
        """The rule's window at a tick: the last `window`, or the last calendar day that is over."""
        if not self._rule.daily:
            return at - self._length, at
        _, start, end = last_whole_day(from_micros(at), self._rule.zone)
        return to_micros(start), to_micros(end)

    def read(self, at: int) -> SlotReadings:
        """Read what the rule sees at a tick; every sample before it is in."""
        start, end = self.range(at)
        value, events = self._figure.read(start, end)
        nothing = np.full(value.size, np.nan)
        if self._before is not None:
            base = self._before.read(start - self._back, end - self._back)
            if self._heard is not None:
                base = np.where(self._heard.is_whole(start - self._back, end - self._back), base[0], np.nan), base[1]
        elif self._weeks is not None:
            base = self._weeks.read(end)
        else:
            return SlotReadings(value, events, nothing, np.zeros(value.size))
        known = ~np.isnan(base[0])
        if self._heard is not None:
            known &= self._heard.is_whole(start, end)
        return SlotReadings(value, events, np.where(known, base[0], np.nan), np.where(known, base[1], 0.0))
