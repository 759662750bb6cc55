"""What an idle installation costs: memory and processor of every process, and what grows meanwhile."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Table, arguments, finish, machine
from engine.process.startup_checks import read_state
from tests.smoke.stack import Stack, until

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB = 1_024
_MIB = 1_024 * 1_024


def processes(stack: Stack) -> dict[str, int]:
    """Each child, the supervisor and its reaper; nothing else runs when nothing happens."""
    found = {"supervisor": int((read_state(stack.home) or {})["pid"]), **stack.pids()}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent in found.values() and int(folder.name) not in found.values():
            found[f"child of {next(n for n, pid in found.items() if pid == parent)}"] = int(folder.name)
    return found


def memory(pid: int) -> tuple[float, float]:
    """Proportional and resident set, MiB."""
    fields = {"Pss": 0, "Rss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in fields:
            fields[name] = int(rest.split()[0])
    return fields["Pss"] * _KIB / _MIB, fields["Rss"] * _KIB / _MIB


def lives(pid: int) -> bool:
    """Whether it is still there."""
    return Path(f"/proc/{pid}/smaps_rollup").exists()


def processor(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rows(database: Path) -> dict[str, int]:
    """Rows of each table."""
    file = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        names = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: int(file.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names}  # noqa: S608
    finally:
        file.close()


def sizes(stack: Stack) -> dict[str, int]:
    """Bytes of each database file with its log."""
    files = [stack.home / "tocsin.db", *sorted((stack.home / "prefect").glob("*.db"))]
    return {file.name: sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*")) for file in files}


def measure(seconds: float, calm: float, folder: Path) -> tuple[Table, Table]:
    """Let it settle, then watch it."""
    with Stack(folder) as stack:
        until(stack.all_up, 90, "everything is up")
        time.sleep(calm)
        found = {name: pid for name, pid in processes(stack).items() if lives(pid)}
        prefect = next((stack.home / "prefect").glob("*.db"))
        databases = {"ours": stack.home / "tocsin.db", "Prefect's": prefect}
        before = {name: processor(pid) for name, pid in found.items()}
        rows_before = {name: rows(file) for name, file in databases.items()}
        bytes_before, begun = sizes(stack), time.monotonic()
        time.sleep(seconds)
        lasted = time.monotonic() - begun
        ended = [name for name, pid in found.items() if not lives(pid)]  # a flow run of the worker, say
        found = {name: pid for name, pid in found.items() if name not in ended}
        shares = {name: 100 * (processor(pid) - before[name]) / lasted for name, pid in found.items()}
        memories = {name: memory(pid) for name, pid in found.items()}
        print(f"ended meanwhile, not counted: {', '.join(ended)}" if ended else "nothing ended meanwhile")
        return _costs(shares, memories), _growth(stack, databases, rows_before, bytes_before)


def _costs(shares: dict[str, float], memories: dict[str, tuple[float, float]]) -> Table:
    table = Table("idle, every process of the embedded set")
    for name, (pss, rss) in memories.items():
        table.add(name, pss, "MiB", note=f"resident {rss:.0f} MiB, {shares[name]:.1f} % of one core")
    table.add("memory together (PSS)", sum(pss for pss, _ in memories.values()), "MiB", target=700)
    table.add("processor together", sum(shares.values()), "%", target=8)
    return table


def _growth(
    stack: Stack, databases: dict[str, Path], rows_before: dict[str, dict[str, int]], bytes_before: dict[str, int]
) -> Table:
    table = Table("what grew meanwhile")
    for name, file in databases.items():
        for each, count in rows(file).items():
            grown = count - rows_before[name].get(each, 0)
            if grown:
                table.add(f"{name}: {each}", grown, "", note=f"rows, now {count}")
    for file_name, size in sizes(stack).items():
        table.add(file_name, (size - bytes_before.get(file_name, 0)) / _KIB, "KiB", note=f"now {size / _MIB:.1f} MiB")
    return table


def main() -> int:
    """Run it."""
    options, before = arguments(str(__doc__)), machine()
    seconds, calm = (5.0, 2.0) if options.quick else (60.0, 20.0)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        tables = measure(seconds, calm, Path(folder) / "one")
    return finish(tables, options, before)


if __name__ == "__main__":
    sys.exit(main())
