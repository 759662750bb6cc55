"""Samples taken in over HTTP: how many a second, how long a batch waits, what a SIGKILL loses, what deadlines feel.

The pusher is a process of its own; bodies are made before the clock starts. A sample counts when its 202 has come,
which is after its commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from benchmarks import punctuality
from benchmarks.common import ROOT, SEED, Table, arguments, finish, machine, spread
from engine.home import prepare_home
from storage.settings import load_settings
from tests.smoke.stack import clean_environment, free_ports, until

TARGET = 20_000  # samples a second
ACCEPTED = 202
_TICKS = os.sysconf("SC_CLK_TCK")


def bodies(batches: int, size: int, base: float = 0, series: int = 1_000) -> Iterator[tuple[bytes, list[float]]]:
    """Batches of samples of the last minute over so many series; a sample's value is its number, none repeats.

    `base`: seconds since 1970 before which they are; 0: when each is made.
    """
    chance = random.Random(SEED)  # noqa: S311 - figures, no secrets
    number = 0
    for _ in range(batches):
        now = base or time.time()
        samples, values = [], []
        for _ in range(size):
            number += 1
            kind = chance.randrange(series)
            moment = now - chance.random() * 60
            samples.append(
                {
                    "metric": ("response_time", "csat", "complaints", "contacts")[kind % 4],
                    "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
                    + f".{int(moment % 1 * 1e6):06d}+00:00",
                    "value": number,
                    "labels": {"service": f"s{kind % 20}", "queue": f"q{kind // 20}"},
                }
            )
            values.append(float(number))
        yield json.dumps(samples).encode(), values


class Web:
    """The web process alone, on a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        (self.port,) = free_ports(1)
        prepare_home(load_settings(home=self.home, port=self.port))
        self.figures = self.home / "figures.db"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        environment = clean_environment(TOCSIN_HOME=str(self.home), TOCSIN_PORT=str(self.port))
        self.process = subprocess.Popen([sys.executable, "-m", "web"], cwd=ROOT, env=environment)
        until(self._answers, 60, "the web process answers")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        fields = (
            Path(f"/proc/{self.process.pid if self.process else 0}/stat")
            .read_text(encoding="ascii")
            .rpartition(")")[2]
            .split()
        )
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None


