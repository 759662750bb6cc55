"""How many steps a second the load engine sends on one core before it is late itself, with wrk and Locust beside it.

All ask the same small server on this machine. wrk is a closed loop in C that checks nothing: the server's ceiling.
Locust, where it is installed, is a closed loop in Python that checks the status, as one process.
"""

from __future__ import annotations

import asyncio
import csv
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Table, arguments, finish, machine
from tests.chains import free_port, load

_PLAN = """
id: bench
title: Bench
owner: o
targets: ["127.0.0.1:{port}"]
peak: {{rate: 100}}
levels: [{{percent: 100, hold: 5s}}]
journeys:
  - id: j
    steps:
      - {{id: one, url: "http://127.0.0.1:{port}/", check: {{equals: {{ok: "true"}}}}}}
bands: {{latency: 1s, error_rate: 2%, throughput: 90%, availability: 99%, saturation: 2s}}
caps: {{rate: 100000, requests: 10000000, in_flight: 20000}}
"""
_SERVER = """
import sys, uvicorn
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"ok": true}'})
uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", access_log=False, lifespan="off")
"""
_USER = """
from locust import FastHttpUser, constant, task
class Customer(FastHttpUser):
    wait_time = constant(0)
    @task
    def one(self):
        self.client.get("/")
"""
_LATE = 50.0  # milliseconds at the 99th percentile: from there on the generator is not trusted


def _wrk(port: int, seconds: int) -> float | None:
    if shutil.which("wrk") is None:
        return None
    command = ["wrk", "-t1", "-c64", f"-d{seconds}s", f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    return float(found[1]) if found else None


def _locust(port: int, seconds: int) -> float | None:
    if shutil.which("locust") is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "locustfile.py").write_text(_USER)
        command = [
            "locust", "-f", str(folder / "locustfile.py"), "--headless", "-u", "64", "-r", "64", "-t", f"{seconds}s",
            "--host", f"http://127.0.0.1:{port}", "--csv", str(folder / "out"), "--only-summary",
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, check=True)
        with (folder / "out_stats.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["Name"] == "Aggregated"]
    return float(rows[0]["Requests/s"]) if rows else None


def main() -> int:
    """Run it."""
    options, before = arguments(str(__doc__)), machine()
    rates, seconds = ((200.0,), 3.0) if options.quick else ((500.0, 1_000.0, 1_500.0, 2_000.0, 2_500.0, 3_000.0), 8.0)
    port, table = free_port(), Table("steps a second, one core each for engine and server")
    server = subprocess.Popen([sys.executable, "-c", _SERVER, str(port)])
    best = 0.0
    try:
        time.sleep(1.5)
        with tempfile.TemporaryDirectory() as name:
            for rate in rates:
                _, told = asyncio.run(load(Path(name), _PLAN, port, rate, seconds))
                heard = [one for one in told[1:-1] if one.offered]  # without the drain, and what was begun half-way
                sent = sum(one.steps for one in heard) / len(heard)
                lag, cpu = median(one.lag for one in heard), sum(one.cpu for one in heard) / len(heard)
                note = f"late {lag:.1f} ms (median of the seconds' p99), {cpu:.0%} of a core"
                table.add(f"asked for {rate:g}/s", sent, "/s", note=note)
                if lag < _LATE and sent > 0.95 * rate:
                    best = max(best, sent)
        table.add("best that was not late", best, "/s")
        peer = _wrk(port, 2 if options.quick else 8)
        if peer:
            table.add("wrk, closed loop, unchecked", peer, "/s")
            table.add("ratio of wrk to the load engine", peer / best if best else 0.0, "")
        other = _locust(port, 4 if options.quick else 12)
        if other:
            table.add("Locust, closed loop, status checked", other, "/s")
            table.add("ratio of Locust to the load engine", other / best if best else 0.0, "")
    finally:
        server.kill()
        server.wait()
    return finish([table], options, before)


if __name__ == "__main__":
    sys.exit(main())
