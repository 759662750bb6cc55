"""The board over stored figures, on values worked out by hand; both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from pendulum import DateTime

from domain.health.erlang import Objective, agents_needed, contacts_borne
from domain.health.finding import HealthFindingKind
from domain.health.plan import CoreFigureName, IndexName
from domain.health.risk import RiskCause
from engine.health import risk_ahead
from engine.health.board import CoreMetric, HealthBoard, HealthReport
from engine.health.board_factory import open_board
from playbooks.rulebook import Rulebook
from storage.samples import health_queries, rollups
from storage.samples.rollups import roll_up
from storage.samples.sample_store import (
    LIVE_FEED,
    SampleBatch,
    SampleStore,
    canonical_labels,
    open_sample_store,
    to_micros,
)
from storage.settings import Settings, load_settings

NOW = pendulum.datetime(2026, 3, 16, 6, 0)  # a Monday, 14:00 in Shanghai
MINUTE = timedelta(minutes=1)
OBJECTIVE = Objective(0.8, 20)  # with it the published example of ten erlangs takes 14 agents


@pytest.fixture(name="settings")
def settings_fixture(home: Path, database_url: str) -> Settings:
    return load_settings(home=home, database_url=database_url)


@pytest.fixture(name="figures")
def figures_fixture(settings: Settings) -> Iterator[SampleStore]:
    opened = open_sample_store(settings)
    yield opened
    opened.close()


def push(
    figures: SampleStore, metric: str, *samples: tuple[float, float, float], feed: str = "", **labels: str
) -> None:
    """Minutes before NOW, value, events."""
    batch = SampleBatch(feed)
    for ago, value, events in samples:
        batch.add((metric, canonical_labels(labels)), to_micros(NOW) - round(ago * 60e6), value, events)
    figures.take([batch], NOW)


def weeks(figures: SampleStore, metric: str, half_hour: float, count: int = 4, **labels: str) -> None:
    """The same volume in every half hour of so many weeks, up to now."""
    push(figures, metric, *((30 * place + 10, half_hour, 1) for place in range(count * 7 * 48)), **labels)


def board(settings: Settings, figures: SampleStore, text: str = "") -> HealthBoard:
    if text:
        (settings.home / "health.yaml").write_text(text)
    return open_board(settings, figures, Rulebook(settings.home))[0]


def core(found: HealthReport, name: CoreFigureName) -> CoreMetric:
    return next(one for one in found.core if one.core is name)


# --- core figures and indices


def test_a_mean_now_and_by_the_quarter_of_an_hour(settings: Settings, figures: SampleStore) -> None:
    push(
        figures,
        "response_time",
        (1, 40, 1),
        (2, 20, 3),
        (14, 100, 1),
        (16, 50, 1),
        (23.9 * 60, 10, 1),
        (24.1 * 60, 9, 1),
    )
    for rolled in (False, True):
        if rolled:
            roll_up(figures)
        found = core(board(settings, figures).report_at(NOW), CoreFigureName.LATENCY)
        assert found.measure is not None
        assert found.measure.metric == "response_time"
        assert found.value == 25  # of five minutes: (40 + 3 * 20) / 4
        assert found.points[-1] == 40  # and of the last quarter: (40 + 60 + 100) / 5
        assert found.points[-2] == 50
        assert found.points[0] == 10
        assert [one for one in found.points[1:-2] if one is not None] == []


def test_satisfaction_is_the_share_of_fours_and_fives(settings: Settings, figures: SampleStore) -> None:
    push(figures, "csat", (5, 5, 10), (6, 4, 7), (7, 3, 2), (8, 1, 1), (61, 1, 100))
    roll_up(figures)
    found = core(board(settings, figures).report_at(NOW), CoreFigureName.SATISFACTION)
    assert found.value == pytest.approx(17 / 20)
    assert found.points[-1] == pytest.approx(17 / 20)
    assert found.points[-5] == 0  # that was a figure: a hundred ones
    assert found.measure is not None
    assert found.measure.meets(found.value or 0)


def test_shares_are_of_the_series_and_its_stretch(figures: SampleStore) -> None:
    push(figures, "csat", (20, 4, 2), (10, 5, 1), (9, 1, 3), service="orders")
    push(figures, "csat", (10, 1, 1), feed="replay-x")
    start = NOW - timedelta(minutes=30)
    rows = health_queries.compute_shares(figures, LIVE_FEED, "csat", 4, start, NOW, timedelta(minutes=15))
    assert [(row.bucket, row.samples, row.events, row.weighted) for row in rows] == [(0, 1, 2, 2), (1, 2, 4, 1)]
    assert list(health_queries.list_series_labels(figures, LIVE_FEED, "csat").values()) == [{"service": "orders"}]


def test_throughput_is_by_the_minute_of_all_series(settings: Settings, figures: SampleStore) -> None:
    push(figures, "contacts", (1, 20, 1), (14, 10, 1), service="orders")
    push(figures, "contacts", (1, 15, 1), service="returns")
    found = board(settings, figures)
    assert core(found.report_at(NOW), CoreFigureName.THROUGHPUT).value == pytest.approx(3)
    assert core(found.report_at(NOW, service="orders"), CoreFigureName.THROUGHPUT).value == pytest.approx(2)
    # Five minutes into a quarter of an hour, its point is by the minutes that have passed.
    later = found.report_at(NOW + timedelta(minutes=5))
    assert core(later, CoreFigureName.THROUGHPUT).points[-1] is None
    assert core(later, CoreFigureName.THROUGHPUT).points[-2] == pytest.approx(3)


def test_saturation_is_the_backlog_of_each_agent(settings: Settings, figures: SampleStore) -> None:
    push(figures, "backlog", (1, 30, 1), (2, 50, 1), queue="a")
    push(figures, "backlog", (1, 20, 1), queue="b")
    push(figures, "agents", (1, 12, 1), team="x")
    push(figures, "agents", (1, 8, 1), team="y")
    found = core(board(settings, figures).report_at(NOW), CoreFigureName.SATURATION)
    assert found.value == pytest.approx((40 + 20) / (12 + 8))
    assert found.measure is not None
    assert found.measure.meets(found.value or 0)


def test_the_next_measure_stands_in_where_the_first_has_no_figures(settings: Settings, figures: SampleStore) -> None:
    push(figures, "saturation", (1, 0.9, 1))
    push(figures, "backlog", (1, 30, 1))  # of nobody knows how many agents
    found = core(board(settings, figures).report_at(NOW), CoreFigureName.SATURATION)
    assert found.measure is not None
    assert (found.measure.metric, found.value) == ("saturation", 0.9)


def test_what_is_not_known_is_none_and_never_zero(settings: Settings, figures: SampleStore) -> None:
    found = board(settings, figures).report_at(NOW)
    assert [one.value for one in found.core] == [None] * 6
    assert all(point is None for one in found.core for point in one.points)
    assert [one.hour.value for one in found.indices] == [None] * 3
    assert (found.staffing.contacts_an_hour, found.staffing.agents, found.staffing.needed) == (None, None, None)
    assert found.risk is None
    assert all(slot.needed is None for slot in found.slots)
    assert {one.kind for one in found.findings} == {HealthFindingKind.AGENTS_UNKNOWN, HealthFindingKind.NO_FORECAST}


def test_indices_of_the_hour_and_of_the_day(settings: Settings, figures: SampleStore) -> None:
    text = (
        "indices:\n  mood:\n    - {metric: csat, weight: 30, zero: 50%, full: 100%}\n"
        "    - {metric: complaints, per: contacts, weight: 10, zero: 10%, full: 0%}\n"
    )
    push(figures, "csat", (10, 5, 3), (11, 1, 1), (300, 5, 12))
    push(figures, "complaints", (10, 2, 1))
    push(figures, "contacts", (10, 40, 1), (300, 160, 1))
    mood = next(one for one in board(settings, figures, text).report_at(NOW).indices if one.name is IndexName.MOOD)
    assert mood.hour.value == pytest.approx((30 * 50 + 10 * 50) / 40)  # 75 % content, 5 % complain
    assert mood.day.value == pytest.approx((30 * 87.5 + 10 * 90) / 40)  # 15 of 16, 1 %


# --- people


IN_20 = "objective: {share: 80%, within: 20s}\nhandle_time: 3m\n"
STAFFED = IN_20 + "agents: 10\nstandby: 4\n"


def test_standby_agents_for_the_contacts_of_the_last_quarter(settings: Settings, figures: SampleStore) -> None:
    # Fifty in a quarter of an hour are 200 an hour, ten erlangs.
    push(figures, "contacts", (1, 20, 1), (14.5, 30, 1), (15.5, 1000, 1))
    made = board(settings, figures, STAFFED)
    found = made.report_at(NOW)
    needed = agents_needed(200, 180, OBJECTIVE)
    assert needed == 14
    assert found.staffing.contacts_an_hour == 200
    assert (found.staffing.handle_time, found.staffing.handle_from) == (180, "plan")
    assert (found.staffing.needed, found.staffing.rostered) == (14, 20)
    assert found.staffing.level == 0  # ten agents for ten erlangs
    assert found.staffing.call == made.standby_to_call(NOW)
    assert found.staffing.call is not None
    assert (found.staffing.call.call, found.staffing.call.missing) == (4, 0)
    kinds = [one.kind for one in found.findings]
    assert kinds[0] is HealthFindingKind.STANDBY
    assert HealthFindingKind.RESERVE in kinds  # four of ten


def test_figures_of_agents_and_handle_times_come_before_the_plan(settings: Settings, figures: SampleStore) -> None:
    push(figures, "contacts", (1, 50, 1))
    push(figures, "agents", (1, 14, 1))
    push(figures, "aht", (5, 200, 3), (6, 120, 1), (700, 900, 50))
    found = board(settings, figures, STAFFED).report_at(NOW).staffing
    assert (found.handle_time, found.handle_from) == (180, "figures")
    assert (found.agents, found.agents_from) == (14, "figures")
    assert found.call is not None
    assert found.call.call == 0
    assert (found.level or 0) > 0.8
    # A figure that stopped 20 minutes ago says nothing about now.
    old = board(settings, figures).report_at(NOW + timedelta(minutes=20)).staffing
    assert (old.agents, old.agents_from) == (10, "plan")


def test_a_service_has_people_of_its_own(settings: Settings, figures: SampleStore) -> None:
    push(figures, "contacts", (1, 50, 1), service="orders")
    push(figures, "contacts", (1, 500, 1), service="returns")
    text = STAFFED + "services:\n  orders: {agents: 13, standby: 2}\n"
    made = board(settings, figures, text)
    call = made.standby_to_call(NOW, service="orders")
    assert call is not None
    assert (call.needed, call.on_shift, call.call) == (14, 13, 1)
    # Nobody says who serves the returns: their own contacts are not held against the people of all.
    assert made.report_at(NOW, service="returns").staffing.agents is None
    assert made.standby_to_call(NOW, service="returns") == made.standby_to_call(NOW)
    push(figures, "agents", (1, 60, 1), service="returns")
    returns = made.standby_to_call(NOW, service="returns")
    assert returns is not None
    assert returns.on_shift == 60


# --- what is coming


def test_forty_eight_hours_with_their_agents(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 100)
    roll_up(figures)
    text = IN_20 + 'shifts:\n  - {days: mon-sun, hours: "08:00-20:00", agents: 14}\n'
    found = board(settings, figures, text).report_at(NOW)
    assert len(found.slots) == 96
    assert {slot.expected.value for slot in found.slots} == {100}
    assert {slot.needed for slot in found.slots} == {14}
    assert {slot.rostered for slot in found.slots} == {20}
    # 14:00 in Shanghai: on shift until 20:00, then nobody until 08:00.
    assert [slot.agents for slot in found.slots[:13]] == [14] * 12 + [0]
    (short,) = [one for one in found.findings if one.kind is HealthFindingKind.UNDERSTAFFED]
    assert "stretches in the next 48 hours: 2;" in str(short.what)
    assert "03-16 20:00 to 03-17 08:00, takes 14 agents and has 0" in str(short.what)
    assert "03-17 08:00: 20 (shrinkage included)" in str(short.next)


def test_nine_days_are_no_two_weeks(settings: Settings, figures: SampleStore) -> None:
    push(figures, "contacts", *((30 * place + 10, 100, 1) for place in range(9 * 48)))
    found = board(settings, figures).report_at(NOW)
    assert any(slot.expected.value is None for slot in found.slots)
    assert found.risk is None
    assert found.days == pytest.approx(9)


def test_holidays_of_the_calendar_are_passed_over(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 100, 5)
    push(figures, "contacts", *((60 * 24 * 7 * week + 10, 900, 1) for week in (1, 2)))
    plain = board(settings, figures).report_at(NOW - timedelta(minutes=30))
    assert plain.slots[0].expected.value == pytest.approx(1000 / 2 + 100 / 2)
    (settings.home / "campaigns.yaml").write_text('holidays: ["2026-03-09", "2026-03-02"]\n')
    known = board(settings, figures).report_at(NOW - timedelta(minutes=30))
    assert known.slots[0].expected.value == 100


def test_late_figures_and_new_slots_come_into_the_history(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 100)
    made = board(settings, figures)
    assert made.report_at(NOW).level == 1
    push(figures, "contacts", (11, 300, 1))
    later = NOW + timedelta(minutes=30)
    assert made.report_at(later).level == pytest.approx((100 * 2 + 400) / 300)  # the slot in between has no figures


# --- risk ahead, written back


def test_the_risk_is_of_the_next_two_hours(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 100)
    push(figures, "contacts", *((minutes, 100, 1) for minutes in (11, 41, 71, 101)))  # two hours twice as busy
    risk = board(settings, figures, STAFFED).report_at(NOW).risk
    assert risk is not None
    assert (risk.cause, risk.at) == (RiskCause.CAPACITY, int(NOW.timestamp()))
    assert risk.expected == pytest.approx(400)
    assert risk.ratio == pytest.approx(400 / contacts_borne(10, 180, OBJECTIVE))


def test_complaints_beyond_their_rise_are_a_risk(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "complaints", 20)
    push(figures, "complaints", *((minutes, 20, 1) for minutes in (11, 41, 71, 101)))
    risk = board(settings, figures).report_at(NOW).risk
    assert risk is not None
    assert risk.cause is RiskCause.COMPLAINTS
    assert risk.expected == pytest.approx(80)
    assert risk.borne == pytest.approx(60)


def written(figures: SampleStore) -> list[tuple[DateTime, float, str]]:
    columns = figures.between(LIVE_FEED, risk_ahead.METRIC, NOW - timedelta(days=1), NOW + timedelta(days=1))
    labels = {series.id: series.labels.get("service", "") for series in figures.series()}
    return sorted(
        (pendulum.from_timestamp(at / 1e6), value, labels[series])
        for series, at, value in zip(columns.series, columns.at, columns.value, strict=True)
    )


def test_it_is_written_back_at_full_five_minutes_and_once(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 100)
    made = board(settings, figures, STAFFED)
    for seconds in (10, 200):
        assert risk_ahead.write_risk(figures, made, list, NOW + timedelta(seconds=seconds)) == 1
    (found,) = written(figures)
    assert found[0] == NOW
    assert found[1] == pytest.approx(200 / contacts_borne(10, 180, OBJECTIVE))
    risk_ahead.write_risk(figures, made, list, NOW + timedelta(seconds=301))
    assert [at for at, _, _ in written(figures)] == [NOW, NOW + timedelta(minutes=5)]


def test_it_is_written_for_each_service_with_its_own_people(settings: Settings, figures: SampleStore) -> None:
    weeks(figures, "contacts", 50, service="orders")
    weeks(figures, "contacts", 50, service="returns")
    text = IN_20 + "services: {orders: {agents: 20}, returns: {agents: 5}}\n"
    made = board(settings, figures, text)
    assert risk_ahead.write_risk(figures, made, lambda: ["orders", "returns"], NOW) == 2
    risks = {service: value for _, value, service in written(figures)}
    assert risks["orders"] < 1 < risks["returns"]


def test_what_cannot_be_told_is_not_written(settings: Settings, figures: SampleStore) -> None:
    assert risk_ahead.write_risk(figures, board(settings, figures, STAFFED), list, NOW) == 0
    assert written(figures) == []


def test_a_replay_is_looked_at_in_its_own_time(settings: Settings, figures: SampleStore) -> None:
    push(figures, "response_time", (1, 40, 1), feed="replay-day")
    made = board(settings, figures)
    assert core(made.report_at(NOW, "replay-day"), CoreFigureName.LATENCY).value == 40
    assert core(made.report_at(NOW), CoreFigureName.LATENCY).value is None


def test_history_is_read_once_and_then_only_its_end(
    settings: Settings, figures: SampleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    weeks(figures, "contacts", 100)
    weeks(figures, "complaints", 2)
    read: list[timedelta] = []
    real = rollups.read_history

    def course(store: SampleStore, feed: str, metric: str, start: DateTime, end: DateTime, step: timedelta) -> object:
        read.append(end - start)
        return real(store, feed, metric, start, end, step)

    monkeypatch.setattr("engine.health.volume_history.read_history", course)
    made = board(settings, figures)
    made.report_at(NOW)
    assert max(read) > timedelta(days=30)
    read.clear()
    made.report_at(NOW + timedelta(minutes=1))
    assert read == []
    made.report_at(NOW + timedelta(minutes=31))
    assert read
    assert max(read) <= timedelta(hours=3)


def test_history_that_is_pushed_later_is_seen_within_a_minute(settings: Settings, figures: SampleStore) -> None:
    push(figures, "contacts", (10, 100, 1))
    made = board(settings, figures)
    assert made.report_at(NOW).slots[0].expected.value is None
    weeks(figures, "contacts", 100)
    assert made.report_at(NOW + timedelta(seconds=61)).slots[0].expected.value == 100
