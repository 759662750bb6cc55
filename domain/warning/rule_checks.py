"""Checks of a rule that no single field shows: thresholds, windows, aggregates that fit the metric. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from domain.durations import format_duration
from domain.playbook_checks import FieldProblem
from domain.wall_clock import is_time_zone
from domain.warning.metrics import Metric, MetricKind
from domain.warning.rule import PERCENTILES, TICK, VOLUMES, Aggregate, Condition, Rule

LONGEST_WINDOW = timedelta(days=28)
LEAST_EVIDENCE = 0.5  # a significance from here on would let through what chance does every other time
DAY = timedelta(days=1)
_OF_SINGLE_SAMPLES = frozenset({*PERCENTILES, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST})


def check_rule(rule: Rule, metric: Metric) -> list[FieldProblem]:
    """List the problems of one rule on that metric, by the keys of its file."""
    return [
        *_window(rule),
        *_levels(rule),
        *_baseline(rule),
        *_evidence(rule),
        *_aggregate(rule, metric),
        *_times(rule),
        *_days(rule),
        *_zones(rule),
    ]


def _window(rule: Rule) -> Iterator[FieldProblem]:
    shown = format_duration(rule.window)
    if rule.window < TICK:
        yield FieldProblem(("window",), f"a window of {shown} is shorter than a tick", "window: 10s or longer")
    elif rule.window > LONGEST_WINDOW:
        yield FieldProblem(("window",), f"a window of {shown} is longer than 28 days", "window: 28d or shorter")
    elif rule.window % TICK:
        yield FieldProblem(("window",), f"a window of {shown} is not a whole number of ticks", "a multiple of 10s")


def _levels(rule: Rule) -> Iterator[FieldProblem]:
    key = str(rule.condition)
    falling = rule.condition is Condition.BELOW
    for level in rule.levels:
        at = (key, str(level.tier)) if len(rule.levels) > 1 else (key,)
        back = ("recover", str(level.tier)) if len(rule.levels) > 1 else ("recover",)
        if (level.recover < level.threshold) if falling else (level.recover > level.threshold):
            side, how = ("above", "higher") if falling else ("below", "lower")
            reason = f"recovers on the wrong side: it would be good again while {key} still holds"
            yield FieldProblem(back, reason, f"the threshold or {how}: the good side is {side} it")
        if rule.condition.compares and level.threshold <= 0:
            yield FieldProblem(at, "every reading changes by that much", "a size above 0, for example 50%")
        if rule.condition is Condition.CHANGE_BELOW and not rule.points and level.threshold > 1:
            yield FieldProblem(at, "nothing falls by more than all of itself", "100% or less")
    for mild, bad in zip(rule.levels, rule.levels[1:], strict=False):
        if (mild.threshold <= bad.threshold) if falling else (mild.threshold >= bad.threshold):
            remedy = f"{mild.tier} is the milder: the {'higher' if falling else 'lower'} of the two"
            yield FieldProblem((key,), f"the levels are out of order: {bad.tier} would come first", remedy)
        elif (mild.recover < bad.recover) if falling else (mild.recover > bad.recover):
            yield FieldProblem(("recover",), f"{mild.tier} would recover before {bad.tier}", "recover them in order")


def _baseline(rule: Rule) -> Iterator[FieldProblem]:
    base = rule.baseline
    if rule.condition.compares and base is None:
        key = str(rule.condition)
        yield FieldProblem(
            (key,), f"{key} has nothing to compare with", "add baseline: previous, or baseline: same-hours"
        )
    if base is None:
        return
    if not rule.condition.compares:
        key = str(rule.condition)
        yield FieldProblem(("baseline",), f"{key} compares with no baseline", "remove it, or use change_above")
    if base.offset is not None and base.kind != "previous":
        yield FieldProblem(("baseline", "offset"), "means nothing for same-hours", "weeks: says how far back")
    elif base.offset is not None and (base.offset < rule.window or base.offset > LONGEST_WINDOW):
        remedy = f"{format_duration(rule.window)}, the window, or more; at most 28d"
        yield FieldProblem(("baseline", "offset"), f"{format_duration(base.offset)} earlier is no other window", remedy)
    if base.min_weeks > base.weeks:
        reason = f"of {base.weeks} weeks never {base.min_weeks} have figures"
        yield FieldProblem(("baseline", "min_weeks"), reason, f"{base.weeks} or fewer")
    if base.kind == "same-hours" and rule.window > timedelta(days=7):
        yield FieldProblem(("window",), "same-hours of more than a week overlap", "window: 7d or shorter")
    if base.kind == "same-hours" and (rule.aggregate in _OF_SINGLE_SAMPLES or rule.at_least is not None):
        reason = "same-hours come from history by the minute, which holds no single samples"
        yield FieldProblem(("aggregate",), reason, "mean, sum, count, rate, share with per; or baseline: previous")


def _evidence(rule: Rule) -> Iterator[FieldProblem]:
    if rule.min_samples < 0:
        yield FieldProblem(("min_samples",), "is below zero", "0 or more, for example 20")
    if rule.significance is None:
        return
    if not 0 < rule.significance < LEAST_EVIDENCE:
        yield FieldProblem(
            ("significance",), f"{rule.significance:g} is out of range", "above 0 and below 50%, usually 5%"
        )
    counts = rule.aggregate in VOLUMES and rule.condition.compares
    if not counts and rule.aggregate is not Aggregate.SHARE:
        remedy = "only for shares, and for volumes that change; here min_samples is the guard"
        yield FieldProblem(("significance",), f"there is no such test for {rule.aggregate}", remedy)


def _aggregate(rule: Rule, metric: Metric) -> Iterator[FieldProblem]:
    if rule.aggregate in (Aggregate.SUM, Aggregate.RATE) and metric.kind is not MetricKind.VOLUME:
        remedy = f"mean, or {metric.aggregate}; a volume adds up"
        yield FieldProblem(("aggregate",), f"{rule.aggregate} of {metric.id}, a {metric.kind}, means nothing", remedy)
    if rule.per is not None and rule.aggregate is not Aggregate.SHARE:
        yield FieldProblem(("aggregate",), f"with per it is a share, not a {rule.aggregate}", "remove aggregate")
    if rule.per is not None and rule.at_least is not None:
        yield FieldProblem(("at_least",), "means nothing with per", "remove one of the two")
    if rule.at_least is not None and rule.aggregate is not Aggregate.SHARE:
        yield FieldProblem(("at_least",), f"means nothing for {rule.aggregate}", "aggregate: share")
    if rule.aggregate is Aggregate.SHARE and rule.per is None and rule.at_least is None:
        remedy = "add at_least: 4, or per: the metric to divide by"
        yield FieldProblem(("aggregate",), "a share of which values?", remedy)


def _times(rule: Rule) -> Iterator[FieldProblem]:
    if rule.no_data_after < TICK:
        yield FieldProblem(
            ("no_data_after",), "every gap between samples would be silence", "no_data_after: 1m or longer"
        )
    for key, span in (("for", rule.for_), ("keep_firing", rule.keep_firing)):
        if span > LONGEST_WINDOW:
            yield FieldProblem((key,), f"{format_duration(span)} is longer than 28 days", f"{key}: 28d or shorter")
    if rule.id in rule.inhibits:
        yield FieldProblem(("inhibits",), "a rule cannot inhibit itself", "remove it from its own list")


def _days(rule: Rule) -> Iterator[FieldProblem]:
    if not rule.daily:
        return
    if rule.window != DAY:
        yield FieldProblem(("window",), "consecutive_days looks at whole calendar days", "remove window")
    if rule.condition.compares:
        remedy = "above or below; a change of days is window: 1d with a baseline"
        yield FieldProblem((str(rule.condition),), "consecutive_days compares no changes", remedy)
    if len(rule.levels) > 1:
        yield FieldProblem((str(rule.condition),), "consecutive_days has one level", "two rules, one for each level")
    for key, span in (("for", rule.for_), ("keep_firing", rule.keep_firing)):
        if span:
            yield FieldProblem((key,), "means nothing with consecutive_days: the days are its time", f"remove {key}")
    if rule.no_data != "keep":
        yield FieldProblem(("no_data",), "a day without figures breaks no row of days", "remove no_data")


def _zones(rule: Rule) -> Iterator[FieldProblem]:
    named = {("zone",): rule.zone}
    if rule.baseline is not None:
        named["baseline", "zone"] = rule.baseline.zone  # type: ignore[index]
    for path, zone in named.items():
        if not is_time_zone(zone):
            yield FieldProblem(path, f"no time zone {zone[:60]!r}", "for example Asia/Shanghai")
