"""Lifecycle of one drill: checked, conducted, cleaned up, judged, written down."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from domain.drill.plan import DrillPlan
from domain.drill.verdict import DrillVerdict, FaultRecovery, JudgedStage, judge_drill
from domain.warning.rule import Rule
from engine.drill.cleanup import remove_created
from engine.drill.conductor import DrillConductor, SecondListener, describe_write_failure
from engine.drill.folders import ALIVE, list_conducted
from engine.drill.journal import DrillJournal
from engine.drill.owner_call import OwnerCall
from engine.drill.preflight import DrillNotAllowed, check_targets
from engine.drill.processes import MeasurementLost, ProxyProcess
from engine.drill.record import DrillRecord, parse_record
from playbooks.drill_file import read_drill_plan
from playbooks.errors import BadFile, FileFinding
from playbooks.rule_loader import load_rule

RECORD = "record.json"
PLAN = "plan.yaml"
LEDGER = "ledger.jsonl"
_LOOK = 0.1
_AFTERMATH = 40.0  # seconds that what is left of a killed drill may take to clear away


@dataclass(frozen=True)
class PreparedDrill:
    """Drill ready to run: its plan and file, its rules, the folder for its results."""

    id: str
    plan: DrillPlan
    source: Path
    folder: Path
    rules: Sequence[Rule]
    peak: float


def prepare(source: Path, drills: Path, drill_id: str, peak: Callable[[str], float | None]) -> PreparedDrill:
    """Read the plan and make the drill's folder. `peak`: the highest hour of a metric, in journeys a second.

    Raises:
        BadFile: the plan or one of its rules.
        DrillNotAllowed: its peak is that of a metric of which nothing is stored.
    """
    plan = read_drill_plan(source)
    rules = [_rule(source, name) for name in plan.rules]
    rate = plan.peak.rate or peak(plan.peak.metric)
    if not rate:
        raise DrillNotAllowed(f"no samples of {plan.peak.metric} in the last 28 days: write peak: {{rate: N}}")
    folder = drills / drill_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / PLAN)
        for name in plan.rules:
            shutil.copyfile(source.parent / name, folder / name)
        (folder / ALIVE).write_text(str(os.getpid()))
        DrillJournal(folder).write_begun(plan, drill_id, rate)
    except OSError as error:
        raise DrillNotAllowed(f"nothing can be written to {drills}: {error.strerror}; make room there") from None
    return PreparedDrill(drill_id, plan, source, folder, rules, rate)


def _rule(source: Path, name: str) -> Rule:
    path = (source.parent / name).resolve()
    if path.parent != source.parent.resolve():
        raise BadFile([FileFinding(str(source), None, "rules", f"{name} is elsewhere", "a file beside the plan")])
    return load_rule(path).rule


@contextmanager
def drill_lock(drills: Path, *, patience: float = _AFTERMATH) -> Iterator[None]:
    """Lock against a second drill of an installation; recovery after a killed one is waited for.

    Raises:
        DrillNotAllowed: another one runs.
    """
    try:
        drills.mkdir(parents=True, exist_ok=True)
        lock = os.open(drills / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DrillNotAllowed(f"nothing can be written to {drills}: {error.strerror}; make room there") from None
    ends = time.monotonic() + patience
    try:
        while not _taken(lock):
            if list_conducted(drills) or time.monotonic() > ends:
                raise DrillNotAllowed("another drill runs: `tocsin drill abort` stops it")
            time.sleep(_LOOK)
        yield
    finally:
        os.close(lock)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


PhaseWork = Callable[[], Awaitable[None]]
PhaseRunner = Callable[[str, PhaseWork], Awaitable[None]]


async def run_directly(_name: str, work: PhaseWork) -> None:
    """Run a phase in this process; Prefect makes a task of each instead."""
    await work()


async def run_phases(
    drill: PreparedDrill,
    heard: SecondListener,
    begun: Callable[[DrillConductor], None] = lambda _: None,
    step: PhaseRunner = run_directly,
    owner: OwnerCall | None = None,
) -> tuple[DrillRecord, DrillVerdict]:
    """Run all phases from the first check to the record on disk. `step` runs each phase under its name.

    Raises:
        DrillNotAllowed: it must not begin.
    """
    fault, journal = drill.plan.fault, DrillJournal(drill.folder)
    step = with_journal(journal, step)
    try:
        proxy = await ProxyProcess.start(fault) if fault is not None and fault.proxy else None
    except MeasurementLost as lost:
        raise DrillNotAllowed(str(lost)) from None
    try:
        if proxy is not None:
            journal.write_child(proxy.pid)
        await step("preflight", lambda: check_targets(drill.plan, drill.id))
        record = DrillRecord(drill.id, drill.plan.id, time.time(), drill.peak)
        conductor = DrillConductor(drill.plan, record, drill.folder, drill.rules, heard, proxy, owner)
        begun(conductor)
        async with conductor.run_load():
            await step("baseline", conductor.run_baseline)
            await step("stages", conductor.run_levels)
            await step("rest", conductor.wait_for_rest)
            if fault is not None:
                await step("fault", lambda: conductor.run_fault(fault))
                await step("recovery", lambda: conductor.wait_for_recovery(fault))
        if record.moments.called is not None:
            await step("answer", conductor.wait_for_answer)
        await step("clean", lambda: _clean(drill, record))
    finally:
        if proxy is not None:
            await proxy.kill()
    try:
        await asyncio.to_thread(save_record, record, drill.folder)
    except OSError as error:
        record.stopped = record.stopped or describe_write_failure(error)
    return record, judge_record(drill.plan, record)


def with_journal(journal: DrillJournal, step: PhaseRunner) -> PhaseRunner:
    """Wrap a phase runner so that each phase is journalled before it begins.

    A full disk stops nothing here: what is next puts things right.
    """

    async def carried_out(name: str, work: PhaseWork) -> None:
        with suppress(OSError):
            journal.write_phase(name)
        await step(name, work)

    return carried_out


async def _clean(drill: PreparedDrill, record: DrillRecord) -> None:
    record.cleaned = await remove_created(drill.plan, drill.id, drill.folder / LEDGER, record.cleaned.loose)


def judge_record(plan: DrillPlan, record: DrillRecord) -> DrillVerdict:
    """Judge a drill from its record alone."""
    stages = [
        JudgedStage(stage.name, stage.percent, stage.rate, record.seconds_of(stage), stage.overloaded)
        for stage in record.stages
        if stage.mode == "level"
    ]
    moments, recovery = record.moments, None
    if moments.injected is not None:
        recovery = FaultRecovery(
            moments.injected, moments.detected, moments.reverted, moments.recovered, moments.horizon,
            moments.acknowledged,
        )  # fmt: skip
    left = len(record.cleaned.left)
    return judge_drill(plan, stages, recovery, stopped=record.stopped, invalid=record.invalid, left_behind=left)


def load_record(folder: Path) -> DrillRecord | None:
    """Load the record of a drill; None where it is not there any more."""
    try:
        return parse_record(json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError):
        return None


def save_record(record: DrillRecord, folder: Path) -> None:
    """Write the record to disk, whole or not at all."""
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record.document(), separators=(",", ":")))
    part.replace(folder / RECORD)
