"""Punctuality of deadlines: many open incidents whose deadlines fall due over one minute.

Late is a turn taken after its moment, and a notice accepted by the receiver after the moment it is about.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Table, arguments, finish, machine, percentile, post_all, request, spread
from tests.smoke.count import Books
from tests.smoke.stack import Stack, until

_MICRO = 1_000_000
_WAIT = 60.0  # seconds from the last declaration to the first deadline: the burst is over by then
PLAYBOOK = """
id: punctual
title: Punctual
version: 1
flow: respond_publicly
severity: major
commander: incident-commander
stages:
  - id: work
    title: Work
    starts: 0m
    ends: 8h
    steps:
      - {id: fix, kind: act, title: Fix it, owner: technology-lead, due: 4h}
"""


def measure(
    incidents: int, folder: Path, beside: Callable[[Stack], AbstractContextManager[object]] = nullcontext
) -> Table:
    """Declared at once with clocks back-dated evenly, so that one deadline after the other falls due.

    `beside`: what else goes on while they do.
    """
    with Stack(folder, playbooks={"punctual": PLAYBOOK}, second_channels=False) as stack:
        until(stack.all_up, 90, "everything is up")
        first = time.time() + _WAIT + incidents * 0.03
        requests = []
        for number in range(incidents):
            due = first + 60.0 * number / incidents
            since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(due - 4 * 3600)) + f".{int(due % 1 * 1e6):06d}+00:00"
            document = {"id": f"p-{number}", "title": f"number {number}", "playbook": "punctual", "since": since}
            requests.append(request("/api/incidents", document, stack.port))
        answered = post_all(stack.port, requests)
        refused = [one.document for one in answered if one.status != 201]  # noqa: PLR2004
        if refused:
            raise SystemExit(f"{len(refused)} declarations were refused, the first: {refused[0]}")
        spare = first - max(one.ended for one in answered)
        with beside(stack):
            time.sleep(max(0.0, first + 60.0 + 3.0 - time.time()))
        until(lambda: _over(stack), 120, "every deadline was seen", 0.5)
        return _table(stack, incidents, spare)


def _over(stack: Stack) -> bool:
    outbox = stack.client.get("/api/figures").json()["outbox"]
    now = time.time() * _MICRO
    overdue = [row for row in Books(stack.home / "tocsin.db").responses if (row["wake_at"] or now) < now]
    return not overdue and not any(outbox.get(state) for state in ("pending", "retry", "leased"))


def _table(stack: Stack, incidents: int, spare: float) -> Table:
    books = Books(stack.home / "tocsin.db")
    due = {row["response_id"]: row["due_at"] for row in books.steps}
    missed = {fact["response_id"]: fact["at"] for fact in books.facts if fact["kind"] == "deadline-missed"}
    responses = {books.refs[row["incident_id"]]: row["id"] for row in books.responses}
    arrived: dict[str, float] = {}
    for one in stack.receiver.received():
        key = str(one["json"]["key"])
        if "/overdue/" in key:
            arrived.setdefault(responses[key.split("/", maxsplit=1)[0]], float(one["at"]))
    turns = [(missed[name] - due[name]) / _MICRO for name in missed]
    notices = [arrived.get(name, float("inf")) - due[name] / _MICRO for name in missed]
    drivers = [row["driver"] for row in books.turns]
    table = Table(f"{incidents} deadlines over a minute, {incidents} open incidents")
    spread(table, "turn late", turns, p99=1.0)
    spread(table, "notice accepted late", notices)
    table.add("deadlines not seen", incidents - len(missed), "", target=0)
    table.add("turns without Prefect", 100 * drivers.count("guarantor") / max(1, len(drivers)), "%", target=5.0)
    table.add("all declared before the first deadline", spare, "s", note="negative: they were late at birth")
    table.add("turn late, p90", percentile(turns, 0.9), "s")
    return table


def main() -> int:
    """Run it."""
    options, before = arguments(str(__doc__)), machine()
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        table = measure(30 if options.quick else 1_000, Path(folder) / "one")
    return finish([table], options, before)


if __name__ == "__main__":
    sys.exit(main())
