"""How a rule stands on each of its series now, with the figures it sees: read anew from the store, for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pendulum import DateTime

from domain.durations import later
from domain.warning.calendar import Calendar, rule_at
from domain.warning.reading import Reading
from domain.warning.rule import TICK, Rule, SeriesKey
from domain.warning.standing import Standing
from engine.house import House
from engine.warning.columns import Series
from engine.warning.evaluator import Evaluator
from engine.warning.groups import NEVER
from engine.warning.stored import StoredHistory, samples_between
from engine.warning.ticking import floor
from storage import warnings
from storage.figures import LIVE, Figures, moment

_ALL = 2**62


@dataclass(frozen=True, slots=True)
class Seen:
    """One series of a rule: where it is recorded to stand, and what the rule reads there at the last tick."""

    series: SeriesKey
    standing: Standing
    reading: Reading


def look(house: House, figures: Figures, rule: Rule, calendar: Calendar, now: DateTime) -> list[Seen]:
    """Every series of a rule, those that stand worst first.

    Raises:
        StorageError: the databases cannot be read.
    """
    at = floor(now)
    with house.database.read() as connection:
        recorded = warnings.standings(connection, LIVE)
    evaluator = Evaluator(
        (rule,), history=StoredHistory(figures, LIVE), holidays=calendar.holidays,
        rule_at=lambda one, when: rule_at(one, calendar.campaigns, when),
    )  # fmt: skip
    evaluator.know(Series(one.id, one.metric, one.labels) for one in figures.series() if one.lane == LIVE)
    evaluator.restore({key: standing for key, standing in recorded.items() if key[0] == rule.id}, later(at, -TICK))
    evaluator.prepare(at)
    evaluator.take(samples_between(figures, LIVE, later(at, -evaluator.reach), at, _ALL))
    evaluator.tick(at)
    found = [
        Seen(series, recorded.get((rule.id, series), Standing()), reading)
        for series, reading in _readings(evaluator, at).items()
    ]
    return sorted(found, key=lambda one: (not one.standing.warns, one.series))


def _readings(evaluator: Evaluator, at: DateTime) -> dict[SeriesKey, Reading]:
    (watch,) = evaluator.watches
    readings, newest = watch.readings, watch.groups.newest()
    found: dict[SeriesKey, Reading] = {}
    for slot, series in enumerate(watch.groups.keys):
        if series is None or readings is None or slot >= len(readings.value):
            continue
        value, baseline, last = readings.value[slot], readings.baseline[slot], int(newest[slot])
        found[series] = Reading(
            at, None if np.isnan(value) else float(value), float(readings.events[slot]),
            None if np.isnan(baseline) else float(baseline), float(readings.baseline_events[slot]),
            None if last == NEVER else moment(last),
        )  # fmt: skip
    return found
