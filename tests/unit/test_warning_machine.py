"""The states of a rule: each case a few readings in a row, and where they lead."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.durations import later
from domain.text import Text
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Condition, Rule, ThresholdLevel, Tier, tier_rank
from domain.warning.rule_state import RulePhase, RuleState
from domain.warning.state_machine import advance_state

START = pendulum.datetime(2026, 3, 2, 10)
TICK = timedelta(seconds=10)
YELLOW, RED = Tier.YELLOW, Tier.RED
LEVELS = (ThresholdLevel(YELLOW, 30, 25), ThresholdLevel(RED, 60, 50))
# How a reading is written in the tables: a value, too few events behind it, a gap, or silence.
FEW, GAP, SILENCE = "few", "gap", "silence"


def rule(**more: Any) -> Rule:
    given_ = {"levels": LEVELS, "min_samples": 20, "no_data_after": timedelta(minutes=5), **more}
    return Rule("r", Text("R"), "m", Aggregate.MEAN, timedelta(minutes=1), Condition.ABOVE, **given_)


def at(tick: int) -> pendulum.DateTime:
    return later(START, TICK * tick)


def reading(what: float | str, tick: int) -> RuleReading:
    now = at(tick)
    if what == FEW:
        return RuleReading(now, 99.0, 3, newest=now)
    if what == GAP:
        return RuleReading(now, None, newest=later(now, timedelta(minutes=-4)))
    if what == SILENCE:
        return RuleReading(
            now, 99.0, 100, newest=later(now, timedelta(minutes=-5))
        )  # a long window still has old samples
    return RuleReading(now, float(what), 100, newest=now)


def run(limit: Rule, readings: Sequence[float | str], standing: RuleState | None = None) -> list[RuleState]:
    found = [standing or RuleState()]
    for tick, what in enumerate(readings):
        found.append(advance_state(limit, found[-1], reading(what, tick)))
    return found[1:]


def short(standing: RuleState) -> str:
    """A standing in a word: `F:red`, with `+` while it waits for worse and `?` while it is silent."""
    letter = {"ok": "-", "pending": "P", "firing": "F", "recovering": "R", "no_data": "N"}[standing.phase]
    tier = f":{standing.tier}" if standing.tier else ""
    return f"{letter}{tier}{'+' if standing.worse else ''}{'?' if standing.silent else ''}"


F20 = {"for_": timedelta(seconds=20)}
K20 = {"keep_firing": timedelta(seconds=20)}
TABLE: list[tuple[str, dict[str, Any], list[float | str], str]] = [
    ("good stays good", {}, [1, 30, 29], "- - -"),
    ("without `for` it fires at once", {}, [1, 31], "- F:yellow"),
    ("it goes on between threshold and recover", {}, [31, 30, 26, 25.1], "F:yellow F:yellow F:yellow F:yellow"),
    ("at recover it is over", {}, [31, 25], "F:yellow -"),
    ("it fires when `for` has passed", F20, [31, 31, 31], "P:yellow P:yellow F:yellow"),
    ("one good reading drops what is pending", F20, [31, 31, 30, 31, 31], "P:yellow P:yellow - P:yellow P:yellow"),
    ("too few events drop what is pending", F20, [31, 31, FEW, 31], "P:yellow P:yellow - P:yellow"),
    ("a gap holds what is pending, and does not fire", F20, [31, GAP, GAP, GAP, 31],
     "P:yellow P:yellow P:yellow P:yellow F:yellow"),
    ("red from the start", {}, [61], "F:red"),
    ("yellow worsens at once without `for`", {}, [31, 61], "F:yellow F:red"),
    ("red has its own `for`", F20, [31, 31, 61, 61, 61],
     "P:yellow P:yellow F:yellow+ F:yellow+ F:red"),
    ("red begun while pending fires when its own time is up", F20, [31, 61, 61, 61],
     "P:yellow P:yellow+ F:yellow+ F:red"),
    ("what is left of a pending red was yellow all along", F20, [61, 31, 31], "P:red P:yellow F:yellow"),
    ("a worse that passes is forgotten", F20, [31, 31, 31, 61, 55, 61, 61, 61],
     "P:yellow P:yellow F:yellow F:yellow+ F:yellow F:yellow+ F:yellow+ F:red"),
    ("red stays red above its recover", {}, [61, 51], "F:red F:red"),
    ("below red's recover it is a yellow", {}, [61, 50], "F:red F:yellow"),
    ("straight down is over", {}, [61, 20], "F:red -"),
    ("it must stay good for keep_firing", K20, [31, 20, 20, 20, 20],
     "F:yellow R:yellow R:yellow - -"),
    ("bad again while recovering is the same firing", K20, [31, 20, 31, 20, 20, 20],
     "F:yellow R:yellow F:yellow R:yellow R:yellow -"),
    ("not beyond recover any more is not recovered", K20, [31, 20, 26], "F:yellow R:yellow F:yellow"),
    ("worse while recovering", K20, [31, 20, 61], "F:yellow R:yellow F:red"),
    ("a red that recovers and is yellow again is a yellow", K20, [61, 20, 31], "F:red R:red F:yellow"),
    ("too few events neither end nor worsen", {}, [31, FEW, FEW, 25], "F:yellow F:yellow F:yellow -"),
    ("too few events drop what waits for worse", F20, [31, 31, 61, FEW, 61, 61, 61],
     "P:yellow P:yellow F:yellow+ F:yellow F:yellow+ F:yellow+ F:red"),
    ("recovering ends on a good reading only", K20, [31, 20, FEW, FEW, GAP, 20],
     "F:yellow R:yellow R:yellow R:yellow R:yellow -"),
    ("silence is shown where nothing fires", {}, [1, SILENCE, SILENCE, 1], "- N N -"),
    ("bad right after silence", {}, [SILENCE, 31], "N F:yellow"),
    ("a gap after silence says nothing yet", {}, [SILENCE, GAP], "N N"),
    ("few after silence is no silence", {}, [SILENCE, FEW], "N -"),
    ("silence drops what is pending", F20, [31, SILENCE, 31], "P:yellow N P:yellow"),
    ("keep: silence keeps what fires", {"no_data": "keep"}, [31, SILENCE, SILENCE, 31, 20],
     "F:yellow F:yellow? F:yellow? F:yellow -"),
    ("keep: silence is no recovery", {**K20, "no_data": "keep"}, [31, 20, SILENCE, 20, 20, 20],
     "F:yellow R:yellow F:yellow? R:yellow R:yellow -"),
    ("keep: what waits for worse is dropped by silence", {**F20, "no_data": "keep"}, [31, 31, 61, SILENCE],
     "P:yellow P:yellow F:yellow+ F:yellow?"),
    ("resolve: silence ends a yellow", {"no_data": "resolve"}, [31, SILENCE, 31], "F:yellow N F:yellow"),
    ("resolve: silence ends a recovering yellow", {**K20, "no_data": "resolve"}, [31, 20, SILENCE],
     "F:yellow R:yellow N"),
    ("resolve: silence never ends a red", {"no_data": "resolve"}, [61, SILENCE, SILENCE], "F:red F:red? F:red?"),
    ("resolve: nor a recovering red", {**K20, "no_data": "resolve"}, [61, 20, SILENCE], "F:red R:red F:red?"),
    ("warn: silence fires at the mildest level", {"no_data": "warn"}, [1, SILENCE], "- F:yellow?"),
    ("warn: figures that are good end it", {"no_data": "warn"}, [SILENCE, SILENCE, 20], "F:yellow? F:yellow? -"),
    ("warn: few figures end it too", {"no_data": "warn"}, [SILENCE, FEW], "F:yellow? -"),
    ("warn: figures that are bad go on", {"no_data": "warn"}, [SILENCE, 61], "F:yellow? F:red"),
    ("warn: a firing by figures is not ended by few", {"no_data": "warn"}, [31, SILENCE, FEW],
     "F:yellow F:yellow? F:yellow"),
]  # fmt: skip


@pytest.mark.parametrize(("says", "options", "readings", "states"), TABLE, ids=[row[0] for row in TABLE])
def test_states(says: str, options: dict[str, Any], readings: list[float | str], states: str) -> None:
    assert " ".join(map(short, run(rule(**options), readings))) == states


def test_yellow_to_red_to_yellow_and_flapping_is_one_firing_with_one_beginning() -> None:
    states = run(rule(**K20), [1, 31, 61, 50, 20, 31, 61, 20, 20, 20, 31])
    assert {state.firing_since for state in states[1:9]} == {at(1)}
    assert states[9].firing_since is None
    assert states[10].firing_since == at(10)


def test_the_figures_of_a_change_stay_until_the_next_change() -> None:
    states = run(rule(), [31, 45, 61, 70])
    assert [state.value for state in states] == [31, 31, 61, 61]


@pytest.mark.parametrize("options", [{}, F20, K20, {"no_data": "warn"}])
def test_nothing_happened_is_the_same_object(options: dict[str, Any]) -> None:
    cases: list[list[float | str]] = [
        [1, 1],
        [31, 31, 31, 32],
        [31, 31, 31, 26],
        [SILENCE, SILENCE],
        [31, 31, 31, SILENCE, SILENCE],
    ]
    for readings in cases:
        states = run(rule(**options), readings)
        assert states[-1] is states[-2], readings


def test_a_series_that_never_spoke_is_silent_after_a_while_not_at_once() -> None:
    limit = rule(no_data="warn")
    first = advance_state(limit, RuleState(), RuleReading(at(0), None))
    assert (first.phase, first.since) == (RulePhase.OK, at(0))
    assert advance_state(limit, first, RuleReading(at(29), None)) is first
    assert short(advance_state(limit, first, RuleReading(at(30), None))) == "F:yellow?"
    quiet = advance_state(rule(), first, RuleReading(at(30), None))
    assert short(quiet) == "N"
    assert advance_state(rule(), quiet, RuleReading(at(31), None)) is quiet


def test_a_reading_from_before_the_phase_changes_nothing() -> None:
    firing = run(rule(), [1, 1, 31])[-1]
    for what in (1, 61, FEW, SILENCE, GAP):
        assert advance_state(rule(), firing, reading(what, 1)) is firing


def test_without_a_baseline_what_fires_goes_on_and_what_pends_is_dropped() -> None:
    change = replace(
        rule(**F20), condition=Condition.CHANGE_ABOVE, levels=(ThresholdLevel(RED, 0.5, 0.3),), min_samples=0
    )

    def step(standing: RuleState, tick: int, baseline: float | None) -> RuleState:
        return advance_state(change, standing, RuleReading(at(tick), 40.0, 100, baseline, 100, at(tick)))

    pending = step(step(RuleState(), 0, 20.0), 1, 20.0)
    assert short(pending) == "P:red"
    assert short(step(pending, 2, None)) == "-"
    firing = step(pending, 2, 20.0)
    assert short(firing) == "F:red"
    assert step(firing, 3, None) is firing


# --- properties

rules = st.builds(
    rule,
    levels=st.sampled_from([LEVELS, LEVELS[:1], LEVELS[1:]]),
    for_=st.sampled_from([timedelta(0), TICK, TICK * 3, timedelta(seconds=25)]),
    keep_firing=st.sampled_from([timedelta(0), TICK, TICK * 4]),
    no_data=st.sampled_from(["keep", "warn", "resolve"]),
)
figures = st.sampled_from([20, 20, 27, 31, 31, 55, 61, 61, FEW, GAP, SILENCE])
histories = st.lists(figures, max_size=40)


@given(rules, histories)
def test_a_restart_at_any_tick_changes_nothing(limit: Rule, history: list[float | str]) -> None:
    through = run(limit, history)
    standing = RuleState()
    for tick, what in enumerate(history):
        rebuilt = pickle.loads(pickle.dumps(standing))  # noqa: S301 - our own bytes
        standing = advance_state(pickle.loads(pickle.dumps(limit)), rebuilt, reading(what, tick))  # noqa: S301
        assert standing == through[tick]


@given(rules, histories)
def test_equal_means_the_same_object(limit: Rule, history: list[float | str]) -> None:
    begin = RuleState()
    for before, after in pairwise([begin, *run(limit, history, begin)]):
        assert (before == after) is (before is after)


@given(rules, histories)
def test_it_never_fires_before_its_for_of_breached_readings(limit: Rule, history: list[float | str]) -> None:
    threshold = {level.tier: level.threshold for level in limit.levels}
    before = RuleState()
    for tick, after in enumerate(run(limit, history)):
        raised = (
            after.warns and tier_rank(after.tier) > (tier_rank(before.tier) if before.warns else 0) and not after.silent
        )
        # A silence that warned has its level already, and figures may then take it on.
        if raised and after.tier is not None:
            ticks = int(-(-limit.for_ // TICK))
            lately = [what for what in history[max(0, tick - ticks) : tick + 1] if what != GAP]
            assert tick >= ticks
            assert history[tick] != GAP
            assert all(isinstance(what, int) and what > threshold[after.tier] for what in lately)
        before = after


@given(rules, histories)
def test_a_firing_has_one_beginning_until_it_ends(limit: Rule, history: list[float | str]) -> None:
    before = RuleState()
    for tick, after in enumerate(run(limit, history)):
        assert (after.firing_since is not None) is after.warns
        if before.warns and after.warns:
            assert after.firing_since == before.firing_since
        elif after.warns:
            assert after.firing_since == at(tick)
        before = after


@given(rules, histories)
def test_a_red_never_ends_by_silence_and_a_warning_only_by_a_good_figure(
    limit: Rule, history: list[float | str]
) -> None:
    good = min(level.recover for level in limit.levels)
    before = RuleState()
    for what, after in zip(history, run(limit, history), strict=True):
        if before.warns and not after.warns:
            by_figure = isinstance(what, int) and what <= good
            by_silence = what == SILENCE and limit.no_data == "resolve" and before.tier is YELLOW
            end_of_silence = what == FEW and before.silent and before.value is None
            assert by_figure or by_silence or end_of_silence
        before = after


@given(rules, histories)
def test_legal_moves_only(limit: Rule, history: list[float | str]) -> None:
    legal = {
        RulePhase.OK: {"pending", "firing", "no_data"}, RulePhase.PENDING: {"ok", "firing", "no_data"},
        RulePhase.FIRING: {"ok", "recovering", "no_data"}, RulePhase.RECOVERING: {"ok", "firing", "no_data"},
        RulePhase.NO_DATA: {"ok", "pending", "firing"},
    }  # fmt: skip
    before = RuleState()
    for after in run(limit, history):
        assert after.phase == before.phase or str(after.phase) in legal[before.phase]
        assert (after.tier is None) is (after.phase in (RulePhase.OK, RulePhase.NO_DATA))
        assert not (after.silent and after.phase is not RulePhase.FIRING)
        assert after.worse is None or tier_rank(after.worse) > tier_rank(after.tier)
        before = after


@given(rules, st.lists(st.sampled_from([20, 27, 31, 61]), max_size=15))
def test_more_ticks_of_the_same_figures_fire_no_earlier_than_for_and_no_later(limit: Rule, history: list[int]) -> None:
    """Each figure seen three times, every 10 s instead of every 30: what a coarse eye sees, a fine one saw by then."""
    fine, coarse = RuleState(), RuleState()
    began: pendulum.DateTime | None = None
    for tick, what in enumerate(history):
        for third in range(3):
            now = 3 * tick + third
            fine = advance_state(limit, fine, reading(what, now))
            bad = what > limit.levels[0].threshold
            began = (began or at(now)) if bad else None
            if fine.firing_since == at(now):
                assert began is not None
                assert at(now).timestamp() - began.timestamp() >= limit.for_.total_seconds()
        coarse = advance_state(limit, coarse, reading(what, 3 * tick))
        if coarse.warns and coarse.firing_since == at(3 * tick):
            assert fine.firing_since is None or fine.firing_since <= at(3 * tick)


@given(rules, histories, st.sampled_from([0, 3, 17]))
def test_an_earlier_reading_never_moves_it_back(limit: Rule, history: list[float | str], back: int) -> None:
    standing = RuleState()
    for tick, what in enumerate(history):
        standing = advance_state(limit, standing, reading(what, tick + 100))
        if standing.since is not None:
            early = int((standing.since.timestamp() - START.timestamp()) // 10) - 1 - back
            assert advance_state(limit, standing, reading(61, early)) is standing
