"""The same five rules in Prometheus (Debian's package), on as many series: how long it says an evaluation takes."""

from __future__ import annotations

import contextlib
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_FILLED_MINUTES = 11  # two windows and a little
_MOST_SECONDS = 120
_GROUP = "prometheus_rule_group_last_duration_seconds{"
_LAST = "prometheus_rule_group_last_evaluation_timestamp_seconds{"
_RULES = """
groups:
  - name: tick
    interval: 10s
    rules:
      - {alert: mean, expr: "avg_over_time(response_time[5m]) > 30"}
      - {alert: p95, expr: "quantile_over_time(0.95, response_time[5m]) > 60"}
      - {alert: share, expr: "avg_over_time((response_time >= bool 10)[5m:10s]) < 0.2"}
      - alert: change
        expr: "avg_over_time(response_time[5m]) / avg_over_time(response_time[5m] offset 5m) - 1 >= 0.5"
      - {alert: for, expr: "avg_over_time(response_time[5m]) > 25", for: 2m}
"""
_CONFIG = """
global: {scrape_interval: 10s, evaluation_interval: 10s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: desk, static_configs: [{targets: ["127.0.0.1:PORT"]}]}
"""


def evaluation_ms(series: int, evaluations: int = 4) -> float | None:
    """Median milliseconds of an evaluation; None where Prometheus is not installed."""
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        return None
    with tempfile.TemporaryDirectory() as folder, _exporter(series) as port:
        home = Path(folder)
        (home / "rules.yml").write_text(_RULES, encoding="utf-8")
        (home / "config.yml").write_text(_CONFIG.replace("PORT", str(port)), encoding="utf-8")
        _backfill(home, series, port)
        with _prometheus(home) as own:
            return _watch(own, evaluations)


def _backfill(home: Path, series: int, port: int) -> None:
    """Eleven minutes of figures before now, so that every window is full from the first evaluation on."""
    chance, now = random.Random(7), int(time.time()) // 10 * 10  # noqa: S311 - figures of a benchmark
    label = f'instance="127.0.0.1:{port}",job="desk"'
    with (home / "past.txt").open("w", encoding="utf-8") as out:
        out.write("# TYPE response_time gauge\n")
        for agent in range(series):
            out.writelines(
                f'response_time{{agent="a{agent}",{label}}} {chance.gammavariate(4, 4):.3f} {now - ago}\n'
                for ago in range(_FILLED_MINUTES * 60, 0, -10)
            )
        out.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "past.txt"), str(home / "data")]
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def _exporter(series: int) -> Iterator[int]:
    chance = random.Random(8)  # noqa: S311

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = (f'response_time{{agent="a{agent}"}} {chance.gammavariate(4, 4):.3f}' for agent in range(series))
            body = ("# TYPE response_time gauge\n" + "\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@contextlib.contextmanager
def _prometheus(home: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        "prometheus", f"--config.file={home / 'config.yml'}", f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
    ]  # fmt: skip
    child = subprocess.Popen(command)
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        child.terminate()
        child.wait(20)


def _watch(url: str, evaluations: int) -> float | None:
    """The first evaluation warms up; the median of those after it."""
    seen: dict[str, float] = {}
    ends = time.monotonic() + _MOST_SECONDS
    while len(seen) <= evaluations and time.monotonic() < ends:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            lines = answer.read().decode().splitlines()
            last = next((line.split()[-1] for line in lines if line.startswith(_LAST)), "")
            took = next((float(line.split()[-1]) for line in lines if line.startswith(_GROUP)), 0.0)
            if took > 0:
                seen.setdefault(last, took)
        time.sleep(1)
    later = list(seen.values())[1:]
    return statistics.median(later) * 1000 if later else None
