"""One notice to 1,000 people over mixed channels, slow and failing ones among them, while pages go on.

Pages are measured alone first, then in the same installation while the fan-out is under way: the ratio of their p99 is
the promise. DingTalk robots on loopback count what reaches them: never more than twenty in any minute. The receiver of
everything else is a process of its own; the clock of a page starts before its declaration.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pendulum
import pytest
from sqlalchemy import select

from benchmarks.common import SEED, Table, arguments, finish, machine, percentile, spread
from engine.delivery.deliver import Deliverer
from storage import outbox
from storage.outbox import OUTBOX, OutboxEntry
from tests.impatient import TAGS
from tests.installations import InstallationHarness, installation_harness
from tests.receivers import Behaviour, Received
from tests.services import base
from tests.services.chinese import SECRET, DingTalk
from tests.smoke.stack import ReceiverProcess

ROBOTS = 5
A_MINUTE = 20
LOOK_SECONDS = 0.02
# Of 1,000 people: how they are reached, and how their channel behaves.
MIX = {"fast": 600, "robot": 200, "failing": 100, "slow": 60, "cut": 40}
BEHAVIOUR: dict[str, dict[str, Any]] = {
    "failing": {"status": 503},
    "slow": {"delay": 1.5},
    "cut": {"cut": "after"},
}


class Robots(DingTalk):
    """Robots under one host, each with a token of its own; it notes when what reached which."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.arrived: dict[str, list[float]] = {}

    def decide(self, request: Received) -> Behaviour:
        """Take everything, and note when."""
        self.arrived.setdefault(request.query["access_token"], []).append(request.at)
        return self.taken(request)

    def most_in_a_minute(self) -> int:
        """Of the busiest robot, in the busiest window."""
        return max(
            (sum(begin <= at < begin + 60 for at in times) for times in self.arrived.values() for begin in times),
            default=0,
        )


def channels_file(port: int, people: dict[str, str]) -> str:
    """Everybody's channel as an Apprise configuration."""
    lines = [f"  - json://127.0.0.1:{port}/page/{tag}?rto=5:\n      tag: {tag}" for tag in TAGS]
    for person, kind in people.items():
        if kind != "robot":
            lines.append(f"  - json://127.0.0.1:{port}/{kind}/{person}?rto=5:\n      tag: {person}")
    lines += [f"  - dingtalk://{SECRET}@{number:064x}/:\n      tag: robot-{number}" for number in range(ROBOTS)]
    return "version: 1\nurls:\n" + "\n".join(lines) + "\n"


