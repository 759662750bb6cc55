"""Reviews of the calendar: each period once, made up for when missed, its owner called with a link to the document."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pendulum
import pytest
from sqlalchemy import insert

from domain.command_handlers import CommandRefused
from domain.commands import Acknowledge, Close, Declare, Done
from domain.incident import CaseType
from domain.review.period import REVIEW_LENGTHS, BadPeriod, PeriodLength, ReviewKind, parse_period
from domain.warning.rule import SeriesKey, Tier
from domain.warning.rule_state import RulePhase, RuleState
from engine.process.clock import now
from engine.response import commands
from engine.review import missed_reviews, retrospective, retrospective_facts
from engine.review.period_metrics import PeriodMetrics
from engine.review.periodic_reports import FIGURES_BY_KIND
from engine.review.run_review import remake_document, run_due_reviews, run_overdue_reviews
from engine.review.service import ReviewService
from storage import documents
from storage.incidents import turns, warnings
from storage.incidents.tables import WarningRow
from storage.reviews import review_records
from storage.samples.sample_store import SampleBatch, canonical_labels, to_micros
from tests.installations import (
    InstallationHarness,
    installation_fixture,  # noqa: F401
    sqlite_installation_fixture,  # noqa: F401
)

pytestmark = pytest.mark.calendar

ZONE = "Asia/Shanghai"
BEGUN = pendulum.datetime(2026, 10, 20, 3)  # the installation is reviewed from here on


def desk_since(installation: InstallationHarness) -> ReviewService:
    service = installation.installation.reviews
    installation.now = BEGUN
    assert run_due_reviews(service, ReviewKind.MONTHLY, installation.now) == []  # nothing that was over before is owed
    return service


def runs(installation: InstallationHarness) -> list[tuple[str, str, bool]]:
    with installation.installation.database.read() as connection:
        return [(row.kind, row.period, row.late) for row in review_records.list_runs(connection)]


def kept(installation: InstallationHarness, name: str) -> documents.Document:
    with installation.installation.database.read() as connection:
        found = documents.load_document(connection, name)
    assert found is not None
    return found


def test_a_period_is_held_once_and_its_owner_called(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    installation.now = pendulum.datetime(2026, 11, 1, 0, 30)
    (held,) = run_due_reviews(service, ReviewKind.MONTHLY, installation.now)
    assert (held.document, held.matter, held.late) == ("monthly-service-report/2026-10", "REV-1", False)
    assert run_due_reviews(service, ReviewKind.MONTHLY, installation.now) == []
    installation.deliver()
    (row,) = installation.rows("REV-1", person="erik", purpose="assign")
    assert (
        f"{installation.installation.settings.links_url}/documents/monthly-service-report/2026-10"
        in row.payload["body"]
    )
    assert any("Read and comment the monthly report" in title for title in installation.titles("erik"))
    # It is carried like any step: taken, done with a word, passed on; then it is over by itself.
    installation.do("REV-1", Acknowledge, "erik", step="report/read")
    installation.do("REV-1", Done, "erik", step="report/read", evidence="three sentences")
    installation.turn()
    installation.do("REV-1", Done, "erik", step="report/pass")
    installation.turn()
    assert installation.snapshot("REV-1").incident.status == "completed"
    assert installation.verified("REV-1") is None


def test_whoever_began_before_the_end_of_the_month_before_owes_that_one_on_any_day(
    sqlite_installation: InstallationHarness,
) -> None:
    """By the machine's clock: the same that tests/smoke/test_reviews.py does."""
    installation, today = sqlite_installation, now()
    service, month = installation.installation.reviews, today.in_timezone(ZONE).start_of("month")
    with installation.installation.database.write() as connection:
        turns.save_installation_fact(connection, "reviews", {}, month.subtract(hours=12).in_timezone("UTC"))
    (held,) = run_due_reviews(service, ReviewKind.MONTHLY, today)
    assert (held.period, held.late) == (month.subtract(days=1).format("YYYY-MM"), False)
    assert held.matter
    assert run_due_reviews(service, ReviewKind.MONTHLY, today) == []


