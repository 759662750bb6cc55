"""Read model of drills for pages: the one that runs, and past ones. Everything is JSON-able.

`read_running(installation)` reads the journal of a drill that is conducted on this machine
(`engine.drill.journal`); None elsewhere and where none runs. Its fields:

- `id`, `plan`, `title` {en, zh}, `begun_at` (ISO 8601), `peak` (journeys a second), `fault` (its id; empty:
  none)
- `course`: every stage as planned: `name`, `percent` of peak, `rate`, `seconds`
- `phase`: one of `engine.drill.journal.PHASES`; `stage`: the name of the stage under way
- `stages`: those begun: `name`, `mode` (baseline, level, fault), `percent`, `rate`, `begun_at`, `ended_at`
  (null while it lasts), `overloaded`
- `seconds`: the newest LATEST_SECONDS: `at` (ISO), `stage`, `rate` asked for, `offered`, `completed`,
  `failed`, `under_way`, `p95_ms` (null: nothing was answered)
- `figures`: the five figures of the last window, each null where nothing can be said, in milliseconds,
  shares, seconds
- `moments`: `injected_at`, `detected_at`, `detected_by`, `called_at`, `matter`, `acknowledged_at`,
  `acknowledged_by`, `reverted_at`, `recovered_at`; null or empty where it has not happened

`list_history(installation, limit)`: the newest first, each as `tocsin drill show --json` gives it (schema
`drill`), and `title`, `at` (ISO), and `document`, under which the report is served at /documents/.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pendulum

from domain.drill.measurement import WINDOW_SECONDS, DrillSecond, measure_window
from engine.drill.folders import KIND, drills_dir, list_conducted
from engine.drill.journal import read_lines, restore_record
from engine.drill.record import DrillMoments, DrillRecord, DrillStage
from engine.installation import Installation
from storage import documents

LATEST_SECONDS: Final = 120


def read_running(installation: Installation) -> dict[str, Any] | None:
    """Read the drill that runs on this machine, as far as it has come."""
    for folder in list_conducted(drills_dir(installation)):
        if (found := read_from_journal(folder)) is not None:
            return found
    return None


def read_from_journal(folder: Path) -> dict[str, Any] | None:
    """Read one drill from its journal; None where there is none."""
    found = restore_record(folder)
    if found is None:
        return None
    record, phase = found
    begun = next(line for line in read_lines(folder) if line["line"] == "begun")
    seconds = record.seconds[-WINDOW_SECONDS:]
    return {
        "id": record.id,
        "plan": record.plan,
        "title": begun["title"],
        "begun_at": _iso(record.begun),
        "peak": record.peak,
        "fault": begun["fault"],
        "course": begun["course"],
        "phase": phase,
        "stage": record.stages[-1].name if record.stages else "",
        "stages": [_stage(one, record) for one in record.stages],
        "seconds": [_second(one) for one in record.seconds[-LATEST_SECONDS:]],
        "figures": {str(figure): reading.value for figure, reading in measure_window(seconds).items()}
        if seconds
        else {},
        "moments": _moments(record.moments),
    }


def list_history(installation: Installation, limit: int = 50) -> list[dict[str, Any]]:
    """List the drills on record, the newest first."""
    found = []
    with installation.database.read() as connection:
        for one in documents.list_documents(connection, kind=KIND, limit=limit):
            whole = documents.load_document(connection, one.id)
            if whole is not None:
                at = (whole.from_at or whole.made_at).isoformat()
                title = {"en": whole.title.en, "zh": whole.title.zh}
                found.append({**whole.data, "title": title, "at": at, "document": whole.id})
    return found


def _stage(stage: DrillStage, record: DrillRecord) -> Mapping[str, Any]:
    over = stage is not record.stages[-1] or stage.ended < record.ended
    return {
        "name": stage.name, "mode": stage.mode, "percent": stage.percent, "rate": stage.rate,
        "begun_at": _iso(stage.begun), "ended_at": _iso(stage.ended) if over else None,
        "overloaded": stage.overloaded,
    }  # fmt: skip


def _second(one: DrillSecond) -> Mapping[str, Any]:
    return {
        "at": _iso(one.at), "stage": one.segment, "rate": one.rate, "offered": one.offered,
        "completed": one.completed, "failed": one.failed, "under_way": one.under_way, "p95_ms": one.p95,
    }  # fmt: skip


def _moments(moments: DrillMoments) -> Mapping[str, Any]:
    return {
        "injected_at": _iso(moments.injected), "detected_at": _iso(moments.detected),
        "detected_by": moments.detected_by, "called_at": _iso(moments.called), "matter": moments.matter,
        "acknowledged_at": _iso(moments.acknowledged), "acknowledged_by": moments.acknowledged_by,
        "reverted_at": _iso(moments.reverted), "recovered_at": _iso(moments.recovered),
    }  # fmt: skip


def _iso(at: float | None) -> str | None:
    return pendulum.from_timestamp(at).isoformat() if at is not None else None