def people(count: int) -> dict[str, str]:
    """Person -> kind of channel, mixed as the outbox would be."""
    kinds = [kind for kind, share in MIX.items() for _ in range(share * count // 1_000)]
    random.Random(SEED).shuffle(kinds)  # noqa: S311 - an order, no secret
    return {f"p{number}": kind for number, kind in enumerate(kinds)}


@contextmanager
def delivering(installation: InstallationHarness) -> Iterator[None]:
    """A sender as a runner has it: looks, sends what is ready, looks again."""
    sender = Deliverer(installation.installation, "bench", lambda: pendulum.now("UTC"))
    over = threading.Event()

    def work() -> None:
        while not over.wait(LOOK_SECONDS):
            sender.deliver(wait=False, seconds=1.0)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        sender.close()


def pages(installation: InstallationHarness, sink: ReceiverProcess, count: int) -> list[float]:
    """Seconds from before a declaration to its page whole at the receiver, one every tenth of a second."""
    begun: dict[str, float] = {}
    seen = len(sink.received())
    pause = random.Random(SEED)  # noqa: S311 - pauses, no secret
    for number in range(count):
        at = time.time()
        installation.now = pendulum.now("UTC")
        begun[installation.declare(title=f"Checkout is down, {number}")] = at
        time.sleep(pause.uniform(0.05, 0.15))
    arrived: dict[str, float] = {}
    end = time.monotonic() + 30
    while set(begun) - set(arrived) and time.monotonic() < end:
        for one in sink.received(seen):
            if one["path"].startswith("/page/"):
                arrived.setdefault(str(one["json"]["key"]).split("/")[0], float(one["at"]))
        time.sleep(0.1)
    return [arrived.get(ref, float("inf")) - at for ref, at in begun.items()]


def fan_out(installation: InstallationHarness, everyone: dict[str, str]) -> None:
    """One notice that is no page, owed to everybody at once."""
    installation.now = pendulum.now("UTC")
    ref = installation.declare("inform")
    snapshot = installation.snapshot(ref)
    robot = itertools.cycle(range(ROBOTS))
    payload = {
        "title": f"{ref} for your information",
        "body": "结账已恢复。\nCheckout works again.",
        "language": "zh_CN",
    }
    owed = [
        OutboxEntry(
            key=f"{ref}/fan-out/{person}/1", incident_id=snapshot.incident.id, response_id=snapshot.response.id,
            step="", kind="notice", purpose="inform", person=person, lane=outbox.PRIORITY_REST, rank=9, drill=False,
            channel=f"robot-{next(robot)}" if kind == "robot" else person, payload=payload,
        )
        for person, kind in everyone.items()
    ]  # fmt: skip
    with installation.installation.database.write() as connection:
        outbox.enqueue_entries(connection, owed, installation.now)


def states(installation: InstallationHarness, everyone: dict[str, str]) -> Counter[tuple[str, str]]:
    """(kind of channel, state of the row) -> how many."""
    with installation.installation.database.read() as connection:
        rows = connection.execute(select(OUTBOX.c.person, OUTBOX.c.state)).all()
    return Counter((everyone[row.person], str(row.state)) for row in rows if row.person in everyone)


def main() -> int:
    """Measure, and print the ratio."""
    options, before = arguments(str(__doc__)), machine()
    samples, count, seconds = (30, 200, 5.0) if options.quick else (300, 1_000, 70.0)
    everyone = people(count)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name, pytest.MonkeyPatch.context() as patch:
        folder, sink = Path(name), ReceiverProcess()
        for kind, behaviour in BEHAVIOUR.items():
            sink.script(f"/{kind}/", **behaviour)
        try:
            with base.certified(folder, DingTalk.hosts) as (trusted, tls), Robots(tls) as robots:
                base.dialling(patch, trusted, dict.fromkeys(DingTalk.hosts, robots.port))
                (folder / "run").mkdir()
                with (
                    installation_harness(folder, channels=channels_file(sink.port, everyone)) as installation,
                    delivering(installation),
                ):
                    pages(installation, sink, 10)  # warm
                    alone = pages(installation, sink, samples)
                    began = time.monotonic()
                    fan_out(installation, everyone)
                    beside = pages(installation, sink, samples)
                    while time.monotonic() - began < seconds:
                        time.sleep(0.5)
                    found = states(installation, everyone)
                most, taken = robots.most_in_a_minute(), sum(map(len, robots.arrived.values()))
        finally:
            sink.stop()
            base.forget()
    tables = [Table(f"a page, {samples} samples, from before its declaration to the receiver"), Table("")]
    spread(tables[0], "alone", alone)
    spread(tables[0], f"while {count} are told", beside)
    tables[0].add("ratio of p99", percentile(beside, 0.99) / percentile(alone, 0.99), "", target=1.5)
    tables[1].title = f"one notice to {len(everyone)} people, after {seconds:.0f} s: {json.dumps(MIX)}"
    for (kind, state), n in sorted(found.items()):
        tables[1].add(f"{kind}: {state}", n, "")
    tables[1].add("without a row", len(everyone) - sum(found.values()), "", target=0)
    tables[1].add("most messages to one robot in any minute", most, "", target=A_MINUTE, note=f"{taken} in all")
    return finish(tables, options, before)


if __name__ == "__main__":
    sys.exit(main())
