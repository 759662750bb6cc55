"""Served installation with content on every page: incidents, texts, figures, warning, customer, drills."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from pendulum import DateTime
from sqlalchemy import insert

from domain.commands import Acknowledge, Close, Declare, Done
from engine.customers import import_customers
from engine.process import clock
from engine.response import commands
from engine.response.turn import lease_turns, take_turn
from storage import documents
from storage.documents import Document
from storage.incidents import incidents, warnings
from storage.incidents.tables import WarningRow
from storage.samples.sample_store import LIVE_FEED
from tests.served import Served, served

PAST = (  # months ago, title, service, minutes until somebody took it
    (5, "Login codes arrive late", "login", 9), (4, "Refunds are counted twice", "refunds", 14),
    (4, "Search finds nothing", "search", 6), (3, "Checkout is slow", "checkout", 11),
    (2, "The app crashes at start", "app", 4), (1, "Invoices are wrong", "billing", 5),
    (1, "Checkout is down in two regions", "checkout", 3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PopulatedInstallation:
    """Populated installation, and the reference of its main incident."""

    web: Served
    ref: str


@contextmanager
def populated_installation(home: Path, port: int) -> Iterator[PopulatedInstallation]:
    """Serve the populated installation until the block ends."""
    with served(home, port) as web:
        now = clock.now()
        for months, title, service, minutes in PAST:
            _past(web, now.subtract(months=months, days=3), title, service, minutes)
        ref = _main(web)
        web.declare("Refunds are late", playbook="service-outage", service="refunds", impact={"customers": 40})
        web.turn(web.declare("Monthly rehearsal", drill=True, service="checkout"))
        _figures(web, now)
        _warning(web, now)
        _drills(web, now)
        yield PopulatedInstallation(web, ref)


def _past(web: Served, began: DateTime, title: str, service: str, minutes: int) -> None:
    """An incident that was fought and closed, months ago: the commands of that time, by its clock."""
    installation = web.installation
    command = Declare(id=f"past-{title}", title=title, playbook="service-outage", by="alice", service=service)
    ref = commands.declare(installation, command, began).ref
    with installation.database.read() as connection:
        ids = incidents.list_response_ids(connection, incidents.find_incident_id(connection, ref))
    for lease in lease_turns(installation, ids, began):
        take_turn(installation, lease, began, driver="prefect")
    taken = began.add(minutes=minutes)
    steps = [one["id"] for stage in web.show(ref)["stages"] for one in stage["steps"] if one["state"] == "open"]
    for place, step in enumerate(steps):
        given: dict[str, Any] = {"incident": ref, "by": "fenglei", "step": step}
        commands.carry_out_command(installation, Acknowledge(id=f"{title}-a{place}", **given), taken)
        try:
            done = Done(id=f"{title}-d{place}", **given, evidence="restarted")
            commands.carry_out_command(installation, done, taken.add(minutes=10 + 4 * place))
        except commands.CommandRefused:
            continue  # a text, or a decision: it stays open until the close
    closed = Close(id=f"{title}-close", incident=ref, by="alice", reason="over")
    commands.carry_out_command(installation, closed, taken.add(hours=1))


def _main(web: Served) -> str:
    """The incident that is being fought."""
    since = clock.now().subtract(minutes=25)
    ref = web.declare(
        "Checkout is down", service="checkout", since=since.isoformat(),
        impact={"customers": 1200, "orders": 300, "money": 90_000, "brand": 2},
    )  # fmt: skip
    web.turn(ref)
    web.post(ref, "acknowledge", {"step": "apology/trace", "as": "fenglei"})
    web.post(ref, "note", {"text": "Three regions are down, payments time out", "as": "alice"})
    web.post(ref, "note", {"text": "Two regions, not three", "corrects": 10, "as": "alice"})
    for words in (
        "We are sorry that checkout fails.",
        "We are sorry: since 03:05 checkout has failed for many of you.",
    ):
        texts = {"en": words, "zh_CN": "结账功能自 03:05 起故障，我们深表歉意，正在全力修复。"}
        answer = web.client.post(
            f"/api/incidents/{ref}/draft", json={"step": "apology/draft", "texts": texts}, headers=web.token("chenyu")
        )
        assert answer.status_code == 200, answer.text
        web.turn(ref)
    customers = web.installation.customers
    rows = [{"id": "C1", "contact": "li@example.com", "time_zone": "UTC", "order_value": "900"}]
    import_customers.import_customers(customers, ref, rows, clock.now())
    return ref


def _figures(web: Served, now: DateTime) -> None:
    """The last day of every core figure, and how people spoke."""
    shapes = {
        "response_time": (22.0, 9.0, 40), "error_rate": (0.006, 0.004, 40), "throughput": (30.0, 10.0, 1),
        "availability": (0.9993, 0.0005, 40), "csat": (4.4, 0.4, 40), "backlog": (20.0, 9.0, 1),
        "agents": (12.0, 2.0, 1), "mentions": (14.0, 9.0, 1), "negative_mentions": (4.0, 3.0, 1),
        "contacts": (60.0, 20.0, 1), "negative_share": (0.2, 0.1, 20),
    }  # fmt: skip
    rows = []
    for metric, (middle, swing, count) in shapes.items():
        for ago in range(0, 24 * 60, 10):
            value = middle + swing * math.sin(ago / 180.0) * (1.6 if ago < 40 else 1.0)
            if metric in ("availability", "error_rate", "negative_share"):
                value = min(1.0, max(0.0, value))
            time = now.subtract(minutes=ago).isoformat()
            shown = round(min(value, 5.0) if metric == "csat" else value, 4)
            rows.append({"metric": metric, "time": time, "value": shown, "count": count})
    answer = web.client.post("/api/samples", json={"samples": rows})
    assert answer.status_code == 202, answer.text


def _warning(web: Served, now: DateTime) -> None:
    title = {"en": "Tier 1: response time over 30 s", "zh": "一级预警：响应时长超过30秒"}
    because = {"en": "Response time is 36.2 s in 2m, good again at 25 s or less.", "zh": "2m内响应时长为36.2秒。"}
    values = {
        "id": "warning-1",
        "lane": LIVE_FEED,
        "rule": "tier-1-response-time",
        "title": title,
        "because": because,
        "series": warnings.format_series((("service", "checkout"),)),
        "tier": "yellow",
        "worst": "yellow",
        "course": "shown",
        "began_at": now - timedelta(minutes=12),
        "made_at": now,
        "matter": "",
        "playbook": "",
        "service": "checkout",
        "value": 36.2,
        "link": "",
    }
    with web.installation.database.write() as connection:
        connection.execute(insert(WarningRow.__table__).values(**values))  # type: ignore[attr-defined]


def _drills(web: Served, now: DateTime) -> None:
    from domain.text import Text
    from engine.drill.folders import KIND

    for months, capacity, rto, verdict in ((3, 15.2, 52.0, "FAIL"), (2, 17.9, 31.5, "PASS"), (1, 18.3, 30.1, "PASS")):
        at = now.subtract(months=months)
        data = {"id": f"d{months}", "verdict": verdict, "knee": {"rate": capacity}, "rto_seconds": rto}
        page = f"<!doctype html><title>Drill</title><p>{verdict}</p>"
        one = Document(
            id=f"{KIND}/d{months}", title=Text("The service chain at 200 %", "服务链路 200% 压测"), about="",
            made_at=at, from_at=at, to_at=at, version=1, data=data, texts={}, pages={"en": page, "zh": page},
        )  # fmt: skip
        with web.installation.database.write() as connection:
            documents.save_document(connection, one)
