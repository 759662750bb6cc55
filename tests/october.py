"""October 2026 of a small installation, played by hand: three incidents, customers, daily figures.

Every figure of its monthly report is worked out in tests/integration/test_review_monthly.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pendulum
from pendulum import DateTime
from sqlalchemy import insert

from domain.action import Action, ActionKind
from domain.commands import Acknowledge, Approve, Cancel, Close, Done, Draft, Mitigate
from domain.review.period import Period, PeriodLength, parse_period
from domain.text import Text
from engine.customers import import_customers
from engine.response.actions import open_actions
from engine.review.run_review import keep_daily_shares
from engine.review.service import ReviewService
from storage import documents
from storage.customers import affected_customers
from storage.incidents import incidents
from storage.incidents.tables import WarningRow
from storage.samples.sample_store import SampleBatch, canonical_labels, to_micros
from tests.installations import InstallationHarness, installation_harness

ZONE = "Asia/Shanghai"
NOW = pendulum.datetime(2026, 11, 1, 0, 30)  # 08:30 in Shanghai: the report's hour
WORSE = (5, 12, 20)  # the days of the incidents
MENDING = """
id: mend
title: {en: Bring it back, zh: 恢复服务}
objective: 45m
stages:
  - id: s
    title: {en: Bring it back, zh: 恢复服务}
    ends: 1h
    steps:
      - id: fix
        kind: act
        title: {en: Fix it, zh: 修复}
        owner: technology-lead
        ack_within: 5m
        due: 40m
  - id: closing
    title: {en: Closing, zh: 结案}
    from: closed
    ends: 1h
    steps: [{id: report, kind: act, title: {en: Report, zh: 结案报告}, owner: incident-commander, due: 30m}]
"""
REVIEWS = """
timezone: Asia/Shanghai
retrospective: {severities: [critical, major], figures: [csat, complaint_rate, response_time, contacts]}
weekly: [conversion, repeat_enquiries, self_service, resolution_time, csat]
aims: {csat: 85%, complaint_rate: 1.2%, response_time: 30s}
levels:
  - {level: 1, title: {en: Simple contacts, zh: 简单咨询}, within: 15m, objective: 90%}
  - {level: 2, title: {en: Experts, zh: 专家处理}}
  - {level: 3, title: {en: Product development, zh: 产品研发}}
clocks:
  - {id: apology, title: {en: "Hour 1: apology", zh: 第1小时：致歉}, playbook: say, step: s/post}
  - {id: compensation, title: {en: "Hour 3: compensation", zh: 第3小时：补偿}, playbook: say, step: s/pay}
value:
  labour_cost_per_hour: 60
  hours_saved_per_case: 0.1
  lifetime_value: 800
  customers_kept: 5
  investment: 8000
