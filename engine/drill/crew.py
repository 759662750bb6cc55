"""The processes of a drill: the load engine, and what puts a fault right when everybody else is gone."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from domain.drill.judging import Second

_ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 3.5  # seconds without a line, and the measurement is lost
_ENDING: Final = 8.0  # the engine drains for five
_LONGEST_LINE: Final = 8 * 1024 * 1024
_FIELDS: Final = Second.__dataclass_fields__.keys()


class MeasurementLost(RuntimeError):
    """The load engine said nothing for too long, or is gone."""


class Loader:
    """The load engine's process, told what to send, heard once a second."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.totals: dict[str, dict[str, Any]] = {}
        self.why = ""  # it stopped by itself: why
        self.requests = 0

    @classmethod
    async def start(cls, plan: Path, drill: str, ledger: Path) -> Loader:
        """Begin; it sends nothing before it is told a segment.

        Raises:
            MeasurementLost: it does not come up.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.load", str(plan), "--drill", drill, "--ledger", str(ledger),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=_ROOT, limit=_LONGEST_LINE,
        )  # fmt: skip
        loader = cls(process)
        line = await loader._line(patience=30.0)
        if line is None or line["line"] != "begun":
            raise MeasurementLost((line or {}).get("why") or "the load engine did not start")
        return loader

    async def tell(self, name: str, rate: float, seconds: float) -> None:
        """Go on with this load."""
        await self._say({"segment": name, "rate": rate, "seconds": seconds})

    async def seconds(self) -> AsyncIterator[Second]:
        """Each second as it comes, until it stops.

        Raises:
            MeasurementLost: silence, or its end without a word.
        """
        while True:
            line = await self._line()
            if line is None:
                raise MeasurementLost("the load engine is gone")
            if line["line"] == "second":
                yield Second(**{name: value for name, value in line.items() if name in _FIELDS})
            elif line["line"] == "segment":
                self.totals[line["segment"]] = {
                    "latency": line["latency"],
                    "service": line["service"],
                    "why": line["why"],
                }
            elif line["line"] == "stopped":
                self.why, self.requests = line["why"], line["requests"]
                return

    async def stop(self, why: str) -> list[Second]:
        """No new journeys; those under way are waited for. What it still said."""
        last: list[Second] = []
        try:
            await self._say({"stop": why})
            async with asyncio.timeout(_ENDING):
                last = [second async for second in self.seconds()]
        except (TimeoutError, MeasurementLost):
            pass
        await self.end()
        return last

    async def end(self) -> None:
        """Whatever state it is in: it is over."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _say(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise MeasurementLost("the load engine is gone") from None

    async def _line(self, patience: float = PATIENCE) -> dict[str, Any] | None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            async with asyncio.timeout(patience):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise MeasurementLost(f"the load engine said nothing for {patience:g} s") from None
        return json.loads(line) if line else None
