"""From a declaration to its first notice accepted: idle, 1,000 at once, with a kill, beside Alertmanager.

The clock of a sample starts before the first byte of the POST and stops when the receiver, a process of its own, has
the first notice of that incident whole.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import (
    SEED,
    Answered,
    Table,
    arguments,
    finish,
    machine,
    percentile,
    post_all,
    request,
    spread,
)
from tests.smoke.count import count
from tests.smoke.stack import ReceiverProcess, Stack, free_ports, until

PLAYBOOK = "four-hour-response"
ALERTMANAGER = "prometheus-alertmanager"
BURST_SECONDS = 180.0
IDLE_PAUSE = (0.7, 1.1)  # seconds: longer than a Prefect run stays open, so that each sample finds nothing under way
CONFIGURATION = """
route:
  receiver: sink
  group_by: ['...']
  group_wait: 0s
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: sink
    webhook_configs:
      - url: http://127.0.0.1:{port}/alertmanager
        send_resolved: false
"""


def declaration(name: str) -> dict[str, Any]:
    """What is declared each time."""
    return {"id": name, "title": f"Checkout is down, {name}", "playbook": PLAYBOOK}


def first_arrivals(received: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Reference of the incident -> when its first notice was accepted."""
    found: dict[str, float] = {}
    for one in received:
        found.setdefault(str(one["json"]["key"]).split("/")[0], float(one["at"]))
    return found


# --- idle -----------------------------------------------------------------------------------------


def idle(samples: int, folder: Path) -> Table:
    """One at a time, with a pause, each waited for."""
    chance = random.Random(SEED)  # noqa: S311 - pauses, no secrets
    seconds: list[float] = []
    with Stack(folder, second_channels=False) as stack:
        until(stack.all_up, 90, "everything is up")
        time.sleep(5)
        seen = 0
        for number in range(-10, samples):  # the first ones warm up
            data = request("/api/incidents", declaration(f"idle-{number}"), stack.port)
            answered = post_all(stack.port, [data], 1)[0]
            ref = str(answered.document["ref"])
            arrived: dict[str, float] = {}
            end = time.monotonic() + 30
            while ref not in arrived and time.monotonic() < end:
                time.sleep(0.02)
                received = stack.receiver.received(seen)
                seen += len(received)
                arrived |= {name: at for name, at in first_arrivals(received).items() if name not in arrived}
            if number >= 0:
                seconds.append(arrived.get(ref, float("inf")) - answered.begun)
            time.sleep(chance.uniform(*IDLE_PAUSE))
    table = Table(f"declare -> first notice accepted, idle, {samples} samples")
    spread(table, "from the POST", seconds, p50=0.5, p99=1.0)
    return table


# --- at once --------------------------------------------------------------------------------------


def burst(incidents: int, folder: Path, *, kill: bool) -> tuple[Table, list[float]]:
    """All at once; with `kill`, SIGKILL of the runner once a third of the first notices is there."""
    with Stack(folder, second_channels=False) as stack:
        until(stack.all_up, 90, "everything is up")
        time.sleep(5)
        killer = subprocess.Popen([sys.executable, "-c", _KILLER, str(stack.pids()["runner"])]) if kill else None
        requests = [request("/api/incidents", declaration(f"burst-{n}"), stack.port) for n in range(incidents)]
        answered = post_all(stack.port, requests)
        accepted = {str(one.document["ref"]): one for one in answered if one.status == 201}  # noqa: PLR2004
        first = _wait_for_first(stack, set(accepted))
        title = f"{incidents} declared at once" + (", runner killed in the middle" if kill else "")
        table = Table(title)
        totals = _burst_rows(table, answered, accepted, first)
        if kill:
            _kill_rows(table, stack)
        if killer is not None:
            killer.wait()
        return table, totals


# Half a second into the burst: most of it is still to come.
_KILLER = "import os, signal, sys, time; time.sleep(0.5); os.kill(int(sys.argv[1]), signal.SIGKILL)"


