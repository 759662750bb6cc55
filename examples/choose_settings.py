"""Chooses the settings of a same-hours volume rule on history, by a procedure that sees the first half of it only.

    python examples/choose_settings.py contacts.csv --like 2026-05-01 2026-05-04

Quiet is easy: a rule that never fires is. So disruptions are put into copies of the history, at random times: a drop
and a rise by 20 to 60 % for 6 to 72 hours, and one with the shape of a disruption that is known (`--like`: from the
first day to the day after the last). Every settings of a small grid are run on every copy. A disruption is found if a
warning begins while it lasts. Every other warning is needless: one of nothing, a second one for the same disruption, an
echo in the weeks when the disruption has become part of the baseline. Of the settings with at most `--needless` such
warnings a copy, `choose` takes those that find the most. The second half then tells, once, what the choice is worth.

How the settings of the shipped rule `seasonal-volume` came about, on tests/data/nyc_taxi.csv with the public holiday of
its first days (`--like 2014-07-04 2014-07-07`). The limit is half of the three false warnings that were allowed in the
whole. Before any of it, settings picked by eye over the whole file had been seen to find 5 of 5 with 3 false (window
8h, 15 %, for 6h, keep_firing 12h, 4 weeks). Each procedure was fixed before its choice was run on the second half; each
run is one look, and there were three:

1. Level drops and rises of 6 to 48 hours, one a copy; at most one warning on the first half as it is; weeks fixed at 4.
   Chosen: 4h, 35 %, for 2h, keep_firing 6h. Second half: 5 of 5 found, 9 false: echoes of disruptions in the baselines
   of the weeks after, and one long disruption told anew every day. The procedure had counted neither.
2. Three disruptions a copy, up to 72 hours as July 4 lasted; echoes and repeats counted as needless; weeks 4, 6 or 8.
   Chosen: 8h, 30 %, at once, keep_firing 6h, 8 weeks. Second half: 4 of 5 found, 3 false, again parts of one long
   disruption. A level disruption never looks over in the middle, as real ones do: July 4 has hours as ever and hours
   with a third of the contacts.
3. One of the three with the shape of July 4; of equals the quietest instead of the largest change.
   Chosen: 8h, 25 %, for 2h, keep_firing 12h, 8 weeks. Second half: 5 of 5 found, 2 false; first half: 1 false, Labor
   Day, which nobody labelled. Shipped.

So the second half is no longer unseen: it has told twice that a procedure was not good enough. With five other draws of
the disruptions (seeds 1 to 4; three times as many copies) the third procedure chooses the same three times, once
keep_firing 6h, and once 8h, 30 %, at once, keep_firing 6h, 6 weeks. What those give on the second half was not looked
at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Final

import numpy as np

from domain.warning.rule import Rule
from engine.samples.csv_file import BadSamplesFile
from engine.warning.backtest import RecordedSamples, read_samples, run_backtest
from engine.warning.sample_arrays import SECOND, Floats, Ints, SampleArrays, Truths
from playbooks.rule_loader import load_rule
from playbooks.rulebook import SHIPPED
from storage.samples.sample_store import from_micros

HOUR: Final = timedelta(hours=1)
_HAIR: Final = 1e-9  # as domain/warning/judgement.py has it

WINDOWS: Final = (1, 2, 4, 8, 12, 24)  # hours
FORS: Final = (0, 1, 2, 4, 6, 12)
KEEPS: Final = (6, 12, 24)
THRESHOLDS: Final = (0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50)
WEEKS: Final = (4, 6, 8)
MIN_WEEKS: Final = (2, 3)

SIZES: Final = (0.2, 0.6)  # of the figures' own level, from and to
LENGTHS: Final = (6, 72)  # hours, from and to
COPIES: Final = 120
HARSHNESS: Final = (0.5, 1.5)  # of those like the known one: the power of its ratios
APART: Final = 48  # hours at least between two of them
LEAST_WEEKS: Final = 8  # of the half that is chosen on
SEED: Final = 20_140_701


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What is chosen. Times in hours; `recover` is half the threshold."""

    window: int
    for_: int
    keep_firing: int
    threshold: float
    weeks: int
    min_weeks: int

    def __str__(self) -> str:
        return (
            f"window {self.window}h, for {self.for_}h, keep_firing {self.keep_firing}h, "
            f"change {self.threshold:.0%}, weeks {self.weeks}, min_weeks {self.min_weeks}"
        )

    def of(self, rule: Rule) -> Rule:
        """The rule with these settings instead of its own."""
        level, base = rule.levels[0], rule.baseline
        if base is None:
            raise ValueError(f"{rule.id} compares with nothing: its settings are not chosen here")
        return replace(
            rule,
            window=self.window * HOUR,
            for_=self.for_ * HOUR,
            keep_firing=self.keep_firing * HOUR,
            levels=(replace(level, threshold=self.threshold, recover=self.threshold / 2),),
            baseline=replace(base, weeks=self.weeks, min_weeks=self.min_weeks),
        )


