"""What the benchmarks share: a load generator that costs little, percentiles, a calm table, the machine's state."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SEED = 20_260_314
CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Answered:
    """One request: seconds since the epoch when it began and when its answer had come."""

    begun: float
    ended: float
    status: int
    document: Any


@dataclass
class Table:
    """Rows of what was measured, beside what was promised; printed, and kept as JSON."""

    title: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, measured: float, unit: str, *, target: float | None = None, note: str = "") -> None:
        """One figure. `target`: at most so much."""
        row = {"what": what, "measured": round(measured, 4), "unit": unit, "target": target, "note": note}
        row["kept"] = None if target is None else measured <= target
        self.rows.append(row)

    def show(self) -> None:
        """On stdout."""
        print(f"\n{self.title}")
        width = max((len(str(row["what"])) for row in self.rows), default=0)
        for row in self.rows:
            aim = "" if row["target"] is None else f"(<= {row['target']:g}) {'ok' if row['kept'] else 'MISSED'}"
            print(
                f"  {row['what']:<{width}}  {row['measured']:>10.3f} {row['unit']:<3} {aim:<18} {row['note']}".rstrip()
            )


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which that share lies; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def spread(table: Table, what: str, values: Sequence[float], **targets: float) -> None:
    """p50, p99 and the most of so many seconds. `targets`: p50=0.5, p99=1.0."""
    for name, share in (("p50", 0.50), ("p99", 0.99), ("most", 1.0)):
        note = f"n={len(values)}" if name == "p50" else ""
        table.add(f"{what}, {name}", percentile(values, share), "s", target=targets.get(name), note=note)


def machine() -> dict[str, Any]:
    """The figures mean little without it."""
    return {
        "cores": os.cpu_count(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def arguments(description: str, add: Callable[[argparse.ArgumentParser], None] | None = None) -> argparse.Namespace:
    """`--quick` for a look that proves nothing, `--json FILE` for programs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a few samples: does it run at all?")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write what was measured there")
    if add:
        add(parser)
    return parser.parse_args()


def finish(tables: Sequence[Table], options: argparse.Namespace, before: dict[str, Any]) -> int:
    """Print all, write the JSON, and say by the exit status whether every target was kept."""
    for table in tables:
        table.show()
    after = machine()
    print(f"\n  machine: {before}, load at the end {after['load_average']}")
    if options.json:
        document = {"machine": before, "load_at_end": after["load_average"], "quick": options.quick}
        document["tables"] = [{"title": table.title, "rows": table.rows} for table in tables]
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


def request(path: str, document: Any, port: int) -> bytes:
    """A POST as it goes on the wire."""
    body = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def post_all(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> list[Answered]:
    """Post all as fast as they are taken over so many kept connections; answers in the order of `requests`."""
    return asyncio.run(_post_all(port, requests, connections))


async def _post_all(port: int, requests: Sequence[bytes], connections: int) -> list[Answered]:
    found: dict[int, Answered] = {}
    waiting = iter(enumerate(requests))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, data in waiting:
            begun = time.time()
            writer.write(data)
            status, body = await _answer(reader)
            found[number] = Answered(begun, time.time(), status, json.loads(body) if body.strip() else None)
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return [found[number] for number in range(len(requests))]


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, length = int(head.split(" ", 2)[1]), 0
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return status, await reader.readexactly(length) if length else b""