def _wait_for_first(stack: Stack, wanted: set[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    seen, end = 0, time.monotonic() + BURST_SECONDS
    while not wanted <= set(found) and time.monotonic() < end:
        time.sleep(0.25)
        received = stack.receiver.received(seen)
        seen += len(received)
        found |= {ref: at for ref, at in first_arrivals(received).items() if ref not in found}
    return found


def _burst_rows(
    table: Table, answered: list[Answered], accepted: dict[str, Answered], first: dict[str, float]
) -> list[float]:
    begin = min(one.begun for one in answered)
    totals = [first.get(ref, float("inf")) - begin for ref in accepted]
    spread(table, "from the first POST", totals, p99=3.0)
    spread(table, "from its own POST", [first.get(ref, float("inf")) - one.begun for ref, one in accepted.items()])
    table.add("all declared", max(one.ended for one in answered) - begin, "s", note=f"{len(accepted)} accepted")
    return totals


def _kill_rows(table: Table, stack: Stack) -> None:
    """What the independent count says."""
    moment = time.time()

    def settled() -> bool:
        outbox = stack.client.get("/api/figures").json()["outbox"]
        return not any(outbox.get(state) for state in ("pending", "retry", "leased"))

    until(settled, BURST_SECONDS, "everything owed was sent", 0.5)
    found = count(stack.home / "tocsin.db", stack.receiver.received(), until=moment, limit=5.0)
    lost = [one for one in found.complaints if one.startswith(("lost", "recorded", "never"))]
    unmarked = [one for one in found.complaints if one.startswith("a repeat")]
    table.add("notices owed", found.owed, "")
    table.add("lost", len(lost), "", target=0)
    table.add("repeats", found.repeats, "", target=48)
    table.add("repeats without their mark", len(unmarked), "", target=0)


# --- beside Alertmanager --------------------------------------------------------------------------


def alertmanager(alerts: int, folder: Path) -> tuple[Table, list[float]]:
    """The same number of alerts in as many requests, each a group of its own, to the same kind of sink."""
    folder.mkdir(parents=True)
    sink, (port,) = ReceiverProcess(), free_ports(1)
    configuration = folder / "alertmanager.yml"
    configuration.write_text(CONFIGURATION.format(port=sink.port), encoding="utf-8")
    command = [
        ALERTMANAGER, f"--config.file={configuration}", f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), 20, "Alertmanager listens")
        time.sleep(1)
        requests = [
            request("/api/v2/alerts", [{"labels": {"alertname": "t", "n": str(n)}}], port) for n in range(alerts)
        ]
        answered = post_all(port, requests)
        first = _alerts_at_sink(sink, alerts)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        sink.stop()
    table = Table(f"Alertmanager: {alerts} alerts at once, as many groups, group_wait 0s")
    begin = min(one.begun for one in answered)
    totals = [first.get(str(n), float("inf")) - begin for n in range(alerts)]
    spread(table, "from the first POST", totals)
    spread(table, "from its own POST", [first.get(str(n), float("inf")) - one.begun for n, one in enumerate(answered)])
    return table, totals


def _listens(port: int) -> bool:
    try:
        return post_all(port, [request("/api/v2/alerts", [], port)], 1)[0].status == 200  # noqa: PLR2004
    except OSError:
        return False


def _alerts_at_sink(sink: ReceiverProcess, alerts: int) -> dict[str, float]:
    found: dict[str, float] = {}
    seen, end = 0, time.monotonic() + BURST_SECONDS
    while len(found) < alerts and time.monotonic() < end:
        time.sleep(0.25)
        received = sink.received(seen)
        seen += len(received)
        for one in received:
            for alert in one["json"]["alerts"]:
                found.setdefault(alert["labels"]["n"], float(one["at"]))
    return found


def ratio(ours: list[float], theirs: list[float]) -> Table:
    """Ours over theirs: 1 is as quick."""
    table = Table("ours over Alertmanager's, from the first POST of the burst")
    for name, share in (("p50", 0.50), ("p99", 0.99)):
        table.add(f"ratio of {name}", percentile(ours, share) / percentile(theirs, share), "", target=1.0)
    return table


def main() -> int:
    """Run all, or the parts that are named."""

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", choices=("idle", "burst", "kill", "alertmanager"), action="append")

    options, before = arguments(str(__doc__), more), machine()
    parts = options.only or ["idle", "burst", "kill", "alertmanager"]
    samples, incidents = (20, 50) if options.quick else (500, 1_000)
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        ours: list[float] = []
        if "idle" in parts:
            tables.append(idle(samples, folder / "idle"))
        if "burst" in parts:
            table, ours = burst(incidents, folder / "burst", kill=False)
            tables.append(table)
        if "alertmanager" in parts and shutil.which(ALERTMANAGER):
            table, theirs = alertmanager(incidents, folder / "alertmanager")
            tables += [table, ratio(ours, theirs)] if ours else [table]
        if "kill" in parts:
            tables.append(burst(incidents, folder / "kill", kill=True)[0])
    if "alertmanager" in parts and not shutil.which(ALERTMANAGER):
        print(f"{ALERTMANAGER} is not installed: no ratio")
    return finish(tables, options, before)


if __name__ == "__main__":
    sys.exit(main())
