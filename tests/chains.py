"""Drill target: the example chain as a process of its own, and small servers that misbehave on purpose."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.drill.measurement import DrillSecond
from engine.drill.processes import LoadProcess

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def load(
    folder: Path, plan: str, port: int, rate: float, seconds: float
) -> tuple[LoadProcess, list[DrillSecond]]:
    """So much load for so long by a plan whose `{port}` is filled in; every second of it, and of its end."""
    file = folder / "plan.yaml"
    file.write_text(plan.format(port=port))
    loader = await LoadProcess.start(file, "D-1", folder / "ledger.jsonl")
    await loader.send_segment("all", rate, seconds)
    heard: list[DrillSecond] = []
    until = time.monotonic() + seconds
    async for second in loader.seconds():
        heard.append(second)
        if time.monotonic() > until:
            break
    return loader, heard + await loader.stop("enough")


@dataclass
class Chain:
    """The example chain, running."""

    port: int
    truth_file: Path
    process: subprocess.Popen[bytes]

    @property
    def truth(self) -> dict[str, Any]:
        """What is so, as it says itself."""
        found: dict[str, Any] = json.loads(self.truth_file.read_text())
        return found


@contextmanager
def chain(folder: Path, *arguments: str) -> Iterator[Chain]:
    """Start it, and end it."""
    port, truth = free_port(), folder / "truth.json"
    command = [sys.executable, "-m", "examples.chain", "--port", str(port), "--truth", str(truth), *arguments]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the chain did not come up"
                time.sleep(0.05)
        yield Chain(port, truth, process)
    finally:
        process.kill()
        process.wait()
