"""What a drill does, line by line as it happens: what a page shows live, and what is left of a drill that was killed.

`progress.jsonl` in the drill's folder. Lines: `begun`, `phase`, `child`, `stage`, `second`, `moments`, `ended`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from domain.drill.judging import Second
from domain.drill.plan import Plan, segments
from engine.drill.record import Moments, Record, Stage

PROGRESS: Final = "progress.jsonl"
PHASES: Final = ("preflight", "baseline", "stages", "rest", "fault", "recovery", "answer", "clean", "report")


class Journal:
    """Written by whoever conducts the drill. Each line is one write, so that a reader sees it whole or not at all.

    Every method may raise OSError: the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PROGRESS
        self._cut = _is_cut(self._file)

    def begun(self, plan: Plan, drill: str, peak: float) -> None:
        """A drill begins."""
        course = [
            {"name": one.name, "percent": one.percent, "rate": one.rate, "seconds": one.seconds}
            for one in segments(plan, peak)
        ]
        self._write(
            "begun", drill=drill, plan=plan.id, title={"en": plan.title.en, "zh": plan.title.zh}, pid=os.getpid(),
            peak=peak, course=course, fault=plan.fault.id if plan.fault else "",
        )  # fmt: skip

    def phase(self, name: str) -> None:
        """One of PHASES begins."""
        self._write("phase", phase=name)

    def child(self, pid: int) -> None:
        """A process that ends with the drill."""
        self._write("child", pid=pid)

    def stage(self, stage: Stage) -> None:
        """A stage begins, or is over."""
        self._write("stage", stage=asdict(stage))

    def second(self, second: Second) -> None:
        """One second as it was measured."""
        self._write("second", second=asdict(second))

    def moments(self, moments: Moments) -> None:
        """Something happened to the fault."""
        self._write("moments", moments=asdict(moments))

    def ended(self, verdict: str) -> None:
        """Over, and on record."""
        self._write("ended", verdict=verdict)

    def _write(self, line: str, **more: Any) -> None:
        text = json.dumps({"line": line, "at": time.time(), **more}, separators=(",", ":")) + "\n"
        if self._cut:  # by a kill: what comes now is a line of its own
            text, self._cut = f"\n{text}", False
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            data = text.encode()
            if os.write(file, data) != len(data):
                raise OSError(28, "No space left on device")
        finally:
            os.close(file)


def _is_cut(file: Path) -> bool:
    try:
        return not file.read_bytes().endswith(b"\n")
    except OSError:
        return False


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line that can be read; one that was cut off by a kill is passed over."""
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def restored(folder: Path) -> tuple[Record, str] | None:
    """What is known of a drill from its journal, and the phase that it had come to; None where it never began."""
    record, phase, stages = None, PHASES[0], dict[str, Stage]()
    for one in lines(folder):
        if one["line"] == "begun":
            record = Record(one["drill"], one["plan"], one["at"], one["peak"])
        elif record is None:
            continue
        elif one["line"] == "phase":
            phase = one["phase"]
        elif one["line"] == "stage":
            stages[one["stage"]["name"]] = Stage(**one["stage"])
        elif one["line"] == "second":
            record.seconds.append(Second(**one["second"]))
        elif one["line"] == "moments":
            record.moments = Moments(**one["moments"])
        record.ended = one["at"]
    if record is None:
        return None
    record.stages = list(stages.values())
    for stage in record.stages:
        stage.ended = stage.ended or record.ended
    return record, phase


def is_over(folder: Path) -> bool:
    """Whether whoever conducted it brought it to its end, or somebody did in their place."""
    return any(one["line"] == "ended" for one in lines(folder))


def children(folder: Path) -> list[int]:
    """The processes that it started."""
    return [one["pid"] for one in lines(folder) if one["line"] == "child"]
