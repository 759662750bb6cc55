"""`python -m engine.load PLAN.yaml --drill ID --ledger FILE`: told by lines of JSON on stdin, tells on stdout.

Told `{"segment": NAME, "rate": R, "seconds": S}` and `{"stop": WHY}`. It stops when whoever started it is gone.
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

from engine.load.border import Border, Forbidden
from engine.load.engine import LoadEngine, as_line
from engine.load.journeys import Unledgered
from playbooks.drill_file import read_plan


async def _listen(engine: LoadEngine) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        if "stop" in told:
            break
        engine.segment(told["segment"], told["rate"], told["seconds"])
    engine.stop(told["stop"] if line else "whoever ran the drill is gone")


async def _main(plan_file: Path, drill: str, ledger_file: Path) -> int:
    plan = read_plan(plan_file)
    ledger = os.open(ledger_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def tell(line: dict[str, object]) -> None:
        sys.stdout.write(as_line(line))
        sys.stdout.flush()

    def created(kind: str, name: str) -> None:
        data = as_line({"kind": kind, "name": name}).encode()
        try:
            written = os.write(ledger, data)
        except OSError:
            written = 0
        if written != len(data):  # the disk is full: whoever conducts the drill still hears what to remove
            tell({"line": "loose", "kind": kind, "name": name})
            raise Unledgered("what it makes cannot be written down: the disk is full")

    def doubted(kind: str) -> None:
        with contextlib.suppress(OSError):
            os.write(ledger, as_line({"kind": kind, "doubt": True}).encode())

    try:
        border = await Border.around(plan.targets)
    except Forbidden as error:
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
