"""What changes of standing cause, in a real database: who is called, what joins, what is held, what ends."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row

from domain.commands import Acknowledge, Cancel, Done
from domain.text import Text
from domain.warning.disposition import Disposition, Silence
from domain.warning.reading import RuleReading
from domain.warning.rule import Aggregate, Condition, Rule, RuleStart, SeriesKey, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange
from engine.warning import checkpoints, rule_state_store
from engine.warning.rule_state_store import WarningStateStore
from storage.database import StorageError
from storage.incidents import warnings
from tests.houses import InstallationHarness, house_fixture  # noqa: F401

WEB: SeriesKey = (("service", "web"),)
SLOW = Rule(
    "slow", Text("Response time", "响应时长"), "response_time", Aggregate.MEAN, timedelta(minutes=5), Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 30, 25), ThresholdLevel(Tier.RED, 60, 50)), by=("service",), starts=RuleStart("standby-agents"),
    quiet=timedelta(minutes=30), tier=1,
)  # fmt: skip
STUCK = replace(SLOW, id="stuck", title=Text("Backlog"), metric="backlog")
ANGRY = replace(
    SLOW, id="angry", title=Text("Complaints"), metric="complaints", quiet=timedelta(0), inhibits=("slow",),
    starts=RuleStart("executive-intervention", as_="incident"), tier=3,
)  # fmt: skip
LOOKING = replace(SLOW, id="looking", starts=None)


class Desk:
    """Changes of standing as the evaluator would make them."""

    def __init__(self, house: InstallationHarness) -> None:
        self.house = house
        self.rules: dict[str, Rule] = {rule.id: rule for rule in (SLOW, STUCK, ANGRY, LOOKING)}
        self.ledger = WarningStateStore(house.house, lambda: self.rules, house.clock)
        self.stands: dict[tuple[str, str, SeriesKey], RuleState] = {}

    def change(
        self, rule: str, tier: Tier | None, value: float = 42.0, *, lane: str = "", series: SeriesKey = WEB
    ) -> None:
        """The rule fires at that tier now, or is good again."""
        before = self.stands.get((lane, rule, series), RuleState())
        now = self.house.now
        since = before.firing_since or now
        fires = RuleState(RulePhase.FIRING, now, tier, firing_since=since, value=value)
        after = fires if tier else RuleState(RulePhase.OK, now, value=value)
        self.stands[lane, rule, series] = after
        change = RuleStateChange(rule, series, before, after, RuleReading(now, value, 10))
        self.ledger.commit(lane, [change], now)

    def listed(self, lane: str | None = "", **wanted: Any) -> list[Row[Any]]:
        with self.house.house.database.read() as connection:
            found = warnings.list_warnings(connection, lane=lane, standing_only=False)
        return [row for row in found if all(getattr(row, name) == value for name, value in wanted.items())]

    def one(self, **wanted: Any) -> Row[Any]:
        (row,) = self.listed(**wanted)
        return row

    def silence(self, **fields: Any) -> None:
        silence = Silence(id=str(uuid.uuid4()), until=self.house.now.add(hours=1), reason="moving house", **fields)
        with self.house.house.database.write() as connection:
            assert warnings.add_silence(connection, silence, self.house.now)
            assert not warnings.add_silence(connection, silence, self.house.now), "the same request again"


@pytest.fixture
def desk(house: InstallationHarness) -> Desk:
    return Desk(house)


def data(house: InstallationHarness, ref: str, kind: str) -> list[Mapping[str, Any]]:
    return [entry.data for entry in house.facts(ref, kind)]


def test_a_warning_calls_its_owner_under_a_reference_of_its_own(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    row = desk.one()
    assert (row.course, row.ref, row.tier, row.value, row.service) == ("called", "WRN-1", "yellow", 42.0, "web")
    snapshot = house.snapshot("WRN-1")
    assert (snapshot.incident.nature, snapshot.incident.severity) == ("warning", "major")
    assert snapshot.incident.title == "Response time · 响应时长 · [service=web]"
    (declared,) = data(house, "WRN-1", "declared")
    assert declared["warning"]["rule"] == "slow"
    assert declared["warning"]["value"] == 42.0
    house.deliver()
    assert house.titles(snapshot.steps["call-in/number"].owner)
    assert house.snapshot("1").incident.ref == "WRN-1", "by its number, as an incident"


def test_whoever_is_called_is_told_how_many_to_call_in(desk: Desk, house: InstallationHarness) -> None:
    def advise(rule: Rule, series: SeriesKey, at: Any, lane: str) -> Text | None:
        assert (at, lane) == (house.now, "")
        return Text("Call in 4.", "启用4名。") if rule.id == "slow" and series == WEB else None

    desk.ledger = WarningStateStore(house.house, lambda: desk.rules, house.clock, advise)
    desk.change("slow", Tier.YELLOW)
    assert house.snapshot("WRN-1").incident.title.endswith("[service=web] · Call in 4. · 启用4名。")
    (row, *_) = house.rows("WRN-1")
    assert "启用4名。" in row.payload["body"]


def test_a_worsening_is_the_same_warning_and_its_people_hear_of_it(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    house.wait(minutes=5)
    desk.change("slow", Tier.RED, 70)
    row = desk.one()
    assert (row.tier, row.worst, row.ref, row.value) == ("red", "red", "WRN-1", 70.0)
    assert house.snapshot("WRN-1").incident.severity == "critical"
    assert len(data(house, "WRN-1", "warning-worsened")) == 1
    told = {row.person for row in house.rows("WRN-1", purpose="worsened")}
    assert house.snapshot("WRN-1").steps["call-in/number"].owner in told
    assert {row.lane for row in house.rows("WRN-1", purpose="worsened")} == {0}, "a page"
    house.wait(minutes=5)
    desk.change("slow", Tier.YELLOW, 45)
    assert (desk.one().tier, desk.one().worst) == ("yellow", "red")
    assert house.snapshot("WRN-1").incident.severity == "major"
    assert len(house.rows("WRN-1", purpose="worsened")) == len(told), "better news pages nobody"


def test_over_before_anyone_took_it_nothing_is_left_to_do(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    house.wait(minutes=1)
    desk.change("slow", None, 20)
    assert desk.one().ended_at == house.now
    house.turn()
    snapshot = house.snapshot("WRN-1")
    assert snapshot.incident.status == "completed"
    assert not any(state.active for state in snapshot.steps.values())
    house.deliver()
    assert any(
        "It is over" in title or "已恢复" in title for title in house.titles(snapshot.steps["call-in/number"].owner)
    )


def test_over_after_someone_took_it_their_steps_go_on(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    owner = house.snapshot("WRN-1").steps["call-in/number"].owner
    house.do("WRN-1", Acknowledge, owner, step="call-in/number")
    house.wait(minutes=1)
    desk.change("slow", None, 20)
    house.turn()
    assert house.snapshot("WRN-1").incident.status == "mitigated"
    assert house.snapshot("WRN-1").steps["call-in/number"].status == "acknowledged"
    assert [row.person for row in house.rows("WRN-1", purpose="recovered")] == [owner]
    assert house.verified("WRN-1") is None


def test_a_related_rule_joins_and_the_matter_is_over_with_the_last(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    calls = len(house.rows("WRN-1"))
    desk.change("stuck", Tier.YELLOW)
    assert [(row.rule, row.course, row.ref) for row in desk.listed(rule="stuck")] == [("stuck", "joined", "WRN-1")]
    assert len(house.rows("WRN-1")) == calls, "nobody is called twice for one trouble"
    desk.change("slow", None)
    assert house.snapshot("WRN-1").incident.status == "open"
    desk.change("stuck", None)
    assert house.snapshot("WRN-1").incident.status == "closed"


def test_a_worse_one_that_joins_worsens_the_matter(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    desk.change("stuck", Tier.RED)
    assert house.snapshot("WRN-1").incident.severity == "critical"
    assert house.rows("WRN-1", purpose="worsened")


def test_another_service_is_another_matter(desk: Desk) -> None:
    desk.change("slow", Tier.YELLOW)
    desk.change("slow", Tier.YELLOW, series=(("service", "app"),))
    assert {row.ref for row in desk.listed()} == {"WRN-1", "WRN-2"}


def test_firing_again_soon_joins_the_old_matter_and_opens_it_again(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    desk.change("slow", None)
    house.turn()
    house.wait(minutes=29)
    desk.change("slow", Tier.YELLOW)
    assert {(row.course, row.ref) for row in desk.listed()} == {("called", "WRN-1"), ("joined", "WRN-1")}
    house.turn()
    snapshot = house.snapshot("WRN-1")
    assert snapshot.incident.status == "open"
    assert any(state.active for state in snapshot.steps.values())
    desk.change("slow", None)
    house.turn()
    house.wait(minutes=31)
    desk.change("slow", Tier.YELLOW)
    assert {row.ref for row in desk.listed()} == {"WRN-1", "WRN-2"}, "long after, it is a new one"


def test_a_matter_that_people_cancelled_is_not_joined(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    house.do("WRN-1", Cancel, "alice", reason="a test of the figures")
    desk.change("stuck", Tier.YELLOW)
    assert desk.one(rule="stuck").ref == "WRN-2"


def test_silenced_it_calls_nobody_until_the_silence_is_over(desk: Desk, house: InstallationHarness) -> None:
    desk.silence(rule="slow")
    desk.change("slow", Tier.YELLOW)
    row = desk.one()
    assert (row.course, row.ref) == ("held", None)
    assert "moving house" in row.because["en"]
    house.wait(minutes=59)
    desk.ledger.review("", house.now)
    assert desk.one().course == "held"
    house.wait(minutes=1)
    desk.ledger.review("", house.now)
    row = desk.one()
    assert (row.course, row.ref, row.value) == ("called", "WRN-1", 42.0)
    assert house.rows("WRN-1")


def test_good_again_under_a_silence_nobody_ever_heard_of_it(desk: Desk, house: InstallationHarness) -> None:
    desk.silence()
    desk.change("slow", Tier.YELLOW)
    desk.change("slow", None)
    house.wait(hours=2)
    desk.ledger.review("", house.now)
    assert (desk.one().course, desk.one().ref) == ("held", None)


def test_tier_three_quiets_tier_one_of_its_service_and_declares_an_incident(
    desk: Desk, house: InstallationHarness
) -> None:
    desk.change("angry", Tier.RED)
    desk.change("slow", Tier.YELLOW)
    assert (desk.one(rule="angry").ref, desk.one(rule="slow").course) == ("INC-1", "held")
    assert house.snapshot("INC-1").incident.severity == "critical"
    desk.change("angry", None)
    assert desk.one(rule="slow").ref == "WRN-2", "called once the louder one is good again"
    assert house.snapshot("INC-1").incident.status == "open", "an incident is over when people say so"


def test_on_the_executives_word_the_four_hours_begin_as_from_the_declaration(
    desk: Desk, house: InstallationHarness
) -> None:
    desk.change("angry", Tier.RED)
    began = house.now
    house.do("INC-1", Done, "alice", step="decision/facts", evidence="120 customers")
    house.turn()
    house.wait(minutes=20)
    executive = house.snapshot("INC-1").steps["decision/decide"].owner
    with pytest.raises(Exception, match="say yes"):
        house.do("INC-1", Done, executive, step="decision/decide")
    house.do("INC-1", Done, executive, step="decision/decide", choice="yes")
    attached = house.snapshot("INC-1", 1)
    assert (attached.response.playbook.id, attached.response.started_at) == ("four-hour-response", began)
    assert attached.steps["apology/draft"].opens_at == began


def test_a_rule_that_starts_nothing_is_on_record_only(desk: Desk) -> None:
    desk.change("looking", Tier.RED)
    assert (desk.one().course, desk.one().ref) == ("shown", None)


def test_a_rule_whose_playbook_is_gone_is_held_until_it_is_back(desk: Desk, house: InstallationHarness) -> None:
    desk.rules["slow"] = replace(SLOW, starts=RuleStart("no-such"))
    desk.change("slow", Tier.YELLOW)
    assert desk.one().course == "held"
    assert "no-such" in desk.one().because["en"]
    desk.rules["slow"] = SLOW
    desk.ledger.review("", house.now)
    assert desk.one().ref == "WRN-1"


def test_a_replay_is_a_drill_and_knows_nothing_of_live_warnings_or_silences(
    desk: Desk, house: InstallationHarness
) -> None:
    desk.silence()
    desk.change("slow", Tier.YELLOW, lane="replay-1")
    (row,) = desk.listed(lane="replay-1")
    assert row.course == "called"
    assert house.snapshot(row.ref).incident.drill
    assert desk.listed() == []


def test_what_was_committed_is_where_a_new_process_goes_on(desk: Desk, house: InstallationHarness) -> None:
    desk.change("slow", Tier.YELLOW)
    again = WarningStateStore(house.house, lambda: desk.rules, house.clock)
    assert again.load("") == {("slow", WEB): desk.stands["", "slow", WEB]}
    with house.house.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") == house.now
    fires = desk.stands["", "slow", WEB]
    again.commit("", [RuleStateChange("slow", WEB, RuleState(), fires, RuleReading(house.now, 42.0))], house.now)
    assert [row.course for row in desk.listed()] == [Disposition.CALLED], "the same firing again is the same warning"


def test_hundreds_at_once_are_written_in_several_goes_and_each_once(desk: Desk, house: InstallationHarness) -> None:
    """Each of another service, so each calls; broken off in the middle, they are all said again."""
    now, changes = house.now, []
    for number in range(2 * rule_state_store.MOST_AT_ONCE + 5):
        fires = RuleState(RulePhase.FIRING, now, Tier.YELLOW, firing_since=now, value=42.0)
        series: SeriesKey = (("service", f"s{number}"),)
        changes.append(RuleStateChange("slow", series, RuleState(), fires, RuleReading(now, 42.0)))
    goes = house.house.database.write
    left = [2]

    def breaks() -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StorageError("the disk is full")
        return goes()

    house.house.database.write = breaks  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        desk.ledger.commit("", changes, now)
    house.house.database.write = goes  # type: ignore[method-assign]
    assert len(desk.listed()) == 2 * rule_state_store.MOST_AT_ONCE
    with house.house.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") is None, (
            "not done yet: after a restart the tick is evaluated again"
        )
    desk.ledger.commit("", changes, now)
    rows = desk.listed()
    assert {row.series for row in rows} == {warnings.format_series(change.series) for change in changes}
    assert len(rows) == len({row.ref for row in rows}) == len(changes)
    with house.house.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") == now


def test_an_engine_that_was_frozen_commits_nothing_more(desk: Desk, house: InstallationHarness) -> None:
    database = house.house.database
    desk.ledger.lease = checkpoints.take_lease(database, "frozen", house.now)
    house.wait(seconds=26)
    assert checkpoints.take_lease(database, "the other", house.now) is not None
    with pytest.raises(checkpoints.EvaluatorLeaseLost):
        desk.change("slow", Tier.YELLOW)
    assert desk.listed() == []
    assert desk.ledger.load("") == {}
    with pytest.raises(checkpoints.EvaluatorLeaseLost), database.write() as connection:
        checkpoints.require_lease(connection, desk.ledger.lease)