"""


def at(day: int, hour: int, minute: int = 0, month: int = 10) -> DateTime:
    """A moment in UTC."""
    return pendulum.datetime(2026, month, day, hour, minute)


def period() -> Period:
    return parse_period(PeriodLength.MONTH, "2026-10", ZONE)


@contextmanager
def october(home: Path, database_url: str = "") -> Iterator[InstallationHarness]:
    """Installation with the files of that month, all of it played through."""
    (home / "playbooks").mkdir(parents=True, exist_ok=True)
    (home / "playbooks" / "mend.yaml").write_text(MENDING, encoding="utf-8")
    (home / "reviews.yaml").write_text(REVIEWS, encoding="utf-8")
    with installation_harness(home, database_url) as installation:
        live_through(installation)
        yield installation


def live_through(installation: InstallationHarness) -> ReviewService:
    """All of October; afterwards it is half past eight on the first of November."""
    service = installation.installation.reviews
    _figures(service)
    _apologise(installation)
    _mend_late(installation)
    _answer_late(installation)
    _not_counted(installation)
    _drill(installation)
    _customers(installation)
    _warnings(installation)
    installation.now = NOW
    installation.turn()
    return service


def _apologise(installation: InstallationHarness) -> None:
    """INC-1, 5 October 02:00: the apology is public at 02:25, service back at 02:40, closed at 03:00."""
    installation.now = at(5, 2)
    ref = installation.declare("say", title="Checkout is down", service="orders", kind="outage")
    installation.now = at(5, 2, 10)
    installation.do(ref, Draft, "chenyu", step="s/write", texts={"en": "We are sorry."})
    installation.turn()
    installation.now = at(5, 2, 25)
    installation.do(ref, Acknowledge, "alice", step="s/pass")
    installation.do(ref, Approve, "alice", step="s/pass", digest=installation.snapshot(ref).steps["s/write"].digest)
    installation.turn()
    installation.deliver()
    installation.turn()
    installation.now = at(5, 2, 40)
    installation.do(ref, Mitigate, "alice")
    installation.now = at(5, 3)
    installation.do(ref, Close, "alice", reason="solved")
    installation.turn()


def _mend_late(installation: InstallationHarness) -> None:
    """INC-2, 12 October 06:00: taken after 4 minutes, done after 50 instead of 40, reported within 20."""
    installation.now = at(12, 6)
    ref = installation.declare("mend", title="Orders are slow", service="orders", kind="outage", severity="major")
    installation.now = at(12, 6, 4)
    installation.do(ref, Acknowledge, "fenglei", step="s/fix")
    installation.now = at(12, 6, 45)
    installation.turn()
    installation.now = at(12, 6, 50)
    installation.do(ref, Done, "fenglei", step="s/fix")
    installation.do(ref, Mitigate, "alice")
    installation.now = at(12, 7)
    installation.do(ref, Close, "alice", reason="solved")
    installation.turn()
    installation.now = at(12, 7, 20)
    installation.do(ref, Done, "alice", step="closing/report")
    installation.turn()


def _answer_late(installation: InstallationHarness) -> None:
    """INC-3, 20 October 01:00: taken after 12 minutes instead of 5, done after 30; nobody writes the report."""
    installation.now = at(20, 1)
    ref = installation.declare("mend", title="Orders fail again", service="orders", kind="outage", severity="major")
    installation.now = at(20, 1, 6)
    installation.turn()  # the backup is called
    installation.now = at(20, 1, 12)
    installation.do(ref, Acknowledge, "fenglei", step="s/fix")
    installation.now = at(20, 1, 30)
    installation.do(ref, Done, "fenglei", step="s/fix")
    installation.do(ref, Mitigate, "alice")
    installation.now = at(20, 2)
    installation.do(ref, Close, "alice", reason="solved")
    installation.turn()


def _not_counted(installation: InstallationHarness) -> None:
    """INC-4 is a drill, INC-5 a mistake, ACT-6 a promise of a retrospective; INC-7 is November's."""
    installation.now = at(22, 2)
    installation.declare("mend", title="Exercise of the month", drill=True)
    ref = installation.declare("mend", title="Wrong button", service="orders", kind="outage")
    installation.do(ref, Cancel, "alice", reason="by mistake")
    action = Action(
        Text("A second provider", "第二家服务商"), "technology-lead", timedelta(days=60),
        ActionKind.RETROSPECTIVE, origin="INC-1",
    )  # fmt: skip
    with installation.installation.database.write() as connection:
        open_actions(connection, installation.installation.roster(), {"second-provider": action}, installation.now)
    installation.now = at(31, 16, 5)
    installation.declare("mend", title="November's", service="search", kind="outage")


def _drill(installation: InstallationHarness) -> None:
    """A load drill on the 25th that passed, back after four minutes; one of September is not October's."""
    with installation.installation.database.write() as connection:
        for month in (9, 10):
            documents.save_document(connection, documents.Document(
                f"drill/{month}", Text("Drill checkout: PASS", "压测 checkout：PASS"), at(25, 3, month=month),
                from_at=at(25, 2, month=month), data={"verdict": "PASS", "rto_seconds": 240.0},
            ))  # fmt: skip


