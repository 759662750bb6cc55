"""The judgement of one reading by a rule: which level it breaches, and which it still holds. Pure.

Three things keep a judgement from being made on nothing. A reading without a value, or without the
baseline that the rule compares with, concludes nothing. `min_samples` events must stand behind it.
`significance` asks how likely such a figure is by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from domain.warning import significance_tests
from domain.warning.reading import RuleReading
from domain.warning.rule import VOLUMES, Aggregate, Condition, Rule, ThresholdLevel, Tier

_HAIR = 1e-9  # (1.2 - 1.0) / 1.0 is a hair under 0.2, and means 20 %


class MissingEvidence(StrEnum):
    """The missing evidence that kept a worse conclusion from being made."""

    NOTHING = ""
    NO_VALUE = "no-value"  # no sample in the window
    NO_BASELINE = "no-baseline"
    FEW = "few"  # fewer events than min_samples
    CHANCE = "chance"  # past the threshold, but likely enough by chance


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of a reading.

    Attributes:
        measure: the figure that is compared with the thresholds: the value, or the change; None: there is none.
        breached: the worst level breached; None: no level, or nothing that can be trusted.
        held: the worst level whose `recover` is still passed: a warning of that level goes on.
        concludes: whether it may end or drop something; False: it is as if this tick had not been.
        want: why nothing, or nothing worse, was concluded.
        probability: of so much by chance, where that was tested.
    """

    measure: float | None
    breached: Tier | None = None
    held: Tier | None = None
    concludes: bool = True
    want: MissingEvidence = MissingEvidence.NOTHING
    probability: float | None = None


def compared_figure(rule: Rule, reading: RuleReading) -> float | None:
    """Compute the figure that the thresholds are compared with; None where there is none.

    A relative change is (value - baseline) / |baseline|; NPS can be below zero. Against a baseline of 0 no
    change is 0 and any other change is infinite: `min_samples` and `significance` then tell whether it means
    anything.
    """
    value, baseline = reading.value, reading.baseline
    if value is None or not rule.condition.compares:
        return value
    if baseline is None:
        return None
    change = value - baseline
    if rule.points or not change:
        return change
    return change / abs(baseline) if baseline else (inf if change > 0 else -inf)


def passes_limit(condition: Condition, figure: float, limit: float) -> bool:
    """Whether a measure is past a threshold or a `recover`. Above and below are strict, changes inclusive."""
    if condition is Condition.ABOVE:
        return figure > limit
    if condition is Condition.BELOW:
        return figure < limit
    if condition is Condition.CHANGE_ABOVE:
        return figure >= limit - _HAIR
    if condition is Condition.CHANGE_BELOW:
        return -figure >= limit - _HAIR
    return abs(figure) >= limit - _HAIR


def has_enough_events(rule: Rule, reading: RuleReading) -> bool:
    """Whether `min_samples` events stand behind the reading, and behind its baseline where it compares.

    Of a volume the larger of the two counts: few events are then the finding itself (a drop to none, a surge
    out of nothing).
    """
    if not rule.min_samples:
        return True
    if not rule.condition.compares:
        return reading.events >= rule.min_samples
    both = (reading.events, reading.baseline_events)
    return (max(both) if rule.aggregate in VOLUMES else min(both)) >= rule.min_samples


def judge_reading(rule: Rule, reading: RuleReading) -> Judgement:
    """Judge a reading by the rule. Total: every reading has an answer.

    A warning goes on by `recover` alone, without the tests of evidence, so that it does not flicker with the
    traffic; but a mean, a share or a percentile of too few events can neither raise nor end one. A volume of
    few events can end one: few complaints are few complaints.
    """
    figure = compared_figure(rule, reading)
    if figure is None:
        want = MissingEvidence.NO_VALUE if reading.value is None else MissingEvidence.NO_BASELINE
        return Judgement(None, concludes=False, want=want)
    held = _worst(rule, figure, recover=True)
    breached = _worst(rule, figure, recover=False)
    if not has_enough_events(rule, reading):
        if rule.aggregate in VOLUMES:
            return Judgement(figure, held=held, want=MissingEvidence.FEW)
        return Judgement(figure, held=held, concludes=False, want=MissingEvidence.FEW)
    if breached is None or rule.significance is None:
        return Judgement(figure, breached, held)
    return _tested(rule, reading, figure, held)


