"""Affected customers taken in: 100,000 rows with every kind of broken row, by the command, against the web process."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import httpx

from benchmarks.broken_customers import KINDS, Made, write
from benchmarks.common import ROOT, Table, arguments, finish, machine
from benchmarks.ingest import Web
from tests.smoke.stack import clean_environment

ROWS, EACH = 100_000, 50
TARGET = 60.0  # seconds


def main() -> int:
    """Measure, and say what was found wrong with each kind."""
    options, before = arguments(__doc__ or ""), machine()
    rows, each = (3_000, 5) if options.quick else (ROWS, EACH)
    table = Table(f"{rows:,} rows, {len(KINDS)} kinds of broken row, {each} of each")
    with tempfile.TemporaryDirectory(prefix="tocsin-customers-") as folder:
        path = Path(folder) / "affected.csv"
        made = write(path, rows, each)
        web = Web(Path(folder))
        web.start()
        try:
            measure(web, path, made, table)
        finally:
            web.stop()
    return finish([table], options, before)


def measure(web: Web, path: Path, made: Made, table: Table) -> None:
    """The import, and the same again."""
    base = f"http://127.0.0.1:{web.port}"
    document = {"id": "benchmark", "title": "benchmark", "playbook": "service-outage"}
    ref = httpx.post(f"{base}/api/incidents", json=document, trust_env=False, timeout=20).json()["ref"]
    before = peak_mb(web)
    for what, taken, known in (("import", made.good, 0), ("the same file again", 0, made.good)):
        begun = time.monotonic()
        answer = bring(web, ref, path)
        table.add(what, time.monotonic() - begun, "s", target=TARGET)
        wrong = abs(answer["taken"] - taken) + abs(answer["known"] - known) + misnamed(answer["bad"], made)
        table.add(f"{what}: rows whose answer is wrong", wrong, "", target=0)
    counts = Counter(kind.name for kind in made.kinds.values())
    print("  broken rows, each named by its line:", ", ".join(f"{name} {count}" for name, count in counts.items()))
    calls = httpx.get(f"{base}/api/incidents/{ref}/customers", params={"limit": 0}, trust_env=False, timeout=20).json()
    table.add("good rows", made.good, "")
    table.add("of them without a channel: a person calls", calls["result"]["no_channel"], "")
    table.add("web process, memory at its peak", peak_mb(web), "MB", note=f"{before:.0f} before")
    command = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    table.add("the command, memory at its peak", command, "MB")


def misnamed(bad: list[dict[str, Any]], made: Made) -> int:
    """How many lines are named that are good, not named and broken, or named for a wrong reason."""
    reasons = {one["line"]: one["reason"] for one in bad}
    both = reasons.keys() & made.kinds.keys()
    return len(reasons.keys() ^ made.kinds.keys()) + sum(
        not reasons[line].startswith(made.kinds[line].says) for line in both
    )


def bring(web: Web, ref: str, path: Path) -> dict[str, Any]:
    """The answer of `tocsin customers import`."""
    environment = clean_environment(TOCSIN_HOME=str(web.home), TOCSIN_PORT=str(web.port))
    command = [sys.executable, "-m", "cli.main", "customers", "import", ref, str(path), "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return dict(json.loads(done.stdout))


def peak_mb(web: Web) -> float:
    """The most memory that the web process ever had."""
    pid = web.process.pid if web.process else 0
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    sys.exit(main())