def _customers(installation: InstallationHarness) -> None:
    """Four customers of INC-1, one of INC-2; all were asked, four answered, one complained again."""
    service = installation.installation.customers
    said = {
        "INC-1": [
            {"csat": 5, "nps": 10, "solved": True},
            {"csat": 4, "nps": 8, "solved": True},
            {"csat": 2, "nps": 3, "solved": False, "complaints": 1},
            {},
        ],
        "INC-2": [{"csat": 1, "solved": False}],
    }
    for ref, those in said.items():
        installation.now = at(13, 0)
        rows = [{"id": f"{ref}-{place}", "contact": f"c{place}@example.com"} for place in range(len(those))]
        assert import_customers.import_customers(service, ref, rows, installation.now).taken == len(rows)
        with installation.installation.database.write() as connection:
            found = affected_customers.list_customers(connection, incidents.find_incident_id(connection, ref))
            for row in found:
                answer = those[int(row.customer.rpartition("-")[2])]
                when = {"answered_at": at(14, 3), "state": "answered"} if answer else {"state": "asked"}
                affected_customers.update_customer(connection, row.id, asked_at=at(13, 1), **when, **answer)


def _warnings(installation: InstallationHarness) -> None:
    """A yellow one of response time, a red one of complaints; one of a replay, which is no live figure."""
    base = {
        "title": {"en": "Slow responses", "zh": "响应变慢"}, "series": "[]", "course": "called",
        "because": {}, "began_at": at(5, 1), "made_at": at(5, 1), "playbook": "", "service": "", "matter": "",
        "link": "",
    }  # fmt: skip
    rows = [
        {**base, "id": "w1", "lane": "", "rule": "tier-1-response-time", "tier": "yellow", "worst": "yellow"},
        {
            **base, "id": "w2", "lane": "", "rule": "tier-3-complaints", "tier": "red", "worst": "red",
            "title": {"en": "Complaints up 50 %", "zh": "投诉量上升50%"}, "began_at": at(12, 5),
        },
        {**base, "id": "w3", "lane": "replay", "rule": "tier-1-response-time", "tier": "red", "worst": "red"},
    ]  # fmt: skip
    with installation.installation.database.write() as connection:
        connection.execute(insert(WarningRow.__table__), rows)  # type: ignore[attr-defined]


def _figures(service: ReviewService) -> None:
    """Every day at noon in Shanghai; on the days of the incidents more contacts, slower, less satisfied."""
    batch = SampleBatch()

    def push(when: DateTime, metric: str, value: float, events: float = 1.0, **labels: str) -> None:
        batch.add((metric, canonical_labels(labels)), to_micros(when), float(value), float(events))

    push(at(15, 4, month=9), "contacts", 3200)
    for day in range(1, 32):
        noon, worse = at(day, 4), day in WORSE
        push(noon, "contacts", 100, level="1", category="delivery")
        push(noon, "complaints", 1, category="delivery")
        push(noon, "response_time", 20, 100)
        push(noon, "self_service", 0.25, 100)
        push(noon, "level_attainment", 0.75 if worse else 0.95, 100, level="1")
        push(noon, "csat", 5, 5 if worse else 9)
        push(noon, "csat", 2, 5 if worse else 1)
        if worse:
            push(noon.add(minutes=1), "contacts", 300, level="2", category="payment")
            push(noon.add(minutes=1), "response_time", 60, 300)
            push(noon.add(minutes=1), "level_attainment", 0.6, 300, level="2")
            push(noon.add(minutes=1), "complaints", 9 if day == WORSE[0] else 10, category="payment")
    service.figures.take([batch], NOW)
    for day in range(1, 32):
        keep_daily_shares(service, at(day, 12), anew=True)