def _worst(rule: Rule, figure: float, *, recover: bool) -> Tier | None:
    for level in reversed(rule.levels):
        if passes_limit(rule.condition, figure, level.recover if recover else level.threshold):
            return level.tier
    return None


def _tested(rule: Rule, reading: RuleReading, figure: float, held: Tier | None) -> Judgement:
    """The worst level that is breached beyond chance."""
    level_of_chance = rule.significance or 0.0
    probability = None
    for level in reversed(rule.levels):
        if passes_limit(rule.condition, figure, level.threshold):
            probability = chance_probability(rule, reading, level)
            if probability <= level_of_chance:
                return Judgement(figure, level.tier, held, probability=probability)
    return Judgement(figure, None, held, want=MissingEvidence.CHANCE, probability=probability)


def chance_probability(rule: Rule, reading: RuleReading, level: ThresholdLevel) -> float:
    """Compute the probability of so extreme a figure by chance; 1.0 for aggregates without a test.

    Volumes that change: the conditional test of two counts. The window's expected share of all events is its
    baseline against the events of all baseline windows: 1/2 for the previous window, about 1/5 for four weeks.
    Shares: against the threshold the binomial test, against a baseline share Fisher's exact test. Two-sided
    changes double the smaller side.
    """
    upward = _upward(rule, reading)
    sides = 2 if rule.condition is Condition.CHANGE_EITHER else 1
    if rule.aggregate in VOLUMES and rule.condition.compares:
        return min(1.0, sides * _of_volumes(rule, reading, upward=upward))
    if rule.aggregate is Aggregate.SHARE:
        return min(1.0, sides * _of_shares(rule, reading, level, upward=upward))
    return 1.0


def _upward(rule: Rule, reading: RuleReading) -> bool:
    if rule.condition is Condition.CHANGE_EITHER:
        return (reading.value or 0) > (reading.baseline or 0)
    return rule.condition in (Condition.ABOVE, Condition.CHANGE_ABOVE)


def _of_volumes(rule: Rule, reading: RuleReading, *, upward: bool) -> float:
    events, others = _whole(reading.events), _whole(reading.baseline_events)
    expected = reading.baseline or 0.0
    if rule.aggregate is Aggregate.RATE:  # a minute's figure; the events are the window's
        expected *= rule.window.total_seconds() / 60
    # No event in the baseline says nothing of how many windows it had: one is the cautious guess.
    share = expected / (expected + others) if expected > 0 and others else 0.5
    if upward:
        return significance_tests.poisson_excess(events, others, share)
    return significance_tests.poisson_excess(others, events, 1 - share)


def _of_shares(rule: Rule, reading: RuleReading, level: ThresholdLevel, *, upward: bool) -> float:
    trials = min(_whole(reading.events), significance_tests.MOST_EVENTS)
    successes = _part(reading.value, trials)
    if not rule.condition.compares:
        test = significance_tests.binomial_at_least if upward else significance_tests.binomial_at_most
        return test(successes, trials, min(max(level.threshold, 0.0), 1.0))
    others = min(_whole(reading.baseline_events), significance_tests.MOST_EVENTS)
    known = _part(reading.baseline, others)
    if upward:
        return significance_tests.fisher_higher_share(successes, trials, known, others)
    return significance_tests.fisher_higher_share(trials - successes, trials, others - known, others)


def _part(share: float | None, trials: int) -> int:
    return round(min(max(share or 0.0, 0.0), 1.0) * trials)


def _whole(events: float) -> int:
    return max(0, round(events))
