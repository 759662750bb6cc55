"""Open-loop load: journeys begin when due, however slow the target is, and latency counts from then."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import aiohttp

from domain.drill.plan import DrillPlan, Journey
from engine.load.journeys import DrillMarkMissing, LedgerWriteFailed, run_journey
from engine.load.measurements import SecondCounts, SegmentTotals, StepResult, record_duration
from engine.load.target_allowlist import AllowlistResolver, TargetAllowlist, TargetForbidden

WriteLine = Callable[[dict[str, Any]], None]
DRAIN: Final = 5.0  # seconds that journeys under way get when a drill ends or is aborted


class LoadEngine:
    """Load engine: sends the segments it is told to, one after another.

    Lines that it writes: `second` (one a second), `segment` (a segment added up), `stopped` (why it ended).
    """

    def __init__(
        self, plan: DrillPlan, drill: str, border: TargetAllowlist, tell: WriteLine, ledger: Callable[[str, str], None],
        doubt: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.drill, self.border = drill, border
        self.session: aiohttp.ClientSession
        self._plan, self._tell, self._ledger = plan, tell, ledger
        self._doubt = doubt
        self._dice = random.Random(plan.seed)  # noqa: S311 - arrivals, not secrets
        self._weights = [journey.weight for journey in plan.journeys]
        self._rate, self._name, self._ends, self._due = 0.0, "", 0.0, 0.0
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._why = ""
        self._second, self._total = SecondCounts(), SegmentTotals()
        self._under_way: set[asyncio.Task[None]] = set()
        self.asking: dict[int, float] = {}
        self._requests = 0

    # --- what it is told ---

    def start_segment(self, name: str, rate: float, seconds: float) -> None:
        """Start this load; the segment before is added up and reported."""
        self._add_up()
        self._name, self._rate = name, min(rate, self._plan.caps.rate)
        self._due, self._ends = perf_counter(), perf_counter() + seconds
        self._changed.set()

    def stop(self, why: str) -> None:
        """Stop new journeys; those under way have five seconds."""
        self._why = self._why or why
        self._over.set()
        self._changed.set()

    async def run(self) -> str:
        """Send load until stopped; the reason of the stop."""
        connector = aiohttp.TCPConnector(
            resolver=AllowlistResolver(self.border), use_dns_cache=False, limit=0, keepalive_timeout=15, ssl=True
        )
        jar = aiohttp.DummyCookieJar()  # each journey is another customer
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False) as self.session:
            arriving, ticking = asyncio.create_task(self._arrive()), asyncio.create_task(self._tick())
            capped = asyncio.create_task(self._cap())
            await self._over.wait()
            for task in (arriving, capped):
                task.cancel()
            await self._drain()
            ticking.cancel()
            for task in (arriving, ticking, capped):
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            self._count_second()
            self._add_up()
        self._tell({"line": "stopped", "why": self._why, "requests": self._requests})
        return self._why

    # --- what journeys ask of it ---

    def record_step(self, result: StepResult) -> None:
        """Record the result of one step."""
        self._second.add(result)
        self._total.add(result)

    def record_created(self, kind: str, name: str) -> None:
        """Record that something was made at the target, before anything else happens."""
        self._ledger(kind, name)

    def record_doubtful(self, kind: str) -> None:
        """Record that something may have been made."""
        self._doubt(kind)

    def may_send(self) -> bool:
        """Whether one more request may be sent."""
        if self._requests >= self._plan.caps.requests:
            self.stop(f"cap: {self._plan.caps.requests} requests")
        if self._over.is_set():
            return False
        self._requests += 1
        return True

    # --- how it works ---

    async def _arrive(self) -> None:
        """Poisson arrivals of the present rate: gaps are drawn, moments add up, nothing waits for an answer."""
        while not self._over.is_set():
            self._changed.clear()
            if self._rate <= 0 or self._due >= self._ends:
                await self._changed.wait()
                continue
            due = self._due + self._dice.expovariate(self._rate)
            wait = due - perf_counter()
            if wait > 0 and await self._told_within(wait):
                continue  # another load from now on: what was drawn is void
            self._due = due
            if due < self._ends:
                record_duration(self._second.lag, max(0.0, perf_counter() - due))
                self._begin(due)
            if wait <= 0:
                await asyncio.sleep(0)

    async def _told_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def _begin(self, due: float) -> None:
        self._second.offered += 1
        if len(self._under_way) >= self._plan.caps.in_flight:
            self.stop(f"cap: {self._plan.caps.in_flight} journeys under way")
            return
        (journey,) = self._dice.choices(self._plan.journeys, self._weights)
        seed = self._dice.randrange(2**32)
        dice = random.Random(seed)  # noqa: S311 - what a customer does, no secret
        task = asyncio.create_task(self._go(journey, due, dice))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _go(self, journey: Journey, due: float, dice: random.Random) -> None:
        try:
            well = await run_journey(self, journey, due, dice)
        except (TargetForbidden, DrillMarkMissing, LedgerWriteFailed) as error:
            self.stop(str(error))
            return
        self._second.completed += well
        self._second.broken += not well

    async def _drain(self) -> None:
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=DRAIN)
        for task in list(self._under_way):
            task.cancel()
        if self._under_way:
            await asyncio.wait(list(self._under_way), timeout=1)

    async def _cap(self) -> None:
        await asyncio.sleep(self._plan.caps.time.total_seconds())
        self.stop(f"cap: {self._plan.caps.time.total_seconds():g} s")

    async def _tick(self) -> None:
        """One line a second, of whole seconds since the beginning."""
        at, used = perf_counter(), time.process_time()
        while True:
            at += 1
            await asyncio.sleep(max(0.0, at - perf_counter()))
            now = time.process_time()
            self._count_second(cpu=now - used)
            used = now

    def _count_second(self, cpu: float = 0.0) -> None:
        second, self._second = self._second, SecondCounts()
        now = perf_counter()
        oldest = min(self.asking.values(), default=now)
        self._tell({
            "line": "second", "at": time.time(), "segment": self._name, "rate": self._rate, **second.line(),
            "under_way": len(self._under_way), "oldest": round(max(0.0, now - oldest) * 1000, 1),
            "cpu": round(cpu, 3), "over": bool(self._name) and now >= self._ends,
        })  # fmt: skip

    def _add_up(self) -> None:
        if self._name:
            self._tell({"line": "segment", "segment": self._name, **self._total.line()})
        self._total = SegmentTotals()


def json_line(data: dict[str, Any]) -> str:
    """Encode as one line of JSON."""
    return json.dumps(data, separators=(",", ":")) + "\n"