def test_nobody_takes_it_and_the_backup_is_called(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    installation.now = pendulum.datetime(2026, 11, 1, 0, 30)
    run_due_reviews(service, ReviewKind.MONTHLY, installation.now)
    installation.wait(days=1, minutes=1)
    installation.turn()
    assert [row.person for row in installation.rows("REV-1", purpose="backup")] == ["gaomin"]


def test_servers_that_fire_together_hold_it_once(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    installation.now = pendulum.datetime(2026, 11, 2, 0, 30)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: run_due_reviews(service, ReviewKind.WEEKLY, installation.now), range(4)))
    made = [held for those in found for held in those if not held.late]
    assert len(made) == 1
    assert sorted(runs(installation)) == [
        ("weekly-service-review", "2026-W43", True), ("weekly-service-review", "2026-W44", False),
    ]  # fmt: skip


def test_what_was_missed_is_made_up_for_and_said(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    installation.now = pendulum.datetime(2027, 1, 3, 3)  # November's and October's runs never came
    found = run_due_reviews(service, ReviewKind.MONTHLY, installation.now)
    assert [(held.period, held.late, bool(held.matter)) for held in found] == [
        ("2026-10", True, False), ("2026-11", True, False), ("2026-12", False, True),
    ]  # fmt: skip
    newest, missed = (
        kept(installation, "monthly-service-report/2026-12"),
        kept(installation, "monthly-service-report/2026-10"),
    )
    assert "made up for now: 2026-10, 2026-11" in newest.texts["en"]
    assert "本次补做：2026-10, 2026-11" in newest.pages["zh"]
    assert "made late: its time had been missed" in missed.texts["en"]


def test_a_schedule_that_did_not_fire_is_made_up_for_by_whoever_looks(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    installation.now = pendulum.datetime(2026, 11, 1, 15)  # 23:00 in Shanghai: its own schedule has still time
    found = run_overdue_reviews(service, installation.now)
    assert {(held.kind, held.period) for held in found if not held.late} == {
        (ReviewKind.DAILY, "2026-10-30"), (ReviewKind.WEEKLY, "2026-W43"), (ReviewKind.TOPICS, "2026-W43"),
    }  # fmt: skip
    installation.now = pendulum.datetime(2026, 11, 1, 18, 1)  # 26 hours after the month's end
    found = run_overdue_reviews(service, installation.now)
    assert [(held.kind, held.period) for held in found] == [
        (ReviewKind.DAILY, "2026-10-31"), (ReviewKind.MONTHLY, "2026-10"), (ReviewKind.RISK, "2026-10"),
    ]  # fmt: skip
    assert run_overdue_reviews(service, installation.now) == []


def test_without_prefect_somebody_looks_after_two_hours(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    desk_since(installation)
    assert not missed_reviews.catch_up_if_overdue(
        installation.installation, installation.now
    )  # the first look begins to wait
    installation.wait(hours=1)
    assert not missed_reviews.catch_up_if_overdue(installation.installation, installation.now)
    installation.wait(hours=1)
    assert missed_reviews.catch_up_if_overdue(installation.installation, installation.now)
    installation.wait(minutes=1)
    assert not missed_reviews.catch_up_if_overdue(installation.installation, installation.now)


def test_the_day_is_sent_and_asks_for_nothing(installation: InstallationHarness) -> None:
    """Three slow days in a row: their means by hand, and what the rule says."""
    service = desk_since(installation)
    batch = SampleBatch()
    for day, values in ((20, (50.0, 40.0)), (21, (46.0,)), (22, (60.0,))):  # means 45 + ..., see below
        for place, value in enumerate(values):
            at = pendulum.datetime(2026, 10, day, 4 + place)
            batch.add(("frt", canonical_labels({})), to_micros(at), value, 3.0 if value == 50.0 else 1.0)
    service.figures.take([batch], installation.now)
    installation.now = pendulum.datetime(2026, 10, 22, 23, 30)  # 07:30 on the 23rd
    found = run_due_reviews(service, ReviewKind.DAILY, installation.now)
    assert [held.period for held in found] == ["2026-10-20", "2026-10-21", "2026-10-22"]
    data = kept(installation, "daily-figures/2026-10-22").data
    # The 20th: (3 x 50 + 40) / 4 = 47.5; the 21st 46; the 22nd 60. Over 45 s on each.
    assert data["frt"] == [
        {"day": "2026-10-20", "value": 47.5},
        {"day": "2026-10-21", "value": 46.0},
        {"day": "2026-10-22", "value": 60.0},
    ]
    assert data["frt_limit"] == 45.0  # of the rule itself
    assert "The rule has not been evaluated yet." in kept(installation, "daily-figures/2026-10-22").texts["en"]
    ref = found[-1].matter
    installation.deliver()
    installation.turn()
    installation.turn()
    assert installation.snapshot(ref).incident.status == "completed"
    assert {row.person for row in installation.rows(ref)} == {"erik", "hana"}


@pytest.mark.parametrize("kind", list(ReviewKind))
def test_every_kind_can_be_held_in_an_empty_house(sqlite_installation: InstallationHarness, kind: ReviewKind) -> None:
    installation = sqlite_installation
    service = desk_since(installation)
    installation.now = pendulum.datetime(2027, 2, 1, 3)
    held = run_due_reviews(service, kind, installation.now)[-1]
    document = kept(installation, held.document)
    assert held.matter
    assert document.title.en
    assert document.title.zh
    assert set(document.pages) == {"en", "zh"} == set(document.texts)
    assert installation.snapshot(held.matter).response.playbook.id == str(kind)
    period = parse_period(REVIEW_LENGTHS[kind], held.period, ZONE)
    with installation.installation.database.read() as connection:
        own = FIGURES_BY_KIND[kind](service, connection, period, installation.now)
    assert not own.keys() & {"kind", "period", "from", "to", "zone", "whole", "late", "missed"}, (
        "two meanings of a name"
    )


def test_a_role_that_nobody_holds_does_not_lose_the_report(sqlite_installation: InstallationHarness) -> None:
    installation = sqlite_installation
    service = desk_since(installation)
    text = installation.installation.settings.roster_file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("  executive:")]
    installation.installation.settings.roster_file.write_text("\n".join(lines), encoding="utf-8")
    fresh = InstallationHarness(
        type(installation.installation)(installation.installation.settings).open(), installation.receiver
    )
    try:
        (held,) = run_due_reviews(fresh.installation.reviews, ReviewKind.MONTHLY, pendulum.datetime(2026, 11, 1, 0, 30))
        assert held.matter == ""
        assert kept(fresh, held.document)
        with fresh.installation.database.read() as connection:
            (row,) = review_records.list_runs(connection)
        assert "executive" in row.trouble
    finally:
        fresh.installation.close()
        service.close()


def test_a_report_on_demand_calls_nobody(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    document = remake_document(service, ReviewKind.MONTHLY, "2026-10", installation.now)
    assert "as far as it is" in document.texts["en"]
    assert runs(installation) == []
    with pytest.raises(CommandRefused, match="has not begun yet"):
        remake_document(service, ReviewKind.MONTHLY, "2026-12", installation.now)
    with pytest.raises(BadPeriod):
        remake_document(service, ReviewKind.MONTHLY, "2026-W44", installation.now)
    with installation.installation.database.read() as connection:
        assert turns.load_installation_fact(connection, "reviews") is not None


def test_topics_are_counted_by_category_and_what_has_none_is_said(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    batch = SampleBatch()
    at = pendulum.datetime(2026, 10, 28, 4)
    for metric, category, value in (
        ("complaints", "payment", 30.0), ("complaints", "delivery", 10.0), ("complaints", "", 10.0),
        *(("contacts", f"question-{place:02d}", 100.0 - place) for place in range(22)),
    ):  # fmt: skip
        batch.add((metric, canonical_labels({"category": category} if category else {})), to_micros(at), value, 1.0)
    batch.add(("complaints", canonical_labels({"category": "payment"})), to_micros(at.subtract(days=7)), 20.0, 1.0)
    service.figures.take([batch], at)
    installation.now = pendulum.datetime(2026, 11, 2, 0, 15)
    run_due_reviews(service, ReviewKind.TOPICS, installation.now)
    found = kept(installation, "complaint-topics/2026-W44")
    # 50 complaints: payment 30 (20 the week before: + 50 %), delivery 10, without a category 10 (20 %).
    assert found.data["complaints"] == {
        "total": 50.0, "without": 10.0, "more": 0,
        "rows": [
            {"category": "payment", "count": 30.0, "before": 20.0},
            {"category": "delivery", "count": 10.0, "before": None},
        ],
    }  # fmt: skip
    assert "20 % of 50 have no category." in found.texts["en"]
    assert "+50.0 %" in found.texts["en"]
    # Of 22 questions the twenty most frequent are listed, and two are said to be left out.
    assert [row["category"] for row in found.data["questions"]["rows"]][::19] == ["question-00", "question-19"]
    assert "2 more categories are not listed." in found.texts["en"]


def test_days_of_23_and_25_hours_have_their_own_figures(sqlite_installation: InstallationHarness) -> None:
    """Berlin, 25 October 2026: the day has 25 hours. A contact in the last of them is of that day, one after it not."""
    installation = sqlite_installation
    service = installation.installation.reviews
    batch = SampleBatch()
    for at in ("2026-10-24T22:00", "2026-10-25T22:59", "2026-10-25T23:00"):  # UTC; midnight is 22:00, then 23:00
        moment = pendulum.parse(at)
        assert isinstance(moment, pendulum.DateTime)
        batch.add(("contacts", canonical_labels({})), to_micros(moment), 1.0, 1.0)
    service.figures.take([batch], installation.now)
    period = parse_period(PeriodLength.MONTH, "2026-10", "Europe/Berlin")
    with installation.installation.database.read() as connection:
        found = PeriodMetrics(service.figures, connection, service.metrics(), period).amount("contacts")
    assert found.by_day == {"2026-10-25": 2.0, "2026-10-26": 1.0}


def test_one_retrospective_that_cannot_be_written_keeps_no_other_from_its_people(
    sqlite_installation: InstallationHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = sqlite_installation
    first, second = installation.declare(severity="critical"), installation.declare(severity="critical")
    for ref in (first, second):
        installation.do(ref, Close, "alice", reason="over")
    whole = retrospective_facts.gather_facts

    def broken(service: ReviewService, connection: Any, case: Any, now: Any) -> dict[str, Any]:
        if case.incident.ref == first:
            raise ZeroDivisionError
        return whole(service, connection, case, now)

    monkeypatch.setattr(retrospective_facts, "gather_facts", broken)
    with pytest.raises(ZeroDivisionError):
        retrospective.draft_due(installation.installation.reviews, installation.now)
    assert kept(installation, f"retrospective/{second}")


def test_the_day_says_what_the_rule_says_and_where_it_is_worked_on(installation: InstallationHarness) -> None:
    service = desk_since(installation)
    command = Declare(
        id="slow", title="First response over 45 s", playbook="process-retrospective", case_type=CaseType.WARNING
    )
    ref = commands.declare(installation.installation, command, installation.now).ref
    row = {
        "id": "w1", "lane": "", "rule": "slow-first-response", "title": {}, "series": "[]", "tier": "yellow",
        "worst": "yellow", "course": "called", "because": {}, "began_at": installation.now, "made_at": installation.now,
        "matter": "slow", "playbook": "process-retrospective", "service": "", "link": "",
    }  # fmt: skip
    with installation.installation.database.write() as connection:
        connection.execute(insert(WarningRow.__table__).values(**row))  # type: ignore[attr-defined]
        everything: SeriesKey = ()
        firing = RuleState(phase=RulePhase.FIRING, tier=Tier.YELLOW)
        warnings.save_rule_states(connection, "", {("slow-first-response", everything): firing}, installation.now)
    text = remake_document(service, ReviewKind.DAILY, "2026-10-19", installation.now).texts
    assert f"The rule fires: the process of first responses is being improved. {ref}" in text["en"]
    assert f"规则已触发：正在优化首次响应流程。 {ref}" in text["zh"]
