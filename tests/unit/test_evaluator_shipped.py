"""Every test that a shipped rule brings along holds for the evaluator of live figures too."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.durations import later
from domain.warning.rule import TICK
from domain.warning.rule_state import RulePhase, RuleState
from domain.warning.rule_trial import RuleTrial
from engine.warning.backtest import collect_samples
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import SeriesDescriptor
from playbooks.rule_loader import RuleFile, load_rule
from playbooks.rulebook import SHIPPED
from storage.samples.sample_store import to_micros

FILES = [load_rule(path) for path in sorted(SHIPPED.glob("*.yaml"))]
CASES = [
    pytest.param(file, trial, id=f"{file.rule.id}: {trial.name}")
    for file in FILES
    for trial in file.trials
    if file.rule.daily or trial.lasts <= timedelta(hours=3)  # the longer ones say nothing new, at 3 ms a minute
]


def test_there_are_cases_of_every_tier() -> None:
    assert {case.values[0].rule.tier for case in CASES if isinstance(case.values[0], RuleFile)} >= {0, 1, 2, 3}


@pytest.mark.parametrize(("file", "trial"), CASES)
def test_a_rule_stands_as_its_file_expects(file: RuleFile, trial: RuleTrial) -> None:
    names: dict[tuple[str, tuple[tuple[str, str], ...]], SeriesDescriptor] = {}
    rows = []
    for line in trial.lines:
        for one in line.samples(trial.start):
            name = (one.metric, tuple(sorted(one.labels.items())))
            series = names.setdefault(name, SeriesDescriptor(len(names), one.metric, one.labels))
            rows.append((series.id, to_micros(one.at), one.value, one.count))
    figures = collect_samples(rows, names.values())
    tick = timedelta(minutes=15) if file.rule.daily else TICK
    evaluator = Evaluator(
        [file.rule], history=figures, holidays=trial.holidays, grain=tick // timedelta(microseconds=1)
    )
    evaluator.add_series(names.values())
    evaluator.restore({}, trial.start)
    first = to_micros(later(trial.start, -evaluator.reach))
    evaluator.add_samples(figures.columns.select(figures.columns.at >= first))
    fired = False
    for step in range(1, trial.lasts // tick + 1):
        now = later(trial.start, tick * step)
        if step % 60 == 1:
            evaluator.prepare(now)
        evaluator.tick(now)
        standings = {key: standing for _, key, standing in evaluator.rule_states()}
        fired |= any(standing.warns for standing in standings.values())
        for expectation in trial.expect:
            if later(trial.start, expectation.at) == now:
                key = tuple((name, expectation.labels.get(name, "")) for name in sorted(file.rule.by))
                standing = standings.get(key, RuleState(RulePhase.OK))
                assert standing.phase is expectation.phase, (expectation, standing)
                assert expectation.tier in (None, standing.tier), (expectation, standing)
    assert trial.never_fires or trial.expect
    assert not (trial.never_fires and fired)
