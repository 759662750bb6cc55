"""Journal of a drill, line by line as it happens: for the live page, and for recovery of a killed drill.

`progress.jsonl` in the drill's folder. Lines: `begun`, `phase`, `child`, `stage`, `second`, `moments`,
`ended`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from domain.drill.measurement import DrillSecond
from domain.drill.plan import DrillPlan, build_segments
from engine.drill.record import DrillMoments, DrillRecord, DrillStage

PROGRESS: Final = "progress.jsonl"
PHASES: Final = ("preflight", "baseline", "stages", "rest", "fault", "recovery", "answer", "clean", "report")


class DrillJournal:
    """Journal written by the conductor. Each line is one write: a reader sees it whole or not at all.

    Every method may raise OSError: the disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / PROGRESS
        self._cut = _is_cut(self._file)

    def write_begun(self, plan: DrillPlan, drill: str, peak: float) -> None:
        """Write that a drill begins."""
        course = [
            {"name": one.name, "percent": one.percent, "rate": one.rate, "seconds": one.seconds}
            for one in build_segments(plan, peak)
        ]
        self._write(
            "begun", drill=drill, plan=plan.id, title={"en": plan.title.en, "zh": plan.title.zh}, pid=os.getpid(),
            peak=peak, course=course, fault=plan.fault.id if plan.fault else "",
        )  # fmt: skip

    def write_phase(self, name: str) -> None:
        """Write that one of PHASES begins."""
        self._write("phase", phase=name)

    def write_child(self, pid: int) -> None:
        """Write the id of a process that ends with the drill."""
        self._write("child", pid=pid)

    def write_stage(self, stage: DrillStage) -> None:
        """Write that a stage begins, or is over."""
        self._write("stage", stage=asdict(stage))

    def write_second(self, second: DrillSecond) -> None:
        """Write one second as it was measured."""
        self._write("second", second=asdict(second))

    def write_moments(self, moments: DrillMoments) -> None:
        """Write the moments of the fault known so far."""
        self._write("moments", moments=asdict(moments))

    def write_ended(self, verdict: str) -> None:
        """Write that the drill is over, and on record."""
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


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """Read every line that is whole; one that was cut off by a kill is passed over."""
    try:
        text = (folder / PROGRESS).read_text(encoding="utf-8")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def restore_record(folder: Path) -> tuple[DrillRecord, str] | None:
    """Restore a drill's record and its phase from the journal; None where it never began."""
    record, phase, stages = None, PHASES[0], dict[str, DrillStage]()
    for one in read_lines(folder):
        if one["line"] == "begun":
            record = DrillRecord(one["drill"], one["plan"], one["at"], one["peak"])
        elif record is None:
            continue
        elif one["line"] == "phase":
            phase = one["phase"]
        elif one["line"] == "stage":
            stages[one["stage"]["name"]] = DrillStage(**one["stage"])
        elif one["line"] == "second":
            record.seconds.append(DrillSecond(**one["second"]))
        elif one["line"] == "moments":
            record.moments = DrillMoments(**one["moments"])
        record.ended = one["at"]
    if record is None:
        return None
    record.stages = list(stages.values())
    for stage in record.stages:
        stage.ended = stage.ended or record.ended
    return record, phase


def is_over(folder: Path) -> bool:
    """Whether a drill was brought to its end, by its conductor or by the watchdog."""
    return any(one["line"] == "ended" for one in read_lines(folder))


def child_pids(folder: Path) -> list[int]:
    """Ids of the processes that a drill started."""
    return [one["pid"] for one in read_lines(folder) if one["line"] == "child"]
