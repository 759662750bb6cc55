"""Current state of a rule on each of its series, with what it reads there, read anew from the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pendulum import DateTime

from domain.durations import later
from domain.warning.calendar import CampaignCalendar, rule_at
from domain.warning.reading import RuleReading
from domain.warning.rule import TICK, Rule, SeriesKey
from domain.warning.rule_state import RuleState
from engine.installation import Installation
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import SeriesDescriptor
from engine.warning.series_groups import NEVER
from engine.warning.stored_samples import StoredHistory, samples_between
from engine.warning.ticker import floor_to_tick
from storage.incidents import warnings
from storage.samples.sample_store import LIVE_FEED, SampleStore, from_micros

_ALL = 2**62


@dataclass(frozen=True, slots=True)
class SeriesState:
    """State of a rule on one series, and what the rule reads there at the last tick."""

    series: SeriesKey
    rule_state: RuleState
    reading: RuleReading


def read_current_states(
    installation: Installation, figures: SampleStore, rule: Rule, calendar: CampaignCalendar, now: DateTime
) -> list[SeriesState]:
    """Read every series of a rule, those in the worst state first.

    Raises:
        StorageError: the databases cannot be read.
    """
    at = floor_to_tick(now)
    with installation.database.read() as connection:
        recorded = warnings.load_rule_states(connection, LIVE_FEED)
    evaluator = Evaluator(
        (rule,), history=StoredHistory(figures, LIVE_FEED), holidays=calendar.holidays,
        rule_at=lambda one, when: rule_at(one, calendar.campaigns, when),
    )  # fmt: skip
    evaluator.add_series(
        SeriesDescriptor(one.id, one.metric, one.labels) for one in figures.series() if one.lane == LIVE_FEED
    )
    evaluator.restore({key: rule_state for key, rule_state in recorded.items() if key[0] == rule.id}, later(at, -TICK))
    evaluator.prepare(at)
    evaluator.add_samples(samples_between(figures, LIVE_FEED, later(at, -evaluator.reach), at, _ALL))
    evaluator.tick(at)
    found = [
        SeriesState(series, recorded.get((rule.id, series), RuleState()), reading)
        for series, reading in _readings(evaluator, at).items()
    ]
    return sorted(found, key=lambda one: (not one.rule_state.warns, one.series))


def _readings(evaluator: Evaluator, at: DateTime) -> dict[SeriesKey, RuleReading]:
    (watch,) = evaluator.trackers
    readings, newest = watch.readings, watch.groups.newest()
    found: dict[SeriesKey, RuleReading] = {}
    for slot, series in enumerate(watch.groups.keys):
        if series is None or readings is None or slot >= len(readings.value):
            continue
        value, baseline, last = readings.value[slot], readings.baseline[slot], int(newest[slot])
        found[series] = RuleReading(
            at, None if np.isnan(value) else float(value), float(readings.events[slot]),
            None if np.isnan(baseline) else float(baseline), float(readings.baseline_events[slot]),
            None if last == NEVER else from_micros(last),
        )  # fmt: skip
    return found
