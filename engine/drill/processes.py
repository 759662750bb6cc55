"""Processes of a drill: load engine, fault proxy, and the watchdog that replaces a killed conductor."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from domain.drill.measurement import DrillSecond
from domain.drill.plan import PlannedFault
from engine.drill.drill_watchdog import DONE
from engine.drill.preflight import DrillNotAllowed
from engine.installation import Installation
from storage.database import StorageError

_ROOT: Final = Path(__file__).resolve().parents[2]
PATIENCE: Final = 3.5  # seconds without a line, and the measurement is lost
_ENDING: Final = 8.0  # the engine drains for five
_LONGEST_LINE: Final = 8 * 1024 * 1024
_FIELDS: Final = DrillSecond.__dataclass_fields__.keys()


class MeasurementLost(RuntimeError):
    """The load engine gave no measurement for too long, or is gone."""


class LoadProcess:
    """Process of the load engine: it is told what to send, and reports once a second."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.totals: dict[str, dict[str, Any]] = {}
        self.why = ""  # it stopped by itself: why
        self.requests = 0
        self.loose: list[list[str]] = []  # kind and name of what was made and could not be put in the ledger

    @property
    def pid(self) -> int:
        """Process id of the load engine."""
        return self._process.pid

    @classmethod
    async def start(cls, plan: Path, drill: str, ledger: Path) -> LoadProcess:
        """Start the process; it sends nothing before it is told a segment.

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

    async def send_segment(self, name: str, rate: float, seconds: float) -> None:
        """Send the load engine its next segment: `rate` journeys a second for `seconds`."""
        await self._say({"segment": name, "rate": rate, "seconds": seconds})

    async def seconds(self) -> AsyncIterator[DrillSecond]:
        """Yield each second as it comes, until the load engine stops.

        Raises:
            MeasurementLost: nothing came for too long, or the process ended without a word.
        """
        while True:
            line = await self._line()
            if line is None:
                raise MeasurementLost("the load engine is gone")
            if line["line"] == "second":
                yield DrillSecond(**{name: value for name, value in line.items() if name in _FIELDS})
            elif line["line"] == "segment":
                self.totals[line["segment"]] = {
                    "latency": line["latency"],
                    "service": line["service"],
                    "why": line["why"],
                }
            elif line["line"] == "loose":
                self.loose.append([line["kind"], line["name"]])
            elif line["line"] == "stopped":
                self.why, self.requests = line["why"], line["requests"]
                return

    async def stop(self, why: str) -> list[DrillSecond]:
        """Stop new journeys and wait for those under way; the seconds that were still reported."""
        last: list[DrillSecond] = []
        try:
            await self._say({"stop": why})
            async with asyncio.timeout(_ENDING):
                last = [second async for second in self.seconds()]
        except (TimeoutError, MeasurementLost):
            pass
        await self.kill()
        return last

    async def kill(self) -> None:
        """End the process, whatever state it is in."""
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


class ProxyProcess:
    """Process of the fault proxy, there from before the first journey and harmless until told otherwise."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Process id of the fault proxy."""
        return self._process.pid

    @classmethod
    async def start(cls, fault: PlannedFault) -> ProxyProcess:
        """Start the proxy, listening where the plan says.

        Raises:
            MeasurementLost: it does not come up, for example because the port is in use.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.faults", fault.listen, fault.upstream,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=_ROOT,
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        try:
            async with asyncio.timeout(15):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            process.kill()
            raise MeasurementLost(f"the fault proxy cannot listen on {fault.listen}")
        return cls(process)

    async def apply_faults(self, toxics: Mapping[str, float], seconds: float) -> None:
        """Apply these fault settings for so many seconds at most; an empty mapping ends the fault at once.

        Raises:
            MeasurementLost: the proxy is gone.
        """
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            self._process.stdin.write(json.dumps({"toxics": dict(toxics), "seconds": seconds}).encode() + b"\n")
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise MeasurementLost("the fault proxy is gone") from None

    async def kill(self) -> None:
        """End the proxy, with every connection through it."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def watchdog_beside(installation: Installation, folder: Path) -> AsyncIterator[None]:
    """Run a watchdog to the end of the block that takes over if this process is killed, or gives up.

    A drill that must not begin (DrillNotAllowed) and one whose report cannot be kept (StorageError) are no
    reason to.
    """
    settings, place = installation.settings, Path.cwd()
    environment = {**os.environ, "TOCSIN_HOME": str(place / settings.home), "TOCSIN_PORT": str(settings.port)}
    if settings.database_url:
        environment["TOCSIN_DATABASE_URL"] = str(settings.database_url)  # not among the arguments: others see those
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine.drill.drill_watchdog",
        str(place / folder),
        stdin=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        yield
    except (DrillNotAllowed, StorageError):
        await _say_done(process)
        raise
    except BaseException:
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        process.stdin.close()  # it waits for the lock that is held here
        raise
    await _say_done(process)


async def _say_done(process: asyncio.subprocess.Process) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):
        await process.communicate(DONE)
