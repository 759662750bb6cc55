"""A drill from its first journey to its last: load by stages, guard-rails each second, a fault, recovery."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from domain.drill.judging import Second, guard_hit, out_of_band, overloaded, recovered_at, steady
from domain.drill.plan import Fault, Plan, Segment, fault_segment, segments
from domain.warning.rule import Rule
from engine.drill.crew import Loader, MeasurementLost, Proxy
from engine.drill.faults import FaultFailed, FaultKeeper
from engine.drill.record import Record, Stage
from engine.drill.watching import Watch

ALIVE: Final = "alive"  # in the drill's folder: who conducts it
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
        self, plan: Plan, record: Record, folder: Path, rules: Sequence[Rule], heard: Heard, proxy: Proxy | None = None
    ) -> None:
        self.record = record
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
        (self._folder / ALIVE).write_text(str(os.getpid()))
        try:
            self._loader = await Loader.start(self._folder / "plan.yaml", self.record.id, self._folder / "ledger.jsonl")
            self._lines = self._loader.seconds()
            try:
                yield
            finally:
                for second in await self._loader.stop("the drill is over"):
                    self._take(second)
                self.record.totals |= self._loader.totals
                self.record.requests = self._loader.requests
        except Stopped as stopped:
            self.record.stopped = str(stopped)
        except MeasurementLost as lost:
            self.record.invalid = str(lost)
        finally:
            self.record.ended = time.time()
            (self._folder / ALIVE).unlink(missing_ok=True)

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
            stage.overloaded = overloaded(self.record.of(stage))
            if stage.overloaded:
                break

    async def rest(self) -> None:
        """At the lowest load until the chain has come to rest."""
        if not any(stage.overloaded for stage in self.record.stages):
            return
        lowest = segments(self._plan, self.record.peak)[0]
        stage = await self._begin(Segment("rest", "baseline", lowest.rate, _REST, lowest.percent))
        ends = time.time() + _REST
        while time.time() < ends:
            await self._next(guarded=False)
            last = self.record.of(stage)[-_CALM:]
            if len(last) == _CALM and not out_of_band(last, self._plan.bands):
                break
        stage.ended = time.time()

    async def fault(self, fault: Fault) -> None:
        """Break it under load, and put it right."""
        await self._begin(fault_segment(self._plan, fault, self.record.peak))
        moments = self.record.moments
        keeper = FaultKeeper(fault, self._folder, self.record.id, self._proxy)
        try:
            await self._for(self._plan.baseline.total_seconds())
            moments.injected = time.time()
            await keeper.inject()
            self._before = set(self._watch.firing(time.time()))
            await self._for(fault.hold.total_seconds(), detecting=True)
        except FaultFailed as failed:
            raise Stopped(str(failed)) from None
        finally:
            mended = await keeper.revert()
            if moments.injected is not None:
                moments.reverted = time.time()
        if not mended:
            raise Stopped("the fault could not be put right: it is tried again until it is")

    async def recover(self, fault: Fault) -> None:
        """Wait until all figures are good again, or the horizon."""
        stage, moments, begun = self.record.stages[-1], self.record.moments, time.time()
        moments.horizon = fault.horizon.total_seconds()
        while time.time() < begun + moments.horizon:
            await self._next(guarded=False)
            self._detect()
            assert moments.reverted is not None  # noqa: S101 - the fault phase sets it
            moments.recovered = recovered_at(self.record.of(stage), self._plan.bands, moments.reverted)
            if moments.recovered is not None:
                break
        stage.ended = time.time()

    # --- seconds ---

    async def _hold(self, segment: Segment) -> Stage:
        stage = await self._begin(segment)
        await self._for(segment.seconds)
        stage.ended = time.time()
        return stage

    async def _begin(self, segment: Segment) -> Stage:
        await self._loader.tell(segment.name, segment.rate, segment.seconds)
        stage = Stage(segment.name, segment.mode, segment.percent, segment.rate, time.time())
        self.record.stages.append(stage)
        return stage

    async def _for(self, seconds: float, *, detecting: bool = False) -> None:
        ends, heard = time.time() + seconds, 0
        while time.time() < ends:
            await self._next()
            heard += 1
            if detecting:
                self._detect()
        if heard < seconds - _LATE - 1:
            raise MeasurementLost(f"{heard} of {seconds:g} seconds were measured")

    async def _next(self, *, guarded: bool = True) -> None:
        """One more second; Stopped where it is the last one."""
        async for second in self._lines:
            self._take(second)
            break
        else:
            raise Stopped(self._loader.why)
        if self._aborted or (self._folder / ABORT).exists():
            raise Stopped(self._aborted or "aborted by `tocsin drill abort`")
        if guarded and (hit := guard_hit(self._plan.guards, self._stage_seconds())):
            raise Stopped(f"guard-rail: {hit.figure} beyond {hit.limit:g} for {hit.seconds} s")

    def _stage_seconds(self) -> list[Second]:
        return self.record.of(self.record.stages[-1])

    def _take(self, told: Second) -> None:
        second = replace(told, peak=self.record.peak)
        self.record.seconds.append(second)
        self._watch.take(second)
        self._heard(self.record, second)

    def _detect(self) -> None:
        moments = self.record.moments
        fresh = sorted(set(self._watch.firing(time.time())) - self._before)
        if moments.detected is None and fresh:
            moments.detected, moments.detected_by = self._watch.ticked, fresh[0]
