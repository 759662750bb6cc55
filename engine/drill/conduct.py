"""A drill from its first journey to its last: load by stages, guard-rails each second, a fault, recovery."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from domain.drill.judging import (
    Second,
    blind_after,
    guard_blind,
    guard_hit,
    out_of_band,
    overloaded,
    recovered_at,
    steady,
)
from domain.drill.plan import Fault, Plan, Segment, fault_segment, segments
from domain.warning.rule import Rule
from engine.drill.calling import Nobody, Owner
from engine.drill.crew import Loader, MeasurementLost, Proxy
from engine.drill.faults import FaultFailed, FaultKeeper
from engine.drill.journal import Journal
from engine.drill.record import Record, Stage
from engine.drill.watching import Watch

ABORT: Final = "abort"  # put there, it ends the drill within a second
_REST: Final = 45.0  # seconds at most that the chain gets to come to rest after it was overloaded
_CALM: Final = 3  # seconds in band, and it has
_LATE: Final = 2.0  # seconds that a stage may last longer than asked for before the measurement counts as lost

Heard = Callable[[Record, Second], None]


class Stopped(Exception):
    """The drill ends before its end; the text says why."""


class Conductor:
    """One drill. Its phases are called in their order; `record` holds what came of it, whatever happens."""

    def __init__(
        self, plan: Plan, record: Record, folder: Path, rules: Sequence[Rule], heard: Heard, proxy: Proxy | None = None,
        owner: Owner | None = None,
    ) -> None:  # fmt: skip
        self.record = record
        self._journal, self._owner = Journal(folder), owner or Nobody()
        self._plan, self._folder, self._heard = plan, folder, heard
        self._watch, self._proxy = Watch(rules), proxy
        self._loader: Loader
        self._lines: AsyncIterator[Second]
        self._aborted = ""
        self._before: set[str] = set()  # rules that fired before the fault: they did not see it

    def abort(self, why: str) -> None:
        """Stop at the next second."""
        self._aborted = self._aborted or why

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """The load engine from here to the end of the block, in whatever way that is reached.

        Stopped and lost measurements end the block, and stand in the record.
        """
        try:
            self._loader = await Loader.start(self._folder / "plan.yaml", self.record.id, self._folder / "ledger.jsonl")
            self._journal.child(self._loader.pid)
            self._lines = self._loader.seconds()
            try:
                yield
            finally:
                for second in await self._loader.stop("the drill is over"):
                    with contextlib.suppress(Stopped):  # it is over in any case
                        self._take(second)
                self.record.totals |= self._loader.totals
                self.record.requests = self._loader.requests
                self.record.cleaned.loose = self._loader.loose
        except Stopped as stopped:
            self.record.stopped = str(stopped)
        except MeasurementLost as lost:
            self.record.invalid = str(lost)
        except OSError as error:
            self.record.stopped = unwritten(error)
        finally:
            self.record.ended = time.time()

    # --- phases ---

    async def baseline(self) -> None:
        """The lowest stage while nothing is wrong: if it is out of band already, there is nothing to drill."""
        first = segments(self._plan, self.record.peak)[0]
        stage = await self._hold(first)
        bad = out_of_band(steady(self.record.of(stage)), self._plan.bands)
        if bad:
            raise Stopped(f"out of band before any load: {', '.join(sorted(bad))}")

    async def levels(self) -> None:
        """Every stage, until one is more than the chain carries: the next ones would tell nothing new."""
        for segment in segments(self._plan, self.record.peak)[1:]:
            stage = await self._hold(segment)
            if stage.overloaded:
                break

    async def rest(self) -> None:
        """At the lowest load until the chain has come to rest, and no rule fires any more."""
        if not any(stage.overloaded for stage in self.record.stages) and not self._watch.firing(time.time()):
            return
        lowest = segments(self._plan, self.record.peak)[0]
        stage = await self._begin(Segment("rest", "baseline", lowest.rate, _REST, lowest.percent))
        ends = time.time() + _REST
        while time.time() < ends:
            await self._next(guarded=False)
            last = self.record.of(stage)[-_CALM:]
            calm = len(last) == _CALM and not out_of_band(last, self._plan.bands)
            if calm and not self._watch.firing(time.time()):  # a rule that fires already would see no fault
                break
        self._end(stage)

    async def fault(self, fault: Fault) -> None:
        """Break it under load, and put it right."""
        await self._begin(fault_segment(self._plan, fault, self.record.peak))
        moments = self.record.moments
        keeper = FaultKeeper(fault, self._folder, self.record.id, self._proxy)
        try:
            await self._for(self._plan.baseline.total_seconds())
            moments.injected = time.time()
            self._journal.moments(moments)
            await keeper.inject()
            self._before = {fired.rule.id for fired in self._watch.firing(time.time())}
            await self._for(fault.hold.total_seconds(), detecting=True)
        except FaultFailed as failed:
            raise Stopped(str(failed)) from None
        finally:
            mended = await keeper.revert()
            if moments.injected is not None:
                moments.reverted = time.time()
        self._journal.moments(moments)
        if not mended:
            raise Stopped("the fault could not be put right: it is tried again until it is")

    async def recover(self, fault: Fault) -> None:
        """Wait until all figures are good again, or the horizon."""
        stage, moments, begun = self.record.stages[-1], self.record.moments, time.time()
        moments.horizon = fault.horizon.total_seconds()
        while time.time() < begun + moments.horizon:
            await self._next(guarded=False)
            await self._detect()
            assert moments.reverted is not None  # noqa: S101 - the fault phase sets it
            moments.recovered = recovered_at(self.record.of(stage), self._plan.bands, moments.reverted)
            if moments.recovered is not None:
                break
        self._journal.moments(moments)
        self._end(stage)

    async def answer(self) -> None:
        """Whoever was called has until the plan's `wait` to acknowledge; nothing is sent to the chain meanwhile."""
        ends = (self._owner.heard.called or time.time()) + self._plan.call.wait.total_seconds()
        while self._owner.heard.acknowledged is None and time.time() < ends and not self._ordered_to_stop():
            await self._owner.wait(min(1.0, ends - time.time()))
        self._answered()

    # --- seconds ---

    async def _hold(self, segment: Segment) -> Stage:
        stage = await self._begin(segment)
        await self._for(segment.seconds)
        self._end(stage)
        return stage

    def _end(self, stage: Stage) -> None:
        stage.ended = time.time()
        stage.overloaded = stage.mode == "level" and overloaded(self.record.of(stage))
        self._journal.stage(stage)

    async def _begin(self, segment: Segment) -> Stage:
        await self._loader.tell(segment.name, segment.rate, segment.seconds)
        stage = Stage(segment.name, segment.mode, segment.percent, segment.rate, time.time())
        self.record.stages.append(stage)
        self._journal.stage(stage)
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
            raise Stopped(self._loader.why)
        if self._ordered_to_stop():
            raise Stopped(self._aborted or "aborted by `tocsin drill abort`")
        if not guarded:
            return
        if hit := guard_hit(self._plan.guards, self._stage_seconds()):
            raise Stopped(f"guard-rail: {hit.figure} beyond {hit.limit:g} for {hit.seconds} s")
        if blind := guard_blind(self._plan.guards, self._stage_seconds()):
            raise Stopped(f"guard-rail: nothing to judge {blind.figure} by for {blind_after(blind)} s")

    def _ordered_to_stop(self) -> bool:
        return bool(self._aborted) or (self._folder / ABORT).exists()

    def _stage_seconds(self) -> list[Second]:
        return self.record.of(self.record.stages[-1])

    def _take(self, told: Second) -> None:
        second = replace(told, peak=self.record.peak)
        self.record.seconds.append(second)
        self._watch.take(second)
        self._heard(self.record, second)
        try:
            self._journal.second(second)
        except OSError as error:
            raise Stopped(unwritten(error)) from None

    async def _detect(self) -> None:
        """A rule that fires and did not before the fault: it was seen, and its owner is called."""
        moments = self.record.moments
        firing = self._watch.firing(time.time())
        self._before &= {fired.rule.id for fired in firing}
        fresh = [fired for fired in firing if fired.rule.id not in self._before]
        if moments.detected is None and fresh:
            first = min(fresh, key=lambda fired: fired.rule.id)
            moments.detected, moments.detected_by = self._watch.ticked, first.rule.id
            self._owner.call(first)
            self._journal.moments(moments)
        self._answered()

    def _answered(self) -> None:
        """What is known by now of whoever was called."""
        moments, heard = self.record.moments, self._owner.heard
        known = (moments.called, moments.acknowledged, moments.uncalled)
        moments.called, moments.matter, moments.uncalled = heard.called, heard.matter, heard.why_not
        moments.acknowledged, moments.acknowledged_by = heard.acknowledged, heard.by
        if known != (moments.called, moments.acknowledged, moments.uncalled):
            self._journal.moments(moments)


def unwritten(error: OSError) -> str:
    """Why a drill ends that can no longer write down what it does."""
    return f"what it does cannot be written down: {error.strerror or type(error).__name__}"
