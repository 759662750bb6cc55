"""Fault injection: the revert is written down before a fault begins, and another process watches over it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from domain.drill.plan import DRILL_HEADER, FaultHook, PlannedFault
from engine.drill.processes import ProxyProcess

_ROOT: Final = Path(__file__).resolve().parents[2]
_GRACE: Final = 30.0  # seconds after its hold that a fault lives at most
NOTE: Final = "fault.json"  # in the drill's folder: there while something may be broken


class FaultFailed(RuntimeError):
    """A hook of a fault did not do what it should; the text says which."""


class FaultInjector:
    """Injects and reverts a fault, with `python -m engine.drill.deadman_switch` beside it until it is reverted."""

    def __init__(self, fault: PlannedFault, folder: Path, drill: str, proxy: ProxyProcess | None) -> None:
        self._fault, self._note, self._drill, self._proxy = fault, folder / NOTE, drill, proxy
        self._watch: asyncio.subprocess.Process | None = None

    async def inject(self) -> None:
        """Inject the fault.

        Raises:
            FaultFailed: it could not be injected; what was begun is put right.
        """
        if self._proxy is not None:  # its dead-man limit is its own, and it ends with whoever holds its stdin
            await self._proxy.apply_faults(self._fault.proxy, self._fault.hold.total_seconds() + _GRACE)
            return
        if self._fault.inject is None or self._fault.revert is None:
            raise FaultFailed("neither a proxy nor a hook")
        self._write_down(self._fault.revert)
        limit = self._fault.hold.total_seconds() + _GRACE
        self._watch = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.drill.deadman_switch", str(self._note), f"{limit:g}",
            stdin=asyncio.subprocess.PIPE, cwd=_ROOT, start_new_session=True,
        )  # fmt: skip
        try:
            await asyncio.to_thread(run_hook, self._fault.inject, self._drill)
        except FaultFailed:
            await self.revert()
            raise

    def _write_down(self, revert: FaultHook) -> None:
        """Whole or not at all: what cannot be written down is not broken."""
        part = self._note.with_suffix(".part")
        try:
            part.write_text(json.dumps({"drill": self._drill, "revert": hook_document(revert)}))
            part.replace(self._note)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise FaultFailed(f"how to put the fault right cannot be written down: {error.strerror}") from None

    async def revert(self) -> bool:
        """Revert the fault, again and again where that fails; whether it is reverted now."""
        if self._proxy is not None:
            await self._proxy.apply_faults({}, 0)
        if not self._note.exists():
            return True
        for attempt in range(3):
            try:
                await asyncio.to_thread(revert_fault, self._note)
                break
            except FaultFailed:
                await asyncio.sleep(0.5 * 2**attempt)
        if self._watch is not None and not self._note.exists():
            self._watch.kill()
            await self._watch.wait()
        return not self._note.exists()


def revert_fault(note: Path) -> None:
    """Revert the fault that a note describes, and remove the note. Idempotent.

    Raises:
        FaultFailed: it is still broken; the note stays.
    """
    try:
        found = json.loads(note.read_text())
    except FileNotFoundError:
        return
    run_hook(parse_hook(found["revert"]), found["drill"])
    note.unlink(missing_ok=True)


def revert_left_faults(drills: Path) -> list[str]:
    """Revert the faults that killed drills left; the names of those reverted now. The caller has the lock.

    Raises:
        FaultFailed: one is still broken.
    """
    mended = []
    for note in sorted(drills.glob(f"*/{NOTE}")):
        revert_fault(note)
        mended.append(note.parent.name)
    return mended


def run_hook(hook: FaultHook, drill: str) -> None:
    """Run the hook's command, or send its request.

    Raises:
        FaultFailed: exit code, status, or no answer in time.
    """
    seconds = hook.timeout.total_seconds()
    if hook.command:
        try:
            subprocess.run(hook.command, check=True, timeout=seconds, capture_output=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise FaultFailed(f"`{Path(hook.command[0]).name}` failed: {type(error).__name__}") from None
        return
    body = None if hook.json is None else json.dumps(hook.json).encode()
    headers = {DRILL_HEADER: drill, "content-type": "application/json"}
    request = urllib.request.Request(hook.url, body, headers, method=hook.method)  # noqa: S310 - held against targets
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=seconds):
            pass
    except (OSError, urllib.error.URLError) as error:
        raise FaultFailed(f"the request of the fault failed: {getattr(error, 'code', type(error).__name__)}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None is followed."""


def hook_document(hook: FaultHook) -> dict[str, Any]:
    """Convert a hook to its JSON document."""
    return {**asdict(hook), "timeout": hook.timeout.total_seconds()}


def parse_hook(document: dict[str, Any]) -> FaultHook:
    """Parse a hook from its JSON document."""
    timeout = timedelta(seconds=document["timeout"])
    return FaultHook(**{**document, "command": tuple(document["command"]), "timeout": timeout})
