"""What changes of standing cause, in a real database: who is called, what joins, what is held, what ends."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

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
from storage.incidents.warnings import ListedWarning
from tests.installations import InstallationHarness, installation_fixture  # noqa: F401

WEB: SeriesKey = (("service", "web"),)
SLOW = Rule(
    "slow",
    Text("Response time", "响应时长"),
    "response_time",
    Aggregate.MEAN,
    timedelta(minutes=5),
    Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 30, 25), ThresholdLevel(Tier.RED, 60, 50)),
    by=("service",),
    starts=RuleStart("standby-agents"),
    quiet=timedelta(minutes=30),
    tier=1,
)
STUCK = replace(SLOW, id="stuck", title=Text("Backlog"), metric="backlog")
ANGRY = replace(
    SLOW, id="angry", title=Text("Complaints"), metric="complaints", quiet=timedelta(0), inhibits=("slow",),
    starts=RuleStart("executive-intervention", as_="incident"), tier=3,
)  # fmt: skip
LOOKING = replace(SLOW, id="looking", starts=None)


class Desk:
    """Changes of standing as the evaluator would make them."""

    def __init__(self, installation: InstallationHarness) -> None:
        self.installation = installation
        self.rules: dict[str, Rule] = {rule.id: rule for rule in (SLOW, STUCK, ANGRY, LOOKING)}
        self.ledger = WarningStateStore(installation.installation, lambda: self.rules, installation.clock)
        self.stands: dict[tuple[str, str, SeriesKey], RuleState] = {}

    def change(
        self, rule: str, tier: Tier | None, value: float = 42.0, *, feed: str = "", series: SeriesKey = WEB
    ) -> None:
        """The rule fires at that tier now, or is good again."""
        before = self.stands.get((feed, rule, series), RuleState())
        now = self.installation.now
        since = before.firing_since or now
        fires = RuleState(RulePhase.FIRING, now, tier, firing_since=since, value=value)
        after = fires if tier else RuleState(RulePhase.OK, now, value=value)
        self.stands[feed, rule, series] = after
        change = RuleStateChange(rule, series, before, after, RuleReading(now, value, 10))
        self.ledger.commit(feed, [change], now)

    def listed(self, feed: str | None = "", **wanted: Any) -> list[ListedWarning]:
        with self.installation.installation.database.read() as connection:
            found = warnings.list_warnings(connection, feed=feed, standing_only=False)
        return [row for row in found if all(getattr(row, name) == value for name, value in wanted.items())]

    def one(self, **wanted: Any) -> ListedWarning:
        (row,) = self.listed(**wanted)
        return row

    def silence(self, **fields: Any) -> None:
        silence = Silence(
            id=str(uuid.uuid4()), until=self.installation.now.add(hours=1), reason="moving house", **fields
        )
        with self.installation.installation.database.write() as connection:
            assert warnings.add_silence(connection, silence, self.installation.now)
            assert not warnings.add_silence(connection, silence, self.installation.now), "the same request again"


@pytest.fixture
def service(installation: InstallationHarness) -> Desk:
    return Desk(installation)


def data(installation: InstallationHarness, ref: str, kind: str) -> list[Mapping[str, Any]]:
    return [entry.data for entry in installation.facts(ref, kind)]


def test_a_warning_calls_its_owner_under_a_reference_of_its_own(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("slow", Tier.YELLOW)
    row = service.one()
    assert (row.course, row.ref, row.tier, row.value, row.service) == ("called", "WRN-1", "yellow", 42.0, "web")
    snapshot = installation.snapshot("WRN-1")
    assert (snapshot.incident.case_type, snapshot.incident.severity) == ("warning", "major")
    assert snapshot.incident.title == "Response time · 响应时长 · [service=web]"
    (declared,) = data(installation, "WRN-1", "declared")
    assert declared["warning"]["rule"] == "slow"
    assert declared["warning"]["value"] == 42.0
    installation.deliver()
    assert installation.titles(snapshot.steps["call-in/number"].owner)
    assert installation.snapshot("1").incident.ref == "WRN-1", "by its number, as an incident"


def test_whoever_is_called_is_told_how_many_to_call_in(service: Desk, installation: InstallationHarness) -> None:
    def advise(rule: Rule, series: SeriesKey, at: Any, feed: str) -> Text | None:
        assert (at, feed) == (installation.now, "")
        return Text("Call in 4.", "启用4名。") if rule.id == "slow" and series == WEB else None

    service.ledger = WarningStateStore(installation.installation, lambda: service.rules, installation.clock, advise)
    service.change("slow", Tier.YELLOW)
    assert installation.snapshot("WRN-1").incident.title.endswith("[service=web] · Call in 4. · 启用4名。")
    (row, *_) = installation.rows("WRN-1")
    assert "启用4名。" in row.payload["body"]


def test_a_worsening_is_the_same_warning_and_its_people_hear_of_it(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("slow", Tier.YELLOW)
    installation.wait(minutes=5)
    service.change("slow", Tier.RED, 70)
    row = service.one()
    assert (row.tier, row.worst, row.ref, row.value) == ("red", "red", "WRN-1", 70.0)
    assert installation.snapshot("WRN-1").incident.severity == "critical"
    assert len(data(installation, "WRN-1", "warning-worsened")) == 1
    told = {row.person for row in installation.rows("WRN-1", purpose="worsened")}
    assert installation.snapshot("WRN-1").steps["call-in/number"].owner in told
    assert {row.lane for row in installation.rows("WRN-1", purpose="worsened")} == {0}, "a page"
    installation.wait(minutes=5)
    service.change("slow", Tier.YELLOW, 45)
    assert (service.one().tier, service.one().worst) == ("yellow", "red")
    assert installation.snapshot("WRN-1").incident.severity == "major"
    assert len(installation.rows("WRN-1", purpose="worsened")) == len(told), "better news pages nobody"


def test_over_before_anyone_took_it_nothing_is_left_to_do(service: Desk, installation: InstallationHarness) -> None:
    service.change("slow", Tier.YELLOW)
    installation.wait(minutes=1)
    service.change("slow", None, 20)
    assert service.one().ended_at == installation.now
    installation.turn()
    snapshot = installation.snapshot("WRN-1")
    assert snapshot.incident.status == "completed"
    assert not any(state.active for state in snapshot.steps.values())
    installation.deliver()
    assert any(
        "It is over" in title or "已恢复" in title
        for title in installation.titles(snapshot.steps["call-in/number"].owner)
    )


def test_over_after_someone_took_it_their_steps_go_on(service: Desk, installation: InstallationHarness) -> None:
    service.change("slow", Tier.YELLOW)
    owner = installation.snapshot("WRN-1").steps["call-in/number"].owner
    installation.do("WRN-1", Acknowledge, owner, step="call-in/number")
    installation.wait(minutes=1)
    service.change("slow", None, 20)
    installation.turn()
    assert installation.snapshot("WRN-1").incident.status == "mitigated"
    assert installation.snapshot("WRN-1").steps["call-in/number"].status == "acknowledged"
    assert [row.person for row in installation.rows("WRN-1", purpose="recovered")] == [owner]
    assert installation.verified("WRN-1") is None


def test_a_related_rule_joins_and_the_matter_is_over_with_the_last(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("slow", Tier.YELLOW)
    calls = len(installation.rows("WRN-1"))
    service.change("stuck", Tier.YELLOW)
    assert [(row.rule, row.course, row.ref) for row in service.listed(rule="stuck")] == [("stuck", "joined", "WRN-1")]
    assert len(installation.rows("WRN-1")) == calls, "nobody is called twice for one trouble"
    service.change("slow", None)
    assert installation.snapshot("WRN-1").incident.status == "open"
    service.change("stuck", None)
    assert installation.snapshot("WRN-1").incident.status == "closed"


def test_a_worse_one_that_joins_worsens_the_matter(service: Desk, installation: InstallationHarness) -> None:
    service.change("slow", Tier.YELLOW)
    service.change("stuck", Tier.RED)
    assert installation.snapshot("WRN-1").incident.severity == "critical"
    assert installation.rows("WRN-1", purpose="worsened")


def test_another_service_is_another_matter(service: Desk) -> None:
    service.change("slow", Tier.YELLOW)
    service.change("slow", Tier.YELLOW, series=(("service", "app"),))
    assert {row.ref for row in service.listed()} == {"WRN-1", "WRN-2"}


def test_firing_again_soon_joins_the_old_matter_and_opens_it_again(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("slow", Tier.YELLOW)
    service.change("slow", None)
    installation.turn()
    installation.wait(minutes=29)
    service.change("slow", Tier.YELLOW)
    assert {(row.course, row.ref) for row in service.listed()} == {("called", "WRN-1"), ("joined", "WRN-1")}
    installation.turn()
    snapshot = installation.snapshot("WRN-1")
    assert snapshot.incident.status == "open"
    assert any(state.active for state in snapshot.steps.values())
    service.change("slow", None)
    installation.turn()
    installation.wait(minutes=31)
    service.change("slow", Tier.YELLOW)
    assert {row.ref for row in service.listed()} == {"WRN-1", "WRN-2"}, "long after, it is a new one"


def test_a_matter_that_people_cancelled_is_not_joined(service: Desk, installation: InstallationHarness) -> None:
    service.change("slow", Tier.YELLOW)
    installation.do("WRN-1", Cancel, "alice", reason="a test of the figures")
    service.change("stuck", Tier.YELLOW)
    assert service.one(rule="stuck").ref == "WRN-2"


def test_silenced_it_calls_nobody_until_the_silence_is_over(service: Desk, installation: InstallationHarness) -> None:
    service.silence(rule="slow")
    service.change("slow", Tier.YELLOW)
    row = service.one()
    assert (row.course, row.ref) == ("held", None)
    assert "moving house" in row.because["en"]
    installation.wait(minutes=59)
    service.ledger.review("", installation.now)
    assert service.one().course == "held"
    installation.wait(minutes=1)
    service.ledger.review("", installation.now)
    row = service.one()
    assert (row.course, row.ref, row.value) == ("called", "WRN-1", 42.0)
    assert installation.rows("WRN-1")


def test_good_again_under_a_silence_nobody_ever_heard_of_it(service: Desk, installation: InstallationHarness) -> None:
    service.silence()
    service.change("slow", Tier.YELLOW)
    service.change("slow", None)
    installation.wait(hours=2)
    service.ledger.review("", installation.now)
    assert (service.one().course, service.one().ref) == ("held", None)


def test_tier_three_quiets_tier_one_of_its_service_and_declares_an_incident(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("angry", Tier.RED)
    service.change("slow", Tier.YELLOW)
    assert (service.one(rule="angry").ref, service.one(rule="slow").course) == ("INC-1", "held")
    assert installation.snapshot("INC-1").incident.severity == "critical"
    service.change("angry", None)
    assert service.one(rule="slow").ref == "WRN-2", "called once the louder one is good again"
    assert installation.snapshot("INC-1").incident.status == "open", "an incident is over when people say so"


def test_on_the_executives_word_the_four_hours_begin_as_from_the_declaration(
    service: Desk, installation: InstallationHarness
) -> None:
    service.change("angry", Tier.RED)
    began = installation.now
    installation.do("INC-1", Done, "alice", step="decision/facts", evidence="120 customers")
    installation.turn()
    installation.wait(minutes=20)
    executive = installation.snapshot("INC-1").steps["decision/decide"].owner
    with pytest.raises(Exception, match="say yes"):
        installation.do("INC-1", Done, executive, step="decision/decide")
    installation.do("INC-1", Done, executive, step="decision/decide", choice="yes")
    attached = installation.snapshot("INC-1", 1)
    assert (attached.response.playbook.id, attached.response.started_at) == ("four-hour-response", began)
    assert attached.steps["apology/draft"].opens_at == began


def test_a_rule_that_starts_nothing_is_on_record_only(service: Desk) -> None:
    service.change("looking", Tier.RED)
    assert (service.one().course, service.one().ref) == ("shown", None)


def test_a_rule_whose_playbook_is_gone_is_held_until_it_is_back(
    service: Desk, installation: InstallationHarness
) -> None:
    service.rules["slow"] = replace(SLOW, starts=RuleStart("no-such"))
    service.change("slow", Tier.YELLOW)
    assert service.one().course == "held"
    assert "no-such" in service.one().because["en"]
    service.rules["slow"] = SLOW
    service.ledger.review("", installation.now)
    assert service.one().ref == "WRN-1"


def test_a_replay_is_a_drill_and_knows_nothing_of_live_warnings_or_silences(
    service: Desk, installation: InstallationHarness
) -> None:
    service.silence()
    service.change("slow", Tier.YELLOW, feed="replay-1")
    (row,) = service.listed(feed="replay-1")
    assert row.course == "called"
    assert installation.snapshot(str(row.ref)).incident.drill
    assert service.listed() == []


def test_what_was_committed_is_where_a_new_process_goes_on(service: Desk, installation: InstallationHarness) -> None:
    service.change("slow", Tier.YELLOW)
    again = WarningStateStore(installation.installation, lambda: service.rules, installation.clock)
    assert again.load("") == {("slow", WEB): service.stands["", "slow", WEB]}
    with installation.installation.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") == installation.now
    fires = service.stands["", "slow", WEB]
    again.commit(
        "", [RuleStateChange("slow", WEB, RuleState(), fires, RuleReading(installation.now, 42.0))], installation.now
    )
    assert [row.course for row in service.listed()] == [Disposition.CALLED], "the same firing again is the same warning"


def test_hundreds_at_once_are_written_in_several_goes_and_each_once(
    service: Desk, installation: InstallationHarness
) -> None:
    """Each of another service, so each calls; broken off in the middle, they are all said again."""
    now, changes = installation.now, []
    for number in range(2 * rule_state_store.MOST_AT_ONCE + 5):
        fires = RuleState(RulePhase.FIRING, now, Tier.YELLOW, firing_since=now, value=42.0)
        series: SeriesKey = (("service", f"s{number}"),)
        changes.append(RuleStateChange("slow", series, RuleState(), fires, RuleReading(now, 42.0)))
    goes = installation.installation.database.write
    left = [2]

    def breaks() -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise StorageError("the disk is full")
        return goes()

    installation.installation.database.write = breaks  # type: ignore[method-assign]
    with pytest.raises(StorageError):
        service.ledger.commit("", changes, now)
    installation.installation.database.write = goes  # type: ignore[method-assign]
    assert len(service.listed()) == 2 * rule_state_store.MOST_AT_ONCE
    with installation.installation.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") is None, (
            "not done yet: after a restart the tick is evaluated again"
        )
    service.ledger.commit("", changes, now)
    rows = service.listed()
    assert {row.series for row in rows} == {warnings.format_series(change.series) for change in changes}
    assert len(rows) == len({row.ref for row in rows}) == len(changes)
    with installation.installation.database.read() as connection:
        assert checkpoints.load_checkpoint(connection, "") == now


def test_an_engine_that_was_frozen_commits_nothing_more(service: Desk, installation: InstallationHarness) -> None:
    database = installation.installation.database
    service.ledger.lease = checkpoints.take_lease(database, "frozen", installation.now)
    installation.wait(seconds=26)
    assert checkpoints.take_lease(database, "the other", installation.now) is not None
    with pytest.raises(checkpoints.EvaluatorLeaseLost):
        service.change("slow", Tier.YELLOW)
    assert service.listed() == []
    assert service.ledger.load("") == {}
    with pytest.raises(checkpoints.EvaluatorLeaseLost), database.write() as connection:
        checkpoints.require_lease(connection, service.ledger.lease)
