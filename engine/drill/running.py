"""One drill whole: checked, conducted, what it made removed, judged, written down."""

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

from domain.drill.plan import Plan
from domain.drill.verdict import Held, Recovery, Verdict, judge
from domain.warning.rule import Rule
from engine.drill.calling import Owner
from engine.drill.cleaning import clean
from engine.drill.conduct import Conductor, Heard, unwritten
from engine.drill.crew import MeasurementLost, Proxy
from engine.drill.journal import Journal
from engine.drill.places import ALIVE, conducted
from engine.drill.preflight import NotNow, check_targets
from engine.drill.record import Record, record_of
from playbooks.drill_file import read_plan
from playbooks.errors import BadFile, Finding
from playbooks.rule_loader import load_rule

RECORD = "record.json"
PLAN = "plan.yaml"
LEDGER = "ledger.jsonl"
_LOOK = 0.1
_AFTERMATH = 40.0  # seconds that what is left of a killed drill may take to clear away


@dataclass(frozen=True)
class Drill:
    """A plan ready to run: its file, its rules, the folder that takes what it leaves."""

    id: str
    plan: Plan
    source: Path
    folder: Path
    rules: Sequence[Rule]
    peak: float


def prepare(source: Path, drills: Path, drill_id: str, peak: Callable[[str], float | None]) -> Drill:
    """Read the plan and lay out its folder. `peak`: the highest hour of a metric, in journeys a second.

    Raises:
        BadFile: the plan or one of its rules.
        NotNow: its peak is that of a metric of which nothing is stored.
    """
    plan = read_plan(source)
    rules = [_rule(source, name) for name in plan.rules]
    rate = plan.peak.rate or peak(plan.peak.metric)
    if not rate:
        raise NotNow(f"no samples of {plan.peak.metric} in the last 28 days: write peak: {{rate: N}}")
    folder = drills / drill_id
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / PLAN)
        for name in plan.rules:
            shutil.copyfile(source.parent / name, folder / name)
        (folder / ALIVE).write_text(str(os.getpid()))
        Journal(folder).begun(plan, drill_id, rate)
    except OSError as error:
        raise NotNow(f"nothing can be written to {drills}: {error.strerror}; make room there") from None
    return Drill(drill_id, plan, source, folder, rules, rate)


def _rule(source: Path, name: str) -> Rule:
    path = (source.parent / name).resolve()
    if path.parent != source.parent.resolve():
        raise BadFile([Finding(str(source), None, "rules", f"{name} is elsewhere", "a file beside the plan")])
    return load_rule(path).rule


@contextmanager
def alone(drills: Path, *, patience: float = _AFTERMATH) -> Iterator[None]:
    """Only one drill of an installation at a time; whoever clears away after a killed one is waited for.

    Raises:
        NotNow: another one runs.
    """
    try:
        drills.mkdir(parents=True, exist_ok=True)
        lock = os.open(drills / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise NotNow(f"nothing can be written to {drills}: {error.strerror}; make room there") from None
    ends = time.monotonic() + patience
    try:
        while not _taken(lock):
            if conducted(drills) or time.monotonic() > ends:
                raise NotNow("another drill runs: `tocsin drill abort` stops it")
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


Work = Callable[[], Awaitable[None]]
Step = Callable[[str, Work], Awaitable[None]]


async def directly(_name: str, work: Work) -> None:
    """A phase without anybody between; Prefect makes a task of each instead."""
    await work()


async def run(
    drill: Drill, heard: Heard, begun: Callable[[Conductor], None] = lambda _: None, step: Step = directly,
    owner: Owner | None = None,
) -> tuple[Record, Verdict]:  # fmt: skip
    """From the first check to the record on disk. `step` carries out each phase under its name.

    Raises:
        NotNow: it must not begin.
    """
    fault, journal = drill.plan.fault, Journal(drill.folder)
    step = noted(journal, step)
    try:
        proxy = await Proxy.start(fault) if fault is not None and fault.proxy else None
    except MeasurementLost as lost:
        raise NotNow(str(lost)) from None
    try:
        if proxy is not None:
            journal.child(proxy.pid)
        await step("preflight", lambda: check_targets(drill.plan, drill.id))
        record = Record(drill.id, drill.plan.id, time.time(), drill.peak)
        conductor = Conductor(drill.plan, record, drill.folder, drill.rules, heard, proxy, owner)
        begun(conductor)
        async with conductor.sending():
            await step("baseline", conductor.baseline)
            await step("stages", conductor.levels)
            await step("rest", conductor.rest)
            if fault is not None:
                await step("fault", lambda: conductor.fault(fault))
                await step("recovery", lambda: conductor.recover(fault))
        if record.moments.called is not None:
            await step("answer", conductor.answer)
        await step("clean", lambda: _clean(drill, record))
    finally:
        if proxy is not None:
            await proxy.end()
    try:
        await asyncio.to_thread(keep, record, drill.folder)
    except OSError as error:
        record.stopped = record.stopped or unwritten(error)
    return record, verdict_on(drill.plan, record)


def noted(journal: Journal, step: Step) -> Step:
    """Each phase is written down before it begins. A full disk stops nothing here: what is next puts things right."""

    async def carried_out(name: str, work: Work) -> None:
        with suppress(OSError):
            journal.phase(name)
        await step(name, work)

    return carried_out


async def _clean(drill: Drill, record: Record) -> None:
    record.cleaned = await clean(drill.plan, drill.id, drill.folder / LEDGER, record.cleaned.loose)


def verdict_on(plan: Plan, record: Record) -> Verdict:
    """The verdict, from the record alone."""
    stages = [
        Held(stage.name, stage.percent, stage.rate, record.of(stage), stage.overloaded)
        for stage in record.stages
        if stage.mode == "level"
    ]
    moments, recovery = record.moments, None
    if moments.injected is not None:
        recovery = Recovery(
            moments.injected, moments.detected, moments.reverted, moments.recovered, moments.horizon,
            moments.acknowledged,
        )  # fmt: skip
    left = len(record.cleaned.left)
    return judge(plan, stages, recovery, stopped=record.stopped, invalid=record.invalid, left_behind=left)


def read(folder: Path) -> Record | None:
    """The record of a drill; None where it is not there any more."""
    try:
        return record_of(json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError):
        return None


def keep(record: Record, folder: Path) -> None:
    """Write the record down, whole or not at all."""
    part = folder / f"{RECORD}.part"
    part.write_text(json.dumps(record.document(), separators=(",", ":")))
    part.replace(folder / RECORD)
