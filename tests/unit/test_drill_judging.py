"""What seconds say: bands, guards, overload, the knee, recovery, comparison. Seconds are made by a small queue."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.drill.comparison import compare_drills
from domain.drill.measurement import (
    DrillSecond,
    figures_out_of_band,
    find_blind_guard,
    find_bottleneck,
    find_crossed_guard,
    find_knee,
    find_recovery,
    is_overloaded,
)
from domain.drill.plan import DrillFigure, DrillPlan, GuardRail, HttpStep, Journey, LoadLevel, MeasuredPeak
from domain.drill.verdict import DrillOutcome, FaultRecovery, JudgedStage, judge_drill
from domain.text import Text
from domain.trend import Trend

BANDS = {
    DrillFigure.LATENCY: 500.0,
    DrillFigure.ERROR_RATE: 0.02,
    DrillFigure.THROUGHPUT: 0.9,
    DrillFigure.AVAILABILITY: 0.99,
    DrillFigure.SATURATION: 2.0,
    DrillFigure.RECOVERY: 900.0,
}
PLAN = DrillPlan(
    id="p", title=Text("P"), owner="o", targets=("127.0.0.1:1",), peak=MeasuredPeak(10.0), bands=BANDS,
    journeys=(Journey("j", (HttpStep("s", "GET", "http://127.0.0.1:1/"),)),),
    levels=(LoadLevel(100, timedelta(seconds=20)), LoadLevel(200, timedelta(seconds=20))),
)  # fmt: skip


def queue(
    rate: float, capacity: float, seconds: int, *, dice: random.Random, start: float = 0.0, backlog: float = 0.0,
    segment: str = "s",
) -> list[DrillSecond]:  # fmt: skip
    """Poisson arrivals before so many servers; latency is what waits over what is served."""
    found = []
    for number in range(1, seconds + 1):
        offered = _poisson(rate, dice)
        done = min(backlog + offered, _poisson(capacity, dice))
        backlog += offered - done
        latency = 20 + 1000 * backlog / max(capacity, 1)
        found.append(
            DrillSecond(
                at=start + number, segment=segment, rate=rate, offered=offered, completed=int(done), broken=0,
                steps=int(done), failed=0, unanswered=0, p95=latency if done else None,
                under_way=int(backlog + rate / 2),
                oldest=latency, lag=1.0, cpu=0.1, by_step={"s": [done, 0, done * latency / 1000]}, peak=10.0,
            )
        )  # fmt: skip
    return found


def _poisson(mean: float, dice: random.Random) -> int:
    limit, count, product = math.exp(-mean), 0, 1.0
    while mean > 0:
        product *= dice.random()
        if product <= limit:
            break
        count += 1
    return count


@pytest.mark.parametrize("seed", range(20))
def test_a_stage_within_capacity_is_not_overloaded_and_one_beyond_is(seed: int) -> None:
    dice = random.Random(seed)
    assert not is_overloaded(queue(10, 20, 20, dice=dice))
    assert is_overloaded(queue(20, 12, 20, dice=dice))


@pytest.mark.parametrize("seed", range(20))
def test_the_knee_is_the_capacity(seed: int) -> None:
    dice = random.Random(seed)
    capacity = dice.uniform(11, 16)
    stages = [(100, queue(10, capacity, 20, dice=dice)), (200, queue(20, capacity, 80, dice=dice))]
    found = find_knee(stages)
    assert found is not None
    assert found.rate == pytest.approx(capacity, rel=0.15)
    assert found.low < found.rate < found.high
    assert find_knee(stages[:1]) is None


def test_silence_is_no_good_news() -> None:
    dead = [replace(one, steps=0, completed=0, p95=None, oldest=4_000.0, under_way=40) for one in
            queue(10, 20, 3, dice=random.Random(1))]  # fmt: skip
    assert set(figures_out_of_band(dead, BANDS)) >= {
        DrillFigure.LATENCY,
        DrillFigure.THROUGHPUT,
        DrillFigure.SATURATION,
    }


def test_chance_alone_is_not_out_of_band() -> None:
    one = replace(queue(10, 20, 1, dice=random.Random(1))[0], steps=10, failed=1)  # 10 % of ten is one
    assert DrillFigure.ERROR_RATE not in figures_out_of_band([one], BANDS)
    many = replace(one, steps=1_000, failed=100)
    assert DrillFigure.ERROR_RATE in figures_out_of_band([many], BANDS)


def test_a_guard_holds_for_as_long_as_it_says() -> None:
    good = queue(10, 20, 10, dice=random.Random(1))
    bad = [replace(one, failed=one.steps) for one in good]
    guard = GuardRail(DrillFigure.ERROR_RATE, 0.5, 5)
    assert find_crossed_guard([guard], [*good, *bad[:4]]) is None
    assert find_crossed_guard([guard], [*good, *bad[:5]]) is guard
    assert find_crossed_guard([guard], [*bad[:5], good[0]]) is None


@pytest.mark.parametrize("ends", [7, 12, 21])
def test_recovery_is_when_all_figures_are_good_again(ends: int) -> None:
    good = queue(10, 40, 40, dice=random.Random(3))
    course = [replace(one, under_way=200) if one.at <= ends else one for one in good]
    found = find_recovery(course, BANDS, since=2.0)
    assert found is not None
    assert abs(found - ends) <= 1.0
    assert find_recovery(course[:ends], BANDS, since=2.0) is None
    assert find_recovery([replace(one, under_way=200) for one in good], BANDS, since=2.0) is None


def held(percent: int, seconds: Sequence[DrillSecond]) -> JudgedStage:
    return JudgedStage(f"{percent} %", percent, percent / 10, seconds, is_overloaded(seconds))


def test_a_chain_that_carries_all_passes_and_one_that_does_not_fails_by_name() -> None:
    dice = random.Random(5)
    strong = [held(100, queue(10, 60, 20, dice=dice)), held(200, queue(20, 60, 20, dice=dice))]
    assert judge_drill(PLAN, strong, None).outcome is DrillOutcome.PASS
    weak = [strong[0], held(200, queue(20, 13, 20, dice=dice))]
    verdict = judge_drill(PLAN, weak, None)
    assert verdict.outcome is DrillOutcome.FAIL
    assert verdict.reasons[0].values["percent"] == 200
    assert verdict.reasons[0].values["step"] == "s"
    assert judge_drill(PLAN, strong[:1], None).outcome is DrillOutcome.FAIL, "200 % was never reached"
    assert judge_drill(PLAN, strong, None, left_behind=2).outcome is DrillOutcome.FAIL
    assert judge_drill(PLAN, strong, None, stopped="guard-rail").outcome is DrillOutcome.FAIL


def test_not_recovered_reads_as_more_than_the_horizon() -> None:
    dice = random.Random(5)
    strong = [held(100, queue(10, 60, 20, dice=dice)), held(200, queue(20, 60, 20, dice=dice))]
    verdict = judge_drill(PLAN, strong, FaultRecovery(100.0, 110.0, 120.0, None, 60.0))
    assert verdict.outcome is DrillOutcome.FAIL
    assert verdict.reasons[0].values == {"horizon": "60"}
    seen = judge_drill(PLAN, strong, FaultRecovery(100.0, 110.0, 120.0, 131.0, 60.0))
    assert seen.outcome is DrillOutcome.PASS
    assert seen.recovery is not None
    assert seen.recovery.parts() == {"detect": 10.0, "acknowledge": None, "mitigate": 10.0, "recover": 11.0}

    blind = judge_drill(PLAN, strong, FaultRecovery(100.0, None, 120.0, 131.0, 60.0))
    assert [reason.template for reason in blind.reasons] == ["no rule saw the fault"]


def test_a_generator_that_was_the_bottleneck_is_invalid() -> None:
    dice = random.Random(5)
    strong = [held(100, queue(10, 60, 20, dice=dice)), held(200, queue(20, 60, 20, dice=dice))]
    late = [replace(one, lag=400.0) for one in strong[1].seconds]
    assert find_bottleneck(late)
    assert judge_drill(PLAN, [strong[0], held(200, late)], None).outcome is DrillOutcome.INVALID
    busy = [replace(one, cpu=0.99) for one in strong[1].seconds]
    assert judge_drill(PLAN, [strong[0], held(200, busy)], None).outcome is DrillOutcome.INVALID


def latencies(seed: int, factor: float = 1.0) -> dict[str, list[float]]:
    """Seconds that hang together (an autoregressive course), as a queue makes them."""
    dice, found = random.Random(seed), {}
    for name, base in (("50 %", 20.0), ("100 %", 25.0), ("150 %", 32.0), ("200 %", 45.0)):
        noise, values = 0.0, []
        for _ in range(20):
            noise = 0.6 * noise + dice.gauss(0, 0.08)
            values.append(base * factor * math.exp(noise))
        found[name] = values
    return found


def test_no_regression_is_claimed_between_equal_drills_and_a_slowdown_is_found() -> None:
    said = [compare_drills(latencies(seed), latencies(1_000 + seed)) for seed in range(20)]
    assert [change.trend for change in said if change and change.trend is Trend.WORSE] == []
    slow = [compare_drills(latencies(seed), latencies(1_000 + seed, 1.3)) for seed in range(20)]
    found = sum(change is not None and change.trend is Trend.WORSE for change in slow)
    assert found == 20
    quick = compare_drills(latencies(1, 1.5), latencies(2))
    assert quick is not None
    assert quick.trend is Trend.BETTER
    assert compare_drills({"50 %": [1.0] * 3}, {"50 %": [1.0] * 3}) is None


@pytest.mark.parametrize(
    ("acknowledged", "parts"),
    [
        (114.0, {"detect": 10.0, "acknowledge": 4.0, "mitigate": 6.0, "recover": 11.0}),
        (125.0, {"detect": 10.0, "acknowledge": 15.0, "mitigate": 10.0, "recover": 11.0}),  # when it was right already
    ],
)
def test_an_acknowledgement_is_a_part_of_recovery_only_where_it_came_before_the_repair(
    acknowledged: float, parts: dict[str, float]
) -> None:
    recovery = FaultRecovery(100.0, 110.0, 120.0, 131.0, 60.0, acknowledged)
    assert recovery.parts() == parts
    if acknowledged < 120:
        assert sum(parts.values()) == recovery.rto


def test_a_guard_that_nothing_can_be_judged_by_any_more_is_blind() -> None:
    """Load is sent and no step ends, in whatever way: an error rate says nothing, and guards nothing."""
    guards = (GuardRail(DrillFigure.ERROR_RATE, 0.5, 2), GuardRail(DrillFigure.LATENCY, 60_000.0, 2))
    seconds = queue(10, 0, 4, dice=random.Random(3))
    silent = [replace(one, steps=0, completed=0, p95=None, oldest=1000.0 * place) for place, one in enumerate(seconds)]
    assert find_blind_guard(guards, silent) is None, "four seconds are too few"
    silent += [replace(silent[-1], at=5.0)]
    assert find_blind_guard(guards, silent) == guards[0], "what waits is a latency, but no error rate"
    assert find_blind_guard(guards, [*silent[:-1], replace(silent[-1], steps=1)]) is None
    assert find_blind_guard(guards, [replace(one, offered=0) for one in silent]) is None, "nobody came"
