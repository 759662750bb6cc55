"""Stored history for a backtest: minute by minute, as long as it is kept."""

from __future__ import annotations

import time

from domain.warning.rule import Aggregate, Rule
from engine.figures.files import BadFigures
from engine.warning.backtest import Recorded, recorded
from engine.warning.columns import MINUTE, SECOND, Series
from engine.warning.figure import kind_of
from storage.figures import LIVE, moment, open_figures
from storage.figures_history import HISTORY, Sums, course
from storage.settings import Settings


def read_store(settings: Settings, rule: Rule, now: float | None = None) -> Recorded:
    """The live figures that the rule looks at, each minute of a series as one sample.

    What a minute was in the mean, in sum, at least or at most is known; how its values were spread is not.

    Raises:
        BadFigures: there are none.
        StorageError: the store cannot be read.
    """
    at = int((time.time() if now is None else now) * SECOND)
    start = (at // MINUTE) * MINUTE - int(HISTORY.total_seconds()) * SECOND
    figures = open_figures(settings)
    try:
        metrics = {rule.metric, rule.per} - {None}
        series = [Series(one.id, one.metric, one.labels) for one in figures.series() if one.lane == LIVE]
        found = [row for name in metrics if name for row in course(figures, LIVE, name, moment(start), moment(at))]
    finally:
        figures.close()
    if not found:
        raise BadFigures(f"no figures of {rule.metric} are kept: push some, or name a CSV file")
    rows = [(one.series, start + one.bucket * MINUTE, *_sample(rule, one)) for one in found]
    return recorded(rows, [one for one in series if one.metric in metrics])


def _sample(rule: Rule, one: Sums) -> tuple[float, float]:
    if rule.aggregate is Aggregate.MIN:
        return one.least, one.events
    if rule.aggregate is Aggregate.MAX:
        return one.most, one.events
    if kind_of(rule).name == "volume":
        return one.total, one.events
    return one.weighted / one.events, one.events
