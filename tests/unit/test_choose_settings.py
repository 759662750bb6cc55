"""Settings are chosen by the first half alone, and the quick model that tries them all agrees with the evaluator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pendulum
import pytest

from engine.warning.backtest import RecordedSamples, collect_samples, run_backtest
from engine.warning.sample_arrays import SECOND, Floats, SeriesDescriptor
from examples import choose_settings
from examples.choose_settings import Disruption, RuleSettings, Tried
from playbooks.rule_loader import load_rule
from playbooks.rulebook import SHIPPED
from storage.samples.sample_store import to_micros

RULE = load_rule(SHIPPED / "seasonal-volume.yaml").rule
START = to_micros(pendulum.datetime(2026, 3, 2))
HOUR = 3600 * SECOND
WEEK = 7 * 24
GRID = {
    "WINDOWS": (2, 6), "FORS": (0, 3), "KEEPS": (0, 6), "THRESHOLDS": (0.2, 0.4), "WEEKS": (2, 4), "MIN_WEEKS": (2,),
    "COPIES": 6, "SIZES": (0.5, 0.6),
}  # fmt: skip


def demand(seed: int, weeks: int = 5) -> Floats:
    """Hourly figures with a daily rhythm, noise, and stretches that are far off."""
    random = np.random.default_rng(seed)
    at = np.arange(weeks * WEEK)
    values = 1000 + 500 * np.sin(at / 24 * 2 * np.pi) + random.normal(0, 60, at.size)
    for start in random.integers(2 * WEEK, at.size - 40, 6):
        values[start : start + random.integers(1, 40)] *= random.uniform(0.4, 1.6)
    return np.round(values)


def figures(values: Floats) -> RecordedSamples:
    rows = [(0, START + place * HOUR, value, 1.0) for place, value in enumerate(values.tolist())]
    return collect_samples(rows, [SeriesDescriptor(0, "contacts", {})])


@pytest.fixture(name="small")
def small_fixture(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in GRID.items():
        monkeypatch.setattr(choose_settings, name, values)


@pytest.mark.parametrize(
    ("seed", "settings"),
    [
        (1, RuleSettings(1, 0, 0, 0.2, 4, 2)),
        (23, RuleSettings(4, 2, 6, 0.2, 4, 3)),
        (3, RuleSettings(8, 0, 12, 0.15, 3, 2)),
        (4, RuleSettings(2, 6, 1, 0.1, 2, 2)),
        (5, RuleSettings(8, 2, 12, 0.25, 8, 3)),
        (6, RuleSettings(12, 3, 24, 0.1, 3, 1)),
    ],
    ids=str,
)
def test_the_quick_model_agrees_with_the_evaluator(seed: int, settings: RuleSettings) -> None:
    values = demand(seed)
    change = np.abs(choose_settings.changes(values[None], settings.window, WEEK, settings.weeks, settings.min_weeks)[0])
    quick = choose_settings.begins(
        choose_settings.runs(change >= settings.threshold),
        choose_settings.runs(change < settings.threshold / 2),
        settings.for_,
        settings.keep_firing,
    )
    firings = run_backtest(settings.of(RULE), figures(values)).firings
    assert len(firings) >= 2
    assert [(to_micros(one.began) - START) // HOUR for one in firings] == quick.tolist()


def test_every_settings_of_the_grid_is_tried_and_counted_as_the_evaluator_counts(small: None) -> None:
    values = demand(7, weeks=6)
    copies = list(choose_settings.injected(values, 1, Disruption(0, np.full(24, 0.5)), 1))
    tried = list(choose_settings.try_all(values, 1, copies))
    assert len({one.settings for one in tried}) == len(tried) == 32
    copy, disruptions = copies[0]
    for one in tried[3::12]:
        rule = one.settings.of(RULE)
        assert one.as_it_is == len(run_backtest(rule, figures(values)).firings)
        began = [(to_micros(firing.began) - START) // HOUR for firing in run_backtest(rule, figures(copy)).firings]
        found = sum(any(span.start < at <= span.end for at in began) for span in disruptions)
        assert (one.found, one.needless) == (found, len(began) - found)


def test_a_warning_that_stands_at_the_end_of_one_copy_hides_none_in_the_next(small: None) -> None:
    values = np.full(4 * WEEK, 1000.0)
    values[-10:] *= 3
    copy, disruption = values.copy(), Disruption(2 * WEEK + 6, np.full(24, 3.0))
    disruption.befall(copy)
    for one in choose_settings.try_all(values, 1, [(copy, (disruption,))]):
        assert (one.as_it_is, one.found) == (1, 1)


@pytest.mark.parametrize(
    ("places", "found", "needless"),
    [
        ([], 0, 0),
        ([11], 1, 0),  # sees its first figure
        ([20], 1, 0),  # its last
        ([10], 0, 1),  # before anything was to be seen
        ([21], 0, 1),  # when it was over
        ([12, 18], 1, 1),  # told again
        ([12, 35, 50], 2, 1),  # both, and an echo
    ],
)
def test_the_first_warning_of_a_disruption_finds_it_and_every_other_is_needless(
    places: list[int], found: int, needless: float
) -> None:
    spans = np.array([[(10, 20), (30, 40)]])
    rows = np.array([0, *(1 for _ in places)])
    tried = choose_settings._tried(RuleSettings(1, 0, 0, 0.1, 4, 2), rows, np.array([15, *places]), spans)
    assert (tried.as_it_is, tried.found, tried.needless) == (1, found, needless)


def test_disruptions_are_put_where_there_is_a_baseline_and_nothing_else_is_touched() -> None:
    values = demand(8, weeks=9)
    like = Disruption(5, np.linspace(0.5, 0.8, 48))
    copies = list(choose_settings.injected(values, 1, like, 20))
    assert len({one.start for _, found in copies for one in found}) > 40  # at random, not again and again the same
    for copy, found in copies:
        touched = np.zeros(values.size, dtype=bool)
        for one in found:
            touched[one.start : one.end] = True
            assert one.start >= 3 * WEEK + 24
        assert touched.sum() == sum(one.shape.size for one in found)
        assert (copy[~touched] == values[~touched]).all()
        drop, rise, alike = found
        assert 0.4 <= drop.shape[0] <= 0.8
        assert 1.2 <= rise.shape[0] <= 1.6
        assert alike.start % 24 == 5
        assert np.ptp(np.log(alike.shape) / np.log(like.shape[: alike.shape.size])) < 1e-9
        assert (copy[drop.start : drop.end] == np.round(values[drop.start : drop.end] * drop.shape)).all()


def test_a_known_disruption_is_measured_against_the_weeks_after_it() -> None:
    values = np.tile(np.arange(1.0, WEEK + 1), 8)
    values[24:48] *= 0.7
    values[24 + WEEK : 48 + WEEK] *= 3  # one strange week among four
    assert np.allclose(choose_settings.known(values, 1, 24, 48).shape, 0.7)


def tried(found: int, needless: float, window: int = 4, keep: int = 6) -> Tried:
    return Tried(RuleSettings(window, 0, keep, 0.2, 4, 3), 0, found, needless)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([tried(90, 2.0), tried(60, 1.0)], 1),  # the better is too loud
        ([tried(90, 1.4), tried(60, 0.1)], 0),  # much better
        ([tried(90, 1.4), tried(88, 1.1), tried(86, 0.9)], 1),  # within 3 of 100 they are equals
        ([tried(90, 1.4, window=8), tried(90, 1.4, window=2)], 1),  # as quiet: the quicker
        ([tried(90, 1.4, keep=12), tried(90, 1.4)], 1),  # as quick: the simpler
    ],
)
def test_of_the_quiet_enough_that_find_the_most_the_quietest_is_taken(offered: list[Tried], chosen: int) -> None:
    assert choose_settings.choose(offered, 100, 1.5) == offered[chosen]
    assert choose_settings.choose(offered[::-1], 100, 1.5) == offered[chosen]


def test_the_second_half_has_no_say(small: None) -> None:
    values = demand(9, weeks=18)
    other = values.copy()
    other[values.size // 2 :] *= 7
    like = ("2026-03-04", "2026-03-05")
    choices = [
        choose_settings.choose_on(choose_settings.first_half(figures(one)), like, 50)[0] for one in (values, other)
    ]
    assert choices[0] == choices[1]
    assert choices[0].found
    last = choose_settings.first_half(figures(values)).columns.at[-1]
    assert last == START + (values.size // 2 - 1) * HOUR


def test_the_script_says_what_it_chose_and_what_is_wrong(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "contacts.csv"
    start = pendulum.datetime(2026, 3, 2)
    lines = [f"{start.add(hours=at).to_datetime_string()},{value:g}" for at, value in enumerate(demand(9, weeks=18))]
    path.write_text("timestamp,value\n" + "\n".join(lines) + "\n", encoding="utf-8")
    like = ["--like", "2026-03-04", "2026-03-05"]
    assert choose_settings.main([str(path), *like, "--needless", "50"]) == 0
    said = capsys.readouterr().out
    assert "chosen on the figures until 2026-05-03 23:00:00: window " in said
    assert "of 18 injected disruptions" in said
    assert choose_settings.main([str(path), *like, "--needless", "-1"]) == 1
    assert "no settings of the grid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[: 8 * WEEK - 1], "8 weeks or more"),
        (lambda rows: rows[:40] + rows[41:], "evenly spaced"),
        (lambda rows: [(number % 2, *row[1:]) for number, row in enumerate(rows)], "one series"),
        (lambda rows: rows[: 8 * WEEK], "1 to 7 days"),
    ],
)
def test_a_history_that_cannot_tell_is_refused(change: object, said: str, small: None) -> None:
    assert callable(change)
    rows = [(0, START + place * HOUR, value, 1.0) for place, value in enumerate(demand(9, weeks=9).tolist())]
    history = collect_samples(change(rows), [SeriesDescriptor(0, "contacts", {})])
    if said == "one series":
        history = replace(
            history, series=(SeriesDescriptor(0, "contacts", {}), SeriesDescriptor(1, "contacts", {"queue": "b"}))
        )
    with pytest.raises(ValueError, match=said):
        choose_settings.choose_on(history, ("2026-04-20", "2026-04-21"), 1.5)
