"""Shrinkage, shifts, reserve, standby, risk and indices, on values worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from domain.health import finding
from domain.health.erlang import Objective, contacts_borne
from domain.health.finding import HealthFindingKind, UnderstaffedStretch
from domain.health.forecast import ForecastSlot
from domain.health.plan import CoreMeasure, IndexComponent
from domain.health.risk import MAX_RATIO, ExpectedLoad, RiskCause, capacity_risks, complaint_risks, worst_risk
from domain.health.service_index import compute_index, score_value
from domain.health.staffing import AgentShift, agents_to_roster, compute_reserve, compute_standby_call, count_on_shift

OBJECTIVE = Objective(0.8, 20)


@pytest.mark.parametrize(
    ("desks", "shrinkage", "people"),
    [(14, 0.3, 20), (21, 0.3, 30), (10, 0, 10), (0, 0.3, 0), (1, 0.3, 2), (7, 0.5, 14)],
)
def test_shrinkage_divides(desks: int, shrinkage: float, people: int) -> None:
    assert agents_to_roster(desks, shrinkage) == people


@pytest.mark.parametrize("shrinkage", [-0.1, 1, 1.5])
def test_a_shrinkage_that_leaves_nobody_is_refused(shrinkage: float) -> None:
    with pytest.raises(ValueError, match="leaves nobody"):
        agents_to_roster(10, shrinkage)


def test_shifts_add_up_and_go_past_midnight() -> None:
    weekdays = frozenset(range(5))
    shifts = [
        AgentShift(weekdays, 480, 1200, 40),
        AgentShift(weekdays, 720, 960, 10),
        AgentShift(frozenset({6}), 1320, 360, 5),
    ]
    assert count_on_shift(shifts, 0, 479) == 0
    assert count_on_shift(shifts, 0, 480) == 40
    assert count_on_shift(shifts, 0, 720) == 50
    assert count_on_shift(shifts, 0, 1200) == 0
    assert count_on_shift(shifts, 6, 1320) == 5
    assert count_on_shift(shifts, 0, 359) == 5  # Sunday's night shift, on Monday
    assert count_on_shift(shifts, 0, 360) == 0
    assert count_on_shift(shifts, 6, 100) == 0  # Saturday had none


def test_the_reserve_is_half_of_those_on_shift() -> None:
    short = compute_reserve(18, 40, 0.5)
    assert short is not None
    assert (short.share, short.wanted, short.missing) == (0.45, 20, 2)
    enough = compute_reserve(20, 40, 0.5)
    assert enough is not None
    assert enough.missing == 0
    odd = compute_reserve(20, 41, 0.5)
    assert odd is not None
    assert (odd.wanted, odd.missing) == (21, 1)
    assert compute_reserve(5, 0, 0.5) is None


@pytest.mark.parametrize(
    ("agents", "standby", "call", "missing"),
    [(14, 10, 0, 0), (20, 10, 0, 0), (10, 10, 4, 0), (10, 3, 3, 1), (10, None, 4, 0), (0, 0, 0, 14)],
)
def test_standby_agents_are_called_as_far_as_there_are_any(
    agents: int, standby: int | None, call: int, missing: int
) -> None:
    # 200 contacts an hour of 180 s take 14 agents (see test_health_erlang).
    found = compute_standby_call(200, 180, OBJECTIVE, agents, standby)
    assert (found.needed, found.call, found.missing) == (14, call, missing)


# --- risk ahead


def slots(*values: float | None) -> Sequence[ForecastSlot]:
    return [ForecastSlot(place * 1800, value) for place, value in enumerate(values)]


def test_the_risk_is_the_worst_slot_against_its_agents() -> None:
    borne = contacts_borne(14, 180, OBJECTIVE)
    assert 200 < borne < 220  # 14 agents are the fewest for 200, see above, and too few for 220
    ahead = ExpectedLoad(slots(50, None, 120, 60), 1800)
    risk = worst_risk(capacity_risks(ahead, lambda _: 14, 180, OBJECTIVE))
    assert risk is not None
    assert (risk.at, risk.expected, risk.cause) == (3600, 240, RiskCause.CAPACITY)
    assert risk.ratio == pytest.approx(240 / borne)


def test_agents_who_come_later_count_from_then_on() -> None:
    ahead = ExpectedLoad(slots(50, 100, 100), 1800)
    risk = worst_risk(capacity_risks(ahead, lambda start: 5 if start < 1800 else 14, 180, OBJECTIVE))
    assert risk is not None
    assert risk.at == 0


def test_a_day_that_is_twice_as_busy_goes_on_so() -> None:
    usual = worst_risk(capacity_risks(ExpectedLoad(slots(90), 1800), lambda _: 14, 180, OBJECTIVE))
    busy = worst_risk(capacity_risks(ExpectedLoad(slots(90), 1800, 2.0), lambda _: 14, 180, OBJECTIVE))
    assert usual is not None
    assert busy is not None
    assert usual.ratio < 1 < busy.ratio == pytest.approx(2 * usual.ratio)


def test_with_nobody_on_shift_the_risk_has_an_end() -> None:
    risk = worst_risk(capacity_risks(ExpectedLoad(slots(1), 1800), lambda _: 0, 180, OBJECTIVE))
    assert risk is not None
    assert risk.ratio == MAX_RATIO
    quiet = worst_risk(capacity_risks(ExpectedLoad(slots(0), 1800), lambda _: 0, 180, OBJECTIVE))
    assert quiet is not None
    assert quiet.ratio == 0


def test_complaints_against_a_limit_and_against_a_rise() -> None:
    ahead = ExpectedLoad(slots(10), 1800, 1.8)  # 20 an hour are usual, 36 expected
    limit, rise = complaint_risks(ahead, 30, 0.5)
    assert limit.ratio == rise.ratio == pytest.approx(1.2)
    assert limit.borne == rise.borne == 30
    assert list(complaint_risks(ahead, None, None)) == []
    assert list(complaint_risks(ExpectedLoad(slots(0), 1800), None, 0.5)) == []  # nothing is usual: no rise can be told


def test_what_is_not_known_is_no_risk_and_no_safety() -> None:
    assert worst_risk(capacity_risks(ExpectedLoad(slots(None, None), 1800), lambda _: 14, 180, OBJECTIVE)) is None
    assert worst_risk(capacity_risks(ExpectedLoad(slots(100), 1800), lambda _: None, 180, OBJECTIVE)) is None


# --- indices


@pytest.mark.parametrize(
    ("value", "zero", "full", "points"),
    [
        (15, 120, 15, 100),
        (120, 120, 15, 0),
        (67.5, 120, 15, 50),
        (5, 120, 15, 100),
        (300, 120, 15, 0),
        (0.9, 0.5, 0.9, 100),
    ],
)
def test_a_part_scores_by_line(value: float, zero: float, full: float, points: float) -> None:
    assert score_value(value, zero, full) == pytest.approx(points)


PARTS = [
    IndexComponent("csat", 40, 0.6, 1.0),
    IndexComponent("negative_share", 30, 0.3, 0.0),
    IndexComponent("nps", 30, -100, 100),
]


def test_an_index_is_the_weighted_mean_of_its_parts() -> None:
    found = compute_index(PARTS, [0.8, 0.3, 100], 0.5)
    assert found.value == pytest.approx((40 * 50 + 30 * 0 + 30 * 100) / 100)
    assert found.covered == 1


def test_a_part_without_figures_is_left_out_and_never_zero() -> None:
    found = compute_index(PARTS, [0.8, None, 100], 0.5)
    assert found.value == pytest.approx((40 * 50 + 30 * 100) / 70)
    assert found.covered == pytest.approx(0.7)
    assert found.parts[1].score is None


def test_too_little_is_no_index() -> None:
    assert compute_index(PARTS, [0.8, None, None], 0.5).value is None
    assert compute_index(PARTS, [None, 0.0, 100], 0.6).value == 100
    assert compute_index((), (), 0.5).value is None


def test_a_target_is_met_on_its_own_side_and_exactly() -> None:
    assert CoreMeasure("availability", target=99.9 / 100, side="at_least").meets(0.999)
    assert CoreMeasure("response_time", target=30).meets(30)
    assert CoreMeasure("response_time", target=30).meets(30.01) is False
    assert CoreMeasure("csat", target=0.85, side="at_least").meets(0.84) is False
    assert CoreMeasure("contacts").meets(3) is None


# --- findings


def test_every_finding_says_what_to_do_next() -> None:
    short = compute_reserve(10, 40, 0.5)
    assert short is not None
    found = finding.reserve_finding(short, 0.5)
    assert found is not None
    assert str(found.what) == "The reserve is 25 % of staff (10 of 40 on shift); 50 % are wanted."
    assert str(found.next) == "Put more agents on standby: 10."
    enough = compute_reserve(20, 40, 0.5)
    assert enough is not None
    assert finding.reserve_finding(enough, 0.5) is None

    called = finding.standby_finding(compute_standby_call(200, 180, OBJECTIVE, 10, 3))
    assert called is not None
    assert str(called.next) == "Call in all standby agents (3); still missing: 1. Ask the neighbouring team."
    assert finding.standby_finding(compute_standby_call(200, 180, OBJECTIVE, 14, 3)) is None

    hours = finding.understaffed_finding(
        [
            UnderstaffedStretch("03-02 09:00", "03-02 10:00", 12, 10),
            UnderstaffedStretch("03-02 14:00", "03-02 16:00", 20, 10),
        ],
        15,
    )
    assert hours is not None
    assert hours.kind is HealthFindingKind.UNDERSTAFFED
    assert "hours: 2;" in str(hours.what)
    assert "03-02 14:00 to 03-02 16:00, takes 20 agents and has 10" in str(hours.what)
    assert "03-02 14:00 to 03-02 16:00: 15 (shrinkage" in str(hours.next)
    assert finding.understaffed_finding([], 0) is None

    assert finding.risk_finding(1.0, "capacity", "14:00") is None
    risk = finding.risk_finding(1.2, "complaints", "14:00")
    assert risk is not None
    assert "120 % of the threshold" in str(risk.what)