@contextmanager
def web(folder: Path) -> Iterator[Web]:
    """A running web process, ended with the block."""
    folder.mkdir(parents=True)
    running = Web(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


# --- the pusher: `python benchmarks/ingest.py --push PORT BATCHES SIZE RATE BASE`, its findings as JSON on stdout


def push(port: int, batches: int, size: int, rate: float, base: float) -> None:
    """Push over four kept connections, at most `rate` samples a second (0: as fast as they are taken)."""
    made = bodies(batches, size, base)
    print(json.dumps(asyncio.run(_push(port, made if rate else list(made), rate))))


async def _push(port: int, made: Iterable[tuple[bytes, list[float]]], rate: float) -> dict[str, Any]:
    waiting = iter(enumerate(made))
    seconds: list[float] = []
    acknowledged: list[float] = []
    begun = time.monotonic()

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, (body, values) in waiting:
            if rate:
                await asyncio.sleep(max(0.0, begun + number * len(values) / rate - time.monotonic()))
            start = time.monotonic()
            writer.write(
                f"POST /api/samples HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            answer = await reader.readexactly(length)
            seconds.append(time.monotonic() - start)
            if int(head.split(b" ", 2)[1]) != ACCEPTED:
                raise SystemExit(f"refused: {answer[:300]!r}")
            acknowledged.extend(values)
        writer.close()

    found = await asyncio.gather(*(work() for _ in range(4)), return_exceptions=True)
    lost = [str(one) for one in found if isinstance(one, BaseException) and not isinstance(one, OSError | EOFError)]
    return {
        "began": begun,
        "ended": time.monotonic(),
        "seconds": seconds,
        "acknowledged": acknowledged,
        "trouble": lost,
    }


@contextmanager
def pusher(port: int, batches: int, size: int, rate: float = 0, base: float = 0) -> Iterator[subprocess.Popen[str]]:
    """The pusher as a process."""
    command = [sys.executable, __file__, "--push", str(port), str(batches), str(size), str(rate), str(base)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _said(process: subprocess.Popen[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(process.communicate()[0])
    if found["trouble"]:
        raise SystemExit(f"the pusher failed: {found['trouble'][0]}")
    return found


# --- what is measured


def rate(samples: int, size: int, folder: Path) -> Table:
    """As fast as they are taken."""
    with web(folder) as running:
        before = running.cpu()
        with pusher(running.port, samples // size, size) as process:
            found = _said(process)
        spent = running.cpu() - before
        stored = _count(running.figures)
    took = found["ended"] - found["began"]
    table = Table(f"{samples} samples in batches of {size}, four connections; web process and pusher share the machine")
    per_second = len(found["acknowledged"]) / took
    table.add("taken in, committed, acknowledged", per_second, "/s", note=f"target {TARGET}: {_kept(per_second)}")
    spread(table, "a batch, from its first byte to its 202", found["seconds"])
    table.add("processor time of the web process for 1,000 samples", 1000 * spent / (samples / 1000), "ms")
    table.add("acknowledged but not stored", len(found["acknowledged"]) - stored, "", target=0)
    return table


def _kept(per_second: float) -> str:
    return "kept" if per_second >= TARGET else "MISSED"


def _count(file: Path) -> int:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        return int(database.execute("SELECT count(*) FROM sample").fetchone()[0])


def killed(samples: int, size: int, folder: Path) -> Table:
    """SIGKILL of the web process in the middle; what was acknowledged is looked for by its values, one by one."""
    base = time.time()
    with web(folder) as running:
        with pusher(running.port, samples // size, size, base=base) as process:
            until(
                lambda: running.figures.exists() and _count(running.figures) > samples // 3, 60, "a third is in", 0.01
            )
            running.stop(signal.SIGKILL)
            found = _said(process)
        with sqlite3.connect(running.figures) as database:
            stored = {row[0] for row in database.execute("SELECT value FROM sample")}
            sound = database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        running.start()  # and it goes on where it was
        with pusher(running.port, samples // size, size, base=base) as process:
            again = _said(process)
        after = _count(running.figures)
    acknowledged = set(found["acknowledged"])
    table = Table("SIGKILL of the web process while samples pour in")
    table.add("acknowledged before the kill", len(acknowledged), "")
    table.add("of these lost", len(acknowledged - stored), "", target=0)
    table.add(
        "stored without having been acknowledged", len(stored - acknowledged), "", note="pushed again, counted once"
    )
    table.add("the file is damaged", 0 if sound else 1, "", target=0)
    table.add("pushed again whole: samples missing", samples - len(set(again["acknowledged"])), "", target=0)
    table.add("in the store, of so many", after, "", note=f"{samples} pushed, a part of them twice")
    table.add("counted twice or missing", abs(after - samples), "", target=0)
    return table


@contextmanager
def pouring(port: int, per_second: float, seconds: float) -> Iterator[None]:
    """Figures of the present pour in meanwhile."""
    size = 500
    with pusher(port, int(per_second * seconds / size), size, per_second) as process:
        yield
        if process.poll() is not None and process.returncode:
            raise SystemExit("the pusher failed while deadlines fell due")


def deadlines(incidents: int, per_second: float, folder: Path) -> list[Table]:
    """Deadlines of open incidents with and without figures pouring in, in the same run."""
    quiet = punctuality.measure(incidents, folder / "quiet")
    quiet.title += ", no figures"
    loud = punctuality.measure(incidents, folder / "loud", lambda stack: pouring(stack.port, per_second, 600))
    loud.title += f", {per_second:g} samples a second pouring in"
    table = Table("lateness of deadlines with figures pouring in, over that without")
    for what in ("turn late, p50", "turn late, p99", "notice accepted late, p99"):
        with_, without = (_measured(one, what) for one in (loud, quiet))
        table.add(f"ratio of: {what}", with_ / without if without else float("nan"), "")
    return [quiet, loud, table]


def _measured(table: Table, what: str) -> float:
    return next(float(row["measured"]) for row in table.rows if row["what"] == what)


def main() -> int:
    """Run all, or the parts that are named."""
    if "--push" in sys.argv:
        port, batches, size, per_second, base = sys.argv[sys.argv.index("--push") + 1 :]
        push(int(port), int(batches), int(size), float(per_second), float(base))
        return 0

    def more(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", choices=("rate", "kill", "deadlines"), action="append")
        parser.add_argument("--incidents", type=int, default=300, help="open incidents of the part deadlines")

    options, before = arguments(str(__doc__), more), machine()
    parts = options.only or ["rate", "kill", "deadlines"]
    samples = 20_000 if options.quick else 300_000
    tables: list[Table] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as name:
        folder = Path(name)
        if "rate" in parts:
            tables += [rate(samples, size, folder / f"rate-{size}") for size in (500, 1_000)]
        if "kill" in parts:
            tables.append(killed(samples, 1_000, folder / "kill"))
        if "deadlines" in parts:
            incidents = 20 if options.quick else options.incidents
            tables += deadlines(incidents, 5_000, folder / "deadlines")
    return finish(tables, options, before)


if __name__ == "__main__":
    sys.exit(main())
