"""Rule files with one mistake each: what it is, the text, where it is told, the reason and the remedy."""

from __future__ import annotations

GOOD = """\
id: slow
title: Slow
metric: response_time
window: 2m
above: 30s
recover: 25s
min_samples: 20
"""
CHANGE = """\
id: surge
title: Surge
metric: complaints
window: 10m
change_above: {yellow: 50%, red: 100%}
recover: {yellow: 25%, red: 75%}
baseline: previous
"""


def swap(text: str, line: str, other: str) -> str:
    assert f"{line}\n" in text
    return text.replace(f"{line}\n", f"{other}\n" if other else "")


def bad(line: str, other: str, text: str = GOOD) -> str:
    return swap(text, line, other)


CASES: list[tuple[str, str, tuple[int, str], str, str]] = [
    (
        "a recovery on the wrong side of above",
        bad("recover: 25s", "recover: 35s"),
        (6, "recover"),
        "recovers on the wrong side",
        "the good side is below it",
    ),
    (
        "a recovery on the wrong side of below",
        bad("above: 30s", "below: 30s"),
        (6, "recover"),
        "recovers on the wrong side",
        "the good side is above it",
    ),
    (
        "a recovery on the wrong side of a change",
        bad("recover: {yellow: 25%, red: 75%}", "recover: {yellow: 25%, red: 175%}", CHANGE),
        (6, "recover.red"),
        "recovers on the wrong side",
        "or lower",
    ),
    (
        "same hours of a percentile",
        swap(CHANGE, "baseline: previous", "baseline: same-hours").replace("window", "aggregate: p95\nwindow"),
        (4, "aggregate"),
        "holds no single samples",
        "or baseline: previous",
    ),
    (
        "an unknown metric",
        bad("metric: response_time", "metric: respons_time"),
        (3, "metric"),
        "no metric 'respons_time'",
        "did you mean response_time?",
    ),
    (
        "a metric that nobody declared",
        bad("metric: response_time", "metric: parcels"),
        (3, "metric"),
        "no metric 'parcels'",
        "declare it in metrics.yaml",
    ),
    ("an unknown denominator", GOOD + "per: contakts\n", (8, "per"), "no metric 'contakts'", "did you mean contacts?"),
    ("a window of nothing", bad("window: 2m", "window: 0s"), (4, "window"), "shorter than a tick", "10s or longer"),
    ("a window shorter than a tick", bad("window: 2m", "window: 5s"), (4, "window"), "shorter than a tick", "10s"),
    ("a window that no tick divides", bad("window: 2m", "window: 15s"), (4, "window"), "whole number of ticks", "10s"),
    ("a window of five weeks", bad("window: 2m", "window: 35d"), (4, "window"), "longer than 28 days", "28d"),
    ("a window without unit", bad("window: 2m", "window: 2"), (4, "window"), "has no unit", "2m for minutes"),
    ("no window", bad("window: 2m", ""), (1, "window"), "is missing", "window: 10m"),
    (
        "a change without baseline",
        bad("baseline: previous", "", CHANGE),
        (5, "change_above"),
        "nothing to compare with",
        "baseline: previous",
    ),
    (
        "a baseline without change",
        GOOD + "baseline: previous\n",
        (8, "baseline"),
        "compares with no baseline",
        "remove",
    ),
    (
        "levels out of order",
        bad(
            "change_above: {yellow: 50%, red: 100%}",
            "change_above: {yellow: 50%, red: 40%}",
            bad("recover: {yellow: 25%, red: 75%}", "recover: {yellow: 25%, red: 30%}", CHANGE),
        ),
        (5, "change_above"),
        "out of order",
        "yellow is the milder: the lower",
    ),
    (
        "recoveries out of order",
        bad("recover: {yellow: 25%, red: 75%}", "recover: {yellow: 25%, red: 20%}", CHANGE),
        (6, "recover"),
        "yellow would recover before red",
        "in order",
    ),
    (
        "one recovery for two levels",
        bad("recover: {yellow: 25%, red: 75%}", "recover: 25%", CHANGE),
        (6, "recover"),
        "one for several levels",
        "recover: {yellow: ..., red: ...}",
    ),
    ("a level for two levels", CHANGE + "level: red\n", (8, "level"), "means nothing", "remove level"),
    (
        "a recovery of a level that is not there",
        bad("recover: 25s", "recover: {red: 25s}"),
        (6, "recover.red"),
        "no level red",
        "one of yellow",
    ),
    ("an unknown level", bad("above: 30s", "above: {orange: 30s}"), (5, "above"), "no level 'orange'", "{yellow: 50%"),
    ("significance of one", CHANGE + "significance: 1\n", (8, "significance"), "out of range", "usually 5%"),
    (
        "significance of a mean",
        GOOD + "significance: 5%\n",
        (8, "significance"),
        "no such test for mean",
        "min_samples",
    ),
    (
        "an unknown playbook",
        GOOD + "starts: standby-agent\n",
        (8, "starts"),
        "no playbook 'standby-agent'",
        "did you mean standby-agents?",
    ),
    (
        "an expression",
        bad("above: 30s", "above: __import__('os').system('id')"),
        (5, "above"),
        "is not a number",
        "for example 30, 0.85, 85% or 30s",
    ),
    ("a template", bad("above: 30s", 'above: "${HOME}"'), (5, "above"), "is not a number", "for example"),
    ("arithmetic", bad("above: 30s", "above: 2*15"), (5, "above"), "'2*15' is not a number", "for example"),
    (
        "an expression in a count",
        bad("min_samples: 20", "min_samples: len(x)"),
        (7, "min_samples"),
        "not a number",
        "30",
    ),
    ("not a number", bad("above: 30s", "above: .nan"), (5, "above"), "is not a number", "for example"),
    ("infinite", bad("above: 30s", "above: inf"), (5, "above"), "is not a number", "for example"),
    ("a list as threshold", bad("above: 30s", "above: [30s]"), (5, "above"), "is no threshold", "for example 30s"),
    ("a percentage of seconds", bad("above: 30s", "above: 85%"), (5, "above"), "the figure is a duration", "30s or 2m"),
    (
        "seconds of a change",
        bad("change_above: {yellow: 50%, red: 100%}", "change_above: {yellow: 50%, red: 30s}", CHANGE),
        (5, "change_above.red"),
        "no relative change",
        "10 points",
    ),
    (
        "fifty where 50 % is meant",
        bad("change_above: {yellow: 50%, red: 100%}", "change_above: {yellow: 50%, red: 100}", CHANGE),
        (5, "change_above.red"),
        "would be 10000 %",
        "write 100%",
    ),
    (
        "a negative change",
        bad("change_above: {yellow: 50%, red: 100%}", "change_above: {yellow: -50%, red: 100%}", CHANGE),
        (5, "change_above.yellow"),
        "below zero",
        "write the size: 50%",
    ),
    (
        "points and percent mixed",
        bad("change_above: {yellow: 50%, red: 100%}", "change_above: {yellow: 5 points, red: 100%}", CHANGE),
        (5, "change_above.red"),
        "not in points",
        "100 points",
    ),
    (
        "85 of a share",
        "id: a\ntitle: A\nmetric: fcr\nwindow: 1h\nbelow: 85\n",
        (5, "below"),
        "would be 8500 %",
        "write 85%",
    ),
    (
        "a score that no one can give",
        "id: a\ntitle: A\nmetric: csat\naggregate: mean\nwindow: 1h\nbelow: 85\n",
        (6, "below"),
        "can never be reached",
        "at most 5",
    ),
    (
        "a fall by more than all",
        "id: a\ntitle: A\nmetric: contacts\nwindow: 1h\nchange_below: 150%\nbaseline: previous\n",
        (5, "change_below"),
        "nothing falls by more",
        "100% or less",
    ),
    ("two conditions", GOOD + "below: 3s\n", (8, "below"), "there is above already", "a second rule"),
    ("no condition", bad("above: 30s", ""), (1, "above"), "says not when it is bad", "one of above, below"),
    ("an unknown key", GOOD + "treshold: 3\n", (8, "treshold"), "unknown key", "one of"),
    ("an unknown label", GOOD + "by: [servce]\n", (8, "by[0]"), "no label 'servce'", "did you mean service?"),
    (
        "an unknown label to choose by",
        GOOD + "labels: {shop: x}\n",
        (8, "labels.shop"),
        "no label 'shop'",
        "labels: in",
    ),
    ("a label that is no name", GOOD + "labels: {'a b': x}\n", (8, "labels.a b"), "no name of a label", "service"),
    ("a sum of durations", GOOD + "aggregate: sum\n", (8, "aggregate"), "sum of response_time, a duration", "mean"),
    (
        "a share of nothing",
        GOOD.replace("30s", "30%").replace("25s", "25%") + "aggregate: share\n",
        (8, "aggregate"),
        "a share of which values?",
        "at_least: 4",
    ),
    ("an unknown aggregate", GOOD + "aggregate: p97\n", (8, "aggregate"), "'p97' is not known", "did you mean"),
    (
        "an offset into the window",
        bad("baseline: previous", "baseline: {kind: previous, offset: 5m}", CHANGE),
        (7, "baseline.offset"),
        "is no other window",
        "10m, the window, or more",
    ),
    (
        "weeks that never come",
        bad("baseline: previous", "baseline: {kind: same-hours, weeks: 2, min_weeks: 3}", CHANGE),
        (7, "baseline.min_weeks"),
        "of 2 weeks never 3",
        "2 or fewer",
    ),
    (
        "no such zone",
        bad("baseline: previous", "baseline: {kind: same-hours, zone: Asia/Peking}", CHANGE),
        (7, "baseline.zone"),
        "no time zone 'Asia/Peking'",
        "Asia/Shanghai",
    ),
    (
        "days of a change",
        bad("window: 10m", "consecutive_days: 3", CHANGE),
        (5, "change_above"),
        "compares no changes",
        "above",
    ),
    ("days with a window", GOOD + "consecutive_days: 3\n", (4, "window"), "whole calendar days", "remove window"),
    (
        "days with for",
        bad("window: 2m", "consecutive_days: 3") + "for: 5m\n",
        (8, "for"),
        "means nothing",
        "remove for",
    ),
    ("silence at once", GOOD + "no_data_after: 0s\n", (8, "no_data_after"), "every gap", "1m or longer"),
    ("a rule that quiets itself", GOOD + "inhibits: [slow]\n", (8, "inhibits"), "cannot inhibit itself", "remove"),
    (
        "a test without expectation",
        GOOD + "tests:\n  - name: x\n    series: [{values: '1x3'}]\n",
        (9, "tests[0].expect"),
        "expects nothing",
        "never_fires: true",
    ),
    (
        "a test of broken values",
        GOOD + "tests:\n  - name: x\n    never_fires: true\n    series: [{values: '1x3 rand()'}]\n",
        (11, "tests[0].series[0].values"),
        "'rand()' is not a figure",
        "3x10 for ten times 3",
    ),
    (
        "a test of another metric",
        GOOD + "tests:\n  - name: x\n    never_fires: true\n    series: [{values: '1', metric: frt}]\n",
        (11, "tests[0].series[0].metric"),
        "does not look at 'frt'",
        "one of response_time",
    ),
    (
        "a test of a series that is not told apart",
        GOOD
        + "tests:\n  - name: x\n    series: [{values: '1'}]\n    expect: [{at: 1m, phase: ok, labels: {service: a}}]\n",
        (11, "tests[0].expect[0].labels.service"),
        "is no label of `by`",
        "there is none yet",
    ),
    (
        "a test of an unknown phase",
        GOOD + "tests:\n  - name: x\n    series: [{values: '1'}]\n    expect: [{at: 1m, phase: fireing}]\n",
        (11, "tests[0].expect[0].phase"),
        "'fireing' is not known",
        "did you mean firing?",
    ),
    (
        "a test of ten weeks",
        GOOD + "tests:\n  - name: x\n    series: [{values: '1'}]\n    expect: [{at: 70d, phase: ok}]\n",
        (9, "tests[0]"),
        "longer than 35 days",
        "shorter",
    ),
    ("a tab", GOOD + "\tby: [service]\n", (8, "file"), "a tab in the indentation", "spaces"),
]
