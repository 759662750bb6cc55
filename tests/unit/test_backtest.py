"""Backtests: the file, the step, the firings, the answer, the picture."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import pendulum
import pytest
import typer
from typer.testing import CliRunner

from cli.backtest import backtest as command
from domain.text import Text
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, ThresholdLevel, Tier
from engine.samples.csv_file import BadSamplesFile
from engine.warning.backtest import RecordedSamples, collect_samples, evaluation_step, read_samples, run_backtest
from engine.warning.backtest_chart import draw_backtest
from engine.warning.sample_arrays import SeriesDescriptor
from engine.warning.svg_plot import round_steps, thin_points, time_steps
from storage.samples.sample_store import to_micros
from web.schemas import schema

START = pendulum.datetime(2026, 3, 2, 9)
RULE = """
id: slow
title: {en: "Slow <answers>", zh: 慢}
metric: response_time
by: [team]
aggregate: mean
window: 1m
above: {yellow: 30s, red: 60s}
recover: {yellow: 25s, red: 50s}
keep_firing: 1m
"""
app = typer.Typer()
app.command()(command)


def figures_csv(folder: Path) -> Path:
    """Ten minutes by the 10 s: quick, 40 s from 2:00, 80 s from 4:00 to 5:00, quick again."""
    lines = ["time,metric,value,count,team"]
    for second in range(0, 600, 10):
        value = 80 if 240 <= second < 300 else 40 if 120 <= second < 240 else 10
        lines.append(f"{START.add(seconds=second).isoformat()},response_time,{value},3,a")
    lines.insert(5, "yesterday,response_time,1,1,a")
    path = folder / "figures.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(name="files")
def files_fixture(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    rule = tmp_path / "slow.yaml"
    rule.write_text(RULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "en_US.UTF-8")
    return rule, figures_csv(tmp_path)


def test_the_answer_for_programs(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*map(str, files), "--json"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    jsonschema.validate(answer, schema("rule-backtest"))
    # Six samples a window. Over 30 with five of 40 (35; four: exactly 30): the fifth is 2:40, seen at 2:50. Red: over
    # 60 with four of 80 (66.7): the fourth is 4:30, seen at 4:40. Below 25 with one of 80 (21.7): the others leave
    # with 5:40, at 5:50; a minute later it is over.
    assert answer == {
        "rule": "slow",
        "evaluations": 60,
        "firings": [
            {
                "from": "2026-03-02T09:02:50+00:00",
                "to": "2026-03-02T09:06:50+00:00",
                "level": "red",
                "value": 35.0,
                "series": {"team": "a"},
            }
        ],
    }
    assert not list(tmp_path.glob("*.svg"))


def test_the_answer_for_people_and_the_picture(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [*map(str, files)])
    assert result.exit_code == 0, result.output
    assert "red     2026-03-02T09:02:50+00:00  2026-03-02T09:06:50+00:00" in result.stdout
    assert "slow: 1 warnings in 60 evaluations, 1.4e+02 a day" in result.stdout
    assert "line 6: time: 'yesterday' is no time" in result.stderr
    drawn = ET.fromstring((tmp_path / "slow.svg").read_text(encoding="utf-8"))  # noqa: S314 - made a moment ago
    classes = [element.get("class", "") for element in drawn.iter()]
    assert classes.count("band red") == 1
    assert classes.count("line value") == 2  # and in the legend
    assert {"line limit yellow", "line limit red"} <= set(classes)
    assert "http" not in (tmp_path / "slow.svg").read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope", "figures.csv"], "no rule 'nope'"),
        (["slow.yaml", "none.csv"], "none.csv: cannot be read"),
        (["watch-latency", "figures.csv"], "the rule looks at latency, the figures have response_time"),
        (["slow.yaml", "figures.csv", "--zone", "Moon/Base"], "there is no time zone 'Moon/Base'"),
        (["slow.yaml", "figures.csv", "--plot", "no/such/place.svg"], "cannot be written"),
        (["slow.yaml"], "no figures of response_time are kept"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments: list[str], said: str, files: tuple[Path, Path]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    assert said in str(result.exception)
    assert "\n" not in str(result.exception).strip()


def spaced(minutes: int, values: list[float]) -> RecordedSamples:
    rows = [(1, to_micros(START.add(minutes=minutes * place)), value, 1.0) for place, value in enumerate(values)]
    return collect_samples(rows, [SeriesDescriptor(1, "m")])


def rule(window: timedelta, **more: object) -> Rule:
    level = ThresholdLevel(Tier.YELLOW, 30, 30)
    return Rule("r", Text("R"), "m", Aggregate.MEAN, window, Condition.ABOVE, (level,), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "window", "step"),
    [
        (30, timedelta(hours=8), 1800),
        (5, timedelta(minutes=5), 300),
        (60, timedelta(minutes=5), 300),
        (1, timedelta(seconds=90), 30),
    ],
)
def test_the_step_is_the_figures_own_and_divides_the_window(minutes: int, window: timedelta, step: int) -> None:
    assert evaluation_step(rule(window), spaced(minutes, [1.0] * 20)) == step * 1_000_000


def test_figures_of_every_half_hour_are_not_silent_after_five_minutes() -> None:
    outcome = run_backtest(rule(timedelta(hours=1)), spaced(30, [10, 10, 10, 90, 90, 10, 10, 10]))
    (firing,) = outcome.firings
    assert (firing.began, firing.until) == (START.add(minutes=120), START.add(minutes=210))
    assert outcome.evaluations == 8
    assert outcome.step == timedelta(minutes=30)


def test_what_is_before_the_mark_is_history_only(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    rows = [f"{START.add(minutes=minute).isoformat()},{90 if minute < 60 else 40}" for minute in range(120)]
    path.write_text(f"# from: {START.add(hours=1).isoformat()}\ntime,value\n" + "\n".join(rows), encoding="utf-8")
    compared = Rule(
        "r", Text("R"), "m", Aggregate.MEAN, timedelta(minutes=30), Condition.CHANGE_BELOW,
        (ThresholdLevel(Tier.YELLOW, 0.5, 0.3),), baseline=Baseline("previous"),
    )  # fmt: skip
    outcome = run_backtest(compared, read_samples(path, "m", UTC))
    assert outcome.began == START.add(hours=1)
    assert [firing.began for firing in outcome.firings] == [START.add(minutes=87)]  # 90 -> 45: 27 of 30 at 40


def test_figures_of_no_use_are_refused() -> None:
    with pytest.raises(BadSamplesFile, match="the rule looks at m, the figures have other"):
        run_backtest(rule(timedelta(hours=1)), collect_samples([(1, 0, 1.0, 1.0)], [SeriesDescriptor(1, "other")]))
    far = collect_samples([(1, 0, 1.0, 1.0), (1, 10**18, 1.0, 1.0)], [SeriesDescriptor(1, "m")])
    with pytest.raises(BadSamplesFile, match="too long a time"):
        run_backtest(rule(timedelta(seconds=10)), far)


def test_a_picture_of_a_change_has_its_baseline_and_speaks_chinese() -> None:
    either = Rule(
        "r", Text("Either", "双向"), "m", Aggregate.MEAN, timedelta(minutes=10), Condition.CHANGE_EITHER,
        (ThresholdLevel(Tier.RED, 0.5, 0.3),), baseline=Baseline("previous"),
    )  # fmt: skip
    drawn = draw_backtest(run_backtest(either, spaced(1, [10.0] * 30 + [30.0] * 30 + [10.0] * 30)), UTC, "zh_CN")
    for text in ("双向", "基线", "红色"):
        assert text in drawn
    assert ET.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - made a line ago


def test_no_peak_is_lost_between_two_points() -> None:
    value = np.zeros(100_000)
    value[77_777] = 5.0
    value[300:700] = np.nan
    at, kept = thin_points(np.arange(100_000), value)
    assert at.size < 3_000
    assert np.nanmax(kept) == 5.0
    assert np.isnan(kept).any()


def test_steps_are_round() -> None:
    assert round_steps(0, 99) == [0, 20, 40, 60, 80]
    assert round_steps(-0.12, 0.11) == [-0.1, -0.05, 0.0, 0.05, 0.1]
    day = list(time_steps(to_micros(START), to_micros(START.add(hours=9)), UTC))
    assert [text for _, text in day] == [f"{hour:02d}:00" for hour in range(9, 19)]
