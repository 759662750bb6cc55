"""Conductor of a drill from its first journey to its last: load by stages, guard-rails, fault, recovery.

Guard-rails are checked each second.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from domain.drill.measurement import (
    DrillSecond,
    blind_limit,
    figures_out_of_band,
    find_blind_guard,
    find_crossed_guard,
    find_recovery,
    is_overloaded,
    steady_seconds,
)
from domain.drill.plan import DrillPlan, LoadSegment, PlannedFault, build_fault_segment, build_segments
from domain.warning.rule import Rule
from engine.drill.fault_injection import FaultFailed, FaultInjector
from engine.drill.journal import DrillJournal
from engine.drill.owner_call import NoOwnerCall, OwnerCall
from engine.drill.processes import LoadProcess, MeasurementLost, ProxyProcess
from engine.drill.record import DrillRecord, DrillStage
from engine.drill.rule_watch import DrillRuleWatch

ABORT: Final = "abort"  # put there, it ends the drill within a second
_REST: Final = 45.0  # seconds at most that the chain gets to come to rest after it was overloaded
_CALM: Final = 3  # seconds in band, and it has
_LATE: Final = 2.0  # seconds that a stage may last longer than asked for before the measurement counts as lost

SecondListener = Callable[[DrillRecord, DrillSecond], None]


class DrillStopped(Exception):
    """The drill stops before its planned end; the text says why."""


class DrillConductor:
    """Conductor of one drill. Its phases are called in order; `record` holds the results, whatever happens."""

    def __init__(
        self,
        plan: DrillPlan,
        record: DrillRecord,
        folder: Path,
        rules: Sequence[Rule],
        heard: SecondListener,
        proxy: ProxyProcess | None = None,
        owner: OwnerCall | None = None,
    ) -> None:
        self.record = record
        self._journal, self._owner = DrillJournal(folder), owner or NoOwnerCall()
        self._plan, self._folder, self._heard = plan, folder, heard
        self._watch, self._proxy = DrillRuleWatch(rules), proxy
        self._loader: LoadProcess
        self._lines: AsyncIterator[DrillSecond]
        self._aborted = ""
        self._before: set[str] = set()  # rules that fired before the fault: they did not see it

    def abort(self, why: str) -> None:
        """Stop at the next second."""
        self._aborted = self._aborted or why

    @asynccontextmanager
    async def run_load(self) -> AsyncIterator[None]:
        """Run the load engine from here to the end of the block, in whatever way that is reached.

        `DrillStopped` and lost measurements end the block, and stand in the record.
        """
        try:
            self._loader = await LoadProcess.start(
                self._folder / "plan.yaml", self.record.id, self._folder / "ledger.jsonl"
            )
            self._journal.write_child(self._loader.pid)
            self._lines = self._loader.seconds()
            try:
                yield
            finally:
                for second in await self._loader.stop("the drill is over"):
                    with contextlib.suppress(DrillStopped):  # it is over in any case
                        self._take(second)
                self.record.totals |= self._loader.totals
                self.record.requests = self._loader.requests
                self.record.cleaned.loose = self._loader.loose
        except DrillStopped as stopped:
            self.record.stopped = str(stopped)
        except MeasurementLost as lost:
            self.record.invalid = str(lost)
        except OSError as error:
            self.record.stopped = describe_write_failure(error)
        finally:
            self.record.ended = time.time()

    # --- phases ---

    async def run_baseline(self) -> None:
        """Run the lowest stage while nothing is wrong; out of band already, there is nothing to drill."""
        first = build_segments(self._plan, self.record.peak)[0]
        stage = await self._hold(first)
        bad = figures_out_of_band(steady_seconds(self.record.seconds_of(stage)), self._plan.bands)
        if bad:
            raise DrillStopped(f"out of band before any load: {', '.join(sorted(bad))}")

    async def run_levels(self) -> None:
        """Run every stage until one is more than the chain carries: the next ones would tell nothing new."""
        for segment in build_segments(self._plan, self.record.peak)[1:]:
            stage = await self._hold(segment)
            if stage.overloaded:
                break

    async def wait_for_rest(self) -> None:
        """Hold the lowest load until the chain has come to rest, and no rule fires any more."""
        if not any(stage.overloaded for stage in self.record.stages) and not self._watch.firing_rules(time.time()):
            return
        lowest = build_segments(self._plan, self.record.peak)[0]
        stage = await self._begin(LoadSegment("rest", "baseline", lowest.rate, _REST, lowest.percent))
        ends = time.time() + _REST
        while time.time() < ends:
            await self._next(guarded=False)
            last = self.record.seconds_of(stage)[-_CALM:]
            calm = len(last) == _CALM and not figures_out_of_band(last, self._plan.bands)
            if calm and not self._watch.firing_rules(time.time()):  # a rule that fires already would see no fault
                break
        self._end(stage)

    async def run_fault(self, fault: PlannedFault) -> None:
        """Inject the fault under load, and revert it."""
        await self._begin(build_fault_segment(self._plan, fault, self.record.peak))
        moments = self.record.moments
        keeper = FaultInjector(fault, self._folder, self.record.id, self._proxy)
        try:
            await self._for(self._plan.baseline.total_seconds())
            moments.injected = time.time()
            self._journal.write_moments(moments)
            await keeper.inject()
            self._before = {fired.rule.id for fired in self._watch.firing_rules(time.time())}
            await self._for(fault.hold.total_seconds(), detecting=True)
        except FaultFailed as failed:
            raise DrillStopped(str(failed)) from None
        finally:
            mended = await keeper.revert()
            if moments.injected is not None:
                moments.reverted = time.time()
        self._journal.write_moments(moments)
        if not mended:
            raise DrillStopped("the fault could not be put right: it is tried again until it is")

    async def wait_for_recovery(self, fault: PlannedFault) -> None:
        """Wait until all figures are good again, or the horizon is reached."""
        stage, moments, begun = self.record.stages[-1], self.record.moments, time.time()
        moments.horizon = fault.horizon.total_seconds()
        while time.time() < begun + moments.horizon:
            await self._next(guarded=False)
            await self._detect()
            assert moments.reverted is not None  # noqa: S101 - the fault phase sets it
            moments.recovered = find_recovery(self.record.seconds_of(stage), self._plan.bands, moments.reverted)
            if moments.recovered is not None:
                break
        self._journal.write_moments(moments)
        self._end(stage)

    async def wait_for_answer(self) -> None:
        """Wait for the called owner's acknowledgement, for the plan's `wait` at most; no load is sent meanwhile."""
        ends = (self._owner.state.called or time.time()) + self._plan.call.wait.total_seconds()
        while self._owner.state.acknowledged is None and time.time() < ends and not self._ordered_to_stop():
            await self._owner.wait(min(1.0, ends - time.time()))
        self._answered()

    # --- seconds ---

    async def _hold(self, segment: LoadSegment) -> DrillStage:
        stage = await self._begin(segment)
        await self._for(segment.seconds)
        self._end(stage)
        return stage

    def _end(self, stage: DrillStage) -> None:
        stage.ended = time.time()
        stage.overloaded = stage.mode == "level" and is_overloaded(self.record.seconds_of(stage))
        self._journal.write_stage(stage)

    async def _begin(self, segment: LoadSegment) -> DrillStage:
        await self._loader.send_segment(segment.name, segment.rate, segment.seconds)
        stage = DrillStage(segment.name, segment.mode, segment.percent, segment.rate, time.time())
        self.record.stages.append(stage)
        self._journal.write_stage(stage)
        return stage

    async def _for(self, seconds: float, *, detecting: bool = False) -> None:
        ends, heard = time.time() + seconds, 0
        while time.time() < ends:
            await self._next()
            heard += 1
            if detecting:
                await self._detect()
        if heard < seconds - _LATE - 1:
            raise MeasurementLost(f"{heard} of {seconds:g} seconds were measured")

    async def _next(self, *, guarded: bool = True) -> None:
        """One more second; Stopped where it is the last one."""
        async for second in self._lines:
            self._take(second)
            break
        else:
            raise DrillStopped(self._loader.why)
        if self._ordered_to_stop():
            raise DrillStopped(self._aborted or "aborted by `tocsin drill abort`")
        if not guarded:
            return
        if hit := find_crossed_guard(self._plan.guards, self._stage_seconds()):
            raise DrillStopped(f"guard-rail: {hit.figure} beyond {hit.limit:g} for {hit.seconds} s")
        if blind := find_blind_guard(self._plan.guards, self._stage_seconds()):
            raise DrillStopped(f"guard-rail: nothing to judge {blind.figure} by for {blind_limit(blind)} s")

    def _ordered_to_stop(self) -> bool:
        return bool(self._aborted) or (self._folder / ABORT).exists()

    def _stage_seconds(self) -> list[DrillSecond]:
        return self.record.seconds_of(self.record.stages[-1])

    def _take(self, told: DrillSecond) -> None:
        second = replace(told, peak=self.record.peak)
        self.record.seconds.append(second)
        self._watch.add_second(second)
        self._heard(self.record, second)
        try:
            self._journal.write_second(second)
        except OSError as error:
            raise DrillStopped(describe_write_failure(error)) from None

    async def _detect(self) -> None:
        """A rule that fires and did not before the fault: it was seen, and its owner is called."""
        moments = self.record.moments
        firing = self._watch.firing_rules(time.time())
        self._before &= {fired.rule.id for fired in firing}
        fresh = [fired for fired in firing if fired.rule.id not in self._before]
        if moments.detected is None and fresh:
            first = min(fresh, key=lambda fired: fired.rule.id)
            moments.detected, moments.detected_by = self._watch.last_tick, first.rule.id
            self._owner.call(first)
            self._journal.write_moments(moments)
        self._answered()

    def _answered(self) -> None:
        """What is known by now of the call to the owner."""
        moments, heard = self.record.moments, self._owner.state
        known = (moments.called, moments.acknowledged, moments.uncalled)
        moments.called, moments.matter, moments.uncalled = heard.called, heard.matter, heard.why_not
        moments.acknowledged, moments.acknowledged_by = heard.acknowledged, heard.by
        if known != (moments.called, moments.acknowledged, moments.uncalled):
            self._journal.write_moments(moments)


def describe_write_failure(error: OSError) -> str:
    """Describe why a drill ends that can no longer write down what it does."""
    return f"what it does cannot be written down: {error.strerror or type(error).__name__}"