@dataclass(frozen=True, slots=True)
class Disruption:
    """Figures from the place `start` on, times `shape`."""

    start: int
    shape: Floats

    @property
    def end(self) -> int:
        """The first place after it."""
        return self.start + self.shape.size

    def befall(self, values: Floats) -> None:
        """Change the values; what is counted stays whole."""
        values[self.start : self.end] = np.round(values[self.start : self.end] * self.shape)


@dataclass(frozen=True, slots=True)
class Tried:
    """What settings gave.

    Attributes:
        as_it_is: warnings on the history itself.
        found: of all injected disruptions those in which a warning began.
        needless: warnings a copy that were not the first of a disruption: of nothing, repeated, or a later echo.
    """

    settings: RuleSettings
    as_it_is: int
    found: int
    needless: float


def first_half(whole: RecordedSamples) -> RecordedSamples:
    """The earlier half of the samples."""
    part = whole.columns.select(np.arange(len(whole.columns) // 2))
    return replace(whole, columns=part)


def evenly(figures: RecordedSamples) -> tuple[Floats, int]:
    """The values, and how many there are an hour.

    Raises:
        ValueError: they are not of one series, evenly spaced, a whole number of them an hour; or of too few weeks.
    """
    columns: SampleArrays = figures.columns
    spaces = np.unique(np.diff(columns.at))
    if len(figures.series) != 1 or spaces.size != 1 or 3600 * SECOND % int(spaces[0]):
        raise ValueError("the figures must be one series, evenly spaced, with a whole number of them an hour")
    per_hour = 3600 * SECOND // int(spaces[0])
    if columns.value.size < LEAST_WEEKS * 7 * 24 * per_hour:
        raise ValueError(
            f"half of the history must be {LEAST_WEEKS} weeks or more: shorter ones hold too little to choose on"
        )
    return columns.value, per_hour


Copy = tuple[Floats, tuple[Disruption, ...]]


def known(values: Floats, per_hour: int, start: int, end: int) -> Disruption:
    """A disruption in the figures: value by value against the median of the same hours of the four weeks after.

    Of the weeks after, because one at the beginning of the history has none before.

    Raises:
        ValueError: it is no one to seven days of the figures, or no four weeks follow.
    """
    week = 7 * 24 * per_hour
    if not 0 <= start < end <= values.size - 4 * week or (end - start) % (24 * per_hour) or end - start > week:
        raise ValueError("the known disruption must be 1 to 7 days in the first half, with four weeks of it after them")
    later = np.median([values[start + number * week : end + number * week] for number in range(1, 5)], axis=0)
    if not later.all():
        raise ValueError("in the weeks after the known disruption some of its hours have no events to compare with")
    return Disruption(start, values[start:end] / later)


def injected(values: Floats, per_hour: int, like: Disruption, many: int = COPIES, seed: int = SEED) -> Iterator[Copy]:
    """Copies of the figures with disruptions at random times: a level drop, a level rise, and one like the known one.

    Sizes of the level ones are spread evenly, lengths evenly by ratio: as many from 6 to 12 hours as from 24 to 48. The
    known one takes some of its days, at its hours, milder or harsher. None begins before all settings of the grid
    have a baseline.
    """
    random = np.random.default_rng(seed)
    for _ in range(many):
        found: list[Disruption] = []
        for draw in (_drop, _rise, _alike):
            found.append(draw(random, values.size, per_hour, like))
            while not _apart(found, per_hour):
                found[-1] = draw(random, values.size, per_hour, like)
        copy = values.copy()
        for one in found:
            one.befall(copy)
        yield copy, tuple(found)


def _level(random: np.random.Generator, size: int, per_hour: int, sign: int) -> Disruption:
    length = round(per_hour * np.exp(random.uniform(*np.log(LENGTHS))))
    start = int(random.integers(_earliest(per_hour), size - length + 1))
    return Disruption(start, np.full(length, 1 + sign * random.uniform(*SIZES)))


def _drop(random: np.random.Generator, size: int, per_hour: int, _: Disruption) -> Disruption:
    return _level(random, size, per_hour, -1)


def _rise(random: np.random.Generator, size: int, per_hour: int, _: Disruption) -> Disruption:
    return _level(random, size, per_hour, 1)


def _alike(random: np.random.Generator, size: int, per_hour: int, like: Disruption) -> Disruption:
    day = 24 * per_hour
    days = int(random.integers(1, like.shape.size // day + 1))
    shape = like.shape[: days * day] ** random.uniform(*HARSHNESS)
    hour = like.start % day  # the same hour of the day
    first, last = -(-(_earliest(per_hour) - hour) // day), (size - shape.size - hour) // day
    return Disruption(int(random.integers(first, last + 1)) * day + hour, shape)


def _earliest(per_hour: int) -> int:
    return per_hour * (max(MIN_WEEKS) * 7 * 24 + max(WINDOWS))


def _apart(found: Sequence[Disruption], per_hour: int) -> bool:
    *others, new = found
    rest = APART * per_hour
    return all(new.end + rest <= one.start or one.end + rest <= new.start for one in others)


def changes(copies: Floats, window: int, week: int, weeks: int, min_weeks: int) -> Floats:
    """Relative change on the median of the same windows of earlier weeks: row by row, at every place from 0 to the end.

    The place i has seen the values before i. All lengths are in places. NaN: no baseline, nothing is concluded.
    """
    rows, length = copies.shape
    running = np.concatenate([np.zeros((rows, 1)), np.cumsum(copies, axis=1)], axis=1)
    sums = np.full((rows, length + 1), np.nan)
    sums[:, window:] = running[:, window:] - running[:, :-window]
    past = np.full((weeks, rows, length + 1), np.nan)
    for number in range(1, weeks + 1):
        if number * week <= length:
            past[number - 1, :, number * week :] = sums[:, : length + 1 - number * week]
    past.sort(axis=0)  # NaN comes last
    known = (~np.isnan(past[:, 0])).sum(axis=0)
    place = np.arange(length + 1)
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, weeks - 1)
    median = (past[low, :, place] + past[high, :, place]).T / 2
    median[:, known < min_weeks] = np.nan
    change = sums - median
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(change == 0, 0.0, change / np.abs(median))  # against nothing any other change is infinite


def runs(true: Truths) -> Ints:
    """At every place how many in a row up to there are true, of an array laid out flat."""
    place = np.arange(1, true.size + 1)
    return place - np.maximum.accumulate(np.where(true, 0, place))


def begins(breached: Ints, good: Ints, for_: int, keep: int) -> Ints:
    """Where warnings begin, from runs of breached and of good places; what domain.warning.state_machine makes of it.

    One begins at the first place that has been breached for `for_`, and lasts until it has been good for `keep`.
    """
    found: list[int] = []
    candidates, ends = np.flatnonzero(breached == for_ + 1), np.flatnonzero(good == keep + 1)
    over = -1
    for at in candidates.tolist():
        if at > over:
            found.append(at)
            later = np.searchsorted(ends, at)
            over = int(ends[later]) if later < ends.size else breached.size
    return np.array(found, dtype=np.int64)


def try_all(values: Floats, per_hour: int, copies: Sequence[Copy]) -> Iterator[Tried]:
    """Every settings of the grid on the figures as they are and on their disrupted copies."""
    table = np.stack([values, *(copy for copy, _ in copies)])
    spans = np.array([[(one.start, one.end) for one in found] for _, found in copies])
    for window, weeks, min_weeks in product(WINDOWS, WEEKS, MIN_WEEKS):
        away = np.abs(changes(table, window * per_hour, 7 * 24 * per_hour, weeks, min_weeks))
        # One place of rest after each copy: whatever warns there is over.
        away = np.pad(away, ((0, 0), (0, 1)), constant_values=np.nan)
        for threshold in THRESHOLDS:
            breached, good = runs(away.ravel() >= threshold - _HAIR), runs(away.ravel() < threshold / 2 - _HAIR)
            for for_, keep in product(FORS, KEEPS):
                good[away.shape[1] - 1 :: away.shape[1]] = keep * per_hour + 1
                began = begins(breached, good, for_ * per_hour, keep * per_hour)
                settings = RuleSettings(window, for_, keep, threshold, weeks, min_weeks)
                yield _tried(settings, *np.divmod(began, away.shape[1]), spans)


def _tried(settings: RuleSettings, rows: Ints, places: Ints, spans: Ints) -> Tried:
    """`rows`: 0 is the history as it is; the others have disruptions. A tick sees the figures before it."""
    as_it_is = int((rows == 0).sum())
    rows, places = rows[rows > 0] - 1, places[rows > 0]
    inside = (spans[rows, :, 0] < places[:, None]) & (places[:, None] <= spans[rows, :, 1])
    at, which = np.nonzero(inside)
    found = np.unique(rows[at] * spans.shape[1] + which).size
    return Tried(settings, as_it_is, found, (rows.size - found) / len(spans))


def choose(tried: Iterable[Tried], disruptions: int, most: float) -> Tried:
    """The settings to take.

    Of those with at most `most` needless warnings a copy, which found the most is known only up to the chance of where
    disruptions fell: all within one standard error of the best are equals (Breiman, Friedman, Olshen, Stone:
    Classification and Regression Trees, 1984, section 3.4.3). Of equals the quietest; then the quickest and simplest.

    Raises:
        ValueError: none is quiet enough.
    """
    quiet = [one for one in tried if one.needless <= most]
    if not quiet:
        raise ValueError(f"no settings of the grid give at most {most} needless warnings")
    best = max(one.found for one in quiet)
    share = best / disruptions
    least = best - sqrt(disruptions * share * (1 - share))
    return min((one for one in quiet if one.found >= least), key=_preference)


def _preference(one: Tried) -> tuple[float, ...]:
    chosen = one.settings
    return (one.needless, chosen.window + chosen.for_, chosen.keep_firing, chosen.weeks, chosen.min_weeks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose, and say what the choice gave."""
    parser = argparse.ArgumentParser(
        description="Choose the settings of a same-hours rule on the first half of a history."
    )
    parser.add_argument("history", type=Path, help="figures of one series, evenly spaced, in CSV")
    parser.add_argument("--like", nargs=2, required=True, metavar=("FROM", "UNTIL"), help="days of a known disruption")
    parser.add_argument("--needless", type=float, default=1.5, help="so many needless warnings a copy at most")
    parser.add_argument("--seed", type=int, default=SEED, help="of times and sizes of the injected disruptions")
    options = parser.parse_args(arguments)
    rule = load_rule(SHIPPED / "seasonal-volume.yaml").rule
    try:
        half = first_half(read_samples(options.history, rule.metric, UTC))
        chosen, copies = choose_on(half, options.like, options.needless, options.seed)
        again = len(run_backtest(chosen.settings.of(rule), half).firings)
    except (BadSamplesFile, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    ended = from_micros(int(half.columns.at[-1])).to_datetime_string()
    many = sum(len(found) for _, found in copies)
    sys.stdout.write(
        f"chosen on the figures until {ended}: {chosen.settings}\n"
        f"  found {chosen.found} of {many} injected disruptions, {chosen.needless:.2f} needless warnings a copy\n"
        f"  warnings on the figures as they are: {chosen.as_it_is}; `tocsin rule backtest` gives {again}\n"
    )
    if again != chosen.as_it_is:
        sys.stderr.write("the two counts must be the same: the quick one does not hold for these figures\n")
        return 1
    return 0


def choose_on(
    half: RecordedSamples, like: Sequence[str], needless: float, seed: int = SEED
) -> tuple[Tried, list[Copy]]:
    """The settings chosen on these figures, and the copies that they were tried on. `like`: ISO dates in UTC.

    Raises:
        ValueError: the figures are no even series, the days are not in them, or no settings are quiet enough.
    """
    values, per_hour = evenly(half)
    begins_at, ends_at = (_place(half, day, per_hour) for day in like)
    copies = list(injected(values, per_hour, known(values, per_hour, begins_at, ends_at), COPIES, seed))
    tried = try_all(values, per_hour, copies)
    return choose(tried, sum(len(found) for _, found in copies), needless), copies


def _place(half: RecordedSamples, day: str, per_hour: int) -> int:
    at = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * SECOND
    return (at - int(half.columns.at[0])) * per_hour // (3600 * SECOND)


if __name__ == "__main__":
    sys.exit(main())
