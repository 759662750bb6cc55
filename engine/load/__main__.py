"""`python -m engine.load PLAN.yaml --drill ID --ledger FILE`: JSON lines in on stdin, out on stdout.

It reads `{"segment": NAME, "rate": R, "seconds": S}` and `{"stop": WHY}`. It stops when its parent process
is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path

import uvloop

from engine.load.engine import LoadEngine, json_line
from engine.load.journeys import LedgerWriteFailed
from engine.load.target_allowlist import TargetAllowlist, TargetForbidden
from playbooks.drill_file import read_drill_plan


async def _listen(engine: LoadEngine) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        if "stop" in told:
            break
        engine.start_segment(told["segment"], told["rate"], told["seconds"])
    engine.stop(told["stop"] if line else "whoever ran the drill is gone")


async def _main(plan_file: Path, drill: str, ledger_file: Path) -> int:
    plan = read_drill_plan(plan_file)
    ledger = os.open(ledger_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(line: dict[str, object]) -> None:
        sys.stdout.write(json_line(line))
        sys.stdout.flush()

    def created(kind: str, name: str) -> None:
        data = json_line({"kind": kind, "name": name}).encode()
        try:
            written = os.write(ledger, data)
        except OSError:
            written = 0
        if written != len(data):  # the disk is full: whoever conducts the drill still hears what to remove
            tell({"line": "loose", "kind": kind, "name": name})
            raise LedgerWriteFailed("what it makes cannot be written down: the disk is full")

    def doubted(kind: str) -> None:
        with contextlib.suppress(OSError):
            os.write(ledger, json_line({"kind": kind, "doubt": True}).encode())

    try:
        border = await TargetAllowlist.resolve(plan.targets)
    except TargetForbidden as error:
        tell({"line": "stopped", "why": str(error), "requests": 0})
        return 1
    engine = LoadEngine(plan, drill, border, tell, created, doubted)
    listening = asyncio.create_task(_listen(engine))
    tell({"line": "begun", "pid": os.getpid()})
    await engine.run()
    listening.cancel()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--drill", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    sys.exit(uvloop.run(_main(given.plan, given.drill, given.ledger)))
