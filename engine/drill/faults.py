"""Faults are put right whatever happens: what is to be done is written down first, and another process watches."""

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

from domain.drill.plan import MARK, Fault, Hook
from engine.drill.crew import Proxy

_ROOT: Final = Path(__file__).resolve().parents[2]
_GRACE: Final = 30.0  # seconds after its hold that a fault lives at most
NOTE: Final = "fault.json"  # in the drill's folder: there while something may be broken


class FaultFailed(RuntimeError):
    """A hook did not do what it should; the text says which."""


class FaultKeeper:
    """Breaks and mends. From before it breaks until it is mended, `python -m engine.drill.deadman` waits beside it."""

    def __init__(self, fault: Fault, folder: Path, drill: str, proxy: Proxy | None) -> None:
        self._fault, self._note, self._drill, self._proxy = fault, folder / NOTE, drill, proxy
        self._watch: asyncio.subprocess.Process | None = None

    async def inject(self) -> None:
        """Break it.

        Raises:
            FaultFailed: it could not be broken; what was begun is put right.
        """
        if self._proxy is not None:  # its dead-man limit is its own, and it ends with whoever holds its stdin
            await self._proxy.harm(self._fault.proxy, self._fault.hold.total_seconds() + _GRACE)
            return
        if self._fault.inject is None or self._fault.revert is None:
            raise FaultFailed("neither a proxy nor a hook")
        self._write_down(self._fault.revert)
        limit = self._fault.hold.total_seconds() + _GRACE
        self._watch = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.drill.deadman", str(self._note), f"{limit:g}",
            stdin=asyncio.subprocess.PIPE, cwd=_ROOT, start_new_session=True,
        )  # fmt: skip
        try:
            await asyncio.to_thread(carry_out, self._fault.inject, self._drill)
        except FaultFailed:
            await self.revert()
            raise

    def _write_down(self, revert: Hook) -> None:
        """Whole or not at all: what cannot be written down is not broken."""
        part = self._note.with_suffix(".part")
        try:
            part.write_text(json.dumps({"drill": self._drill, "revert": as_document(revert)}))
            part.replace(self._note)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise FaultFailed(f"how to put the fault right cannot be written down: {error.strerror}") from None

    async def revert(self) -> bool:
        """Mend it; again and again where it fails. Whether it is mended now."""
        if self._proxy is not None:
            await self._proxy.harm({}, 0)
        if not self._note.exists():
            return True
        for attempt in range(3):
            try:
                await asyncio.to_thread(mend, self._note)
                break
            except FaultFailed:
                await asyncio.sleep(0.5 * 2**attempt)
        if self._watch is not None and not self._note.exists():
            self._watch.kill()
            await self._watch.wait()
        return not self._note.exists()


def mend(note: Path) -> None:
    """Put right what a note says may be broken, and take the note away. Harmless when done twice.

    Raises:
        FaultFailed: it is still broken; the note stays.
    """
    try:
        found = json.loads(note.read_text())
    except FileNotFoundError:
        return
    carry_out(hook_of(found["revert"]), found["drill"])
    note.unlink(missing_ok=True)


def mend_all(drills: Path) -> list[str]:
    """What killed drills left broken: the names of those that were put right now. Whoever calls it has the lock.

    Raises:
        FaultFailed: one is still broken.
    """
    mended = []
    for note in sorted(drills.glob(f"*/{NOTE}")):
        mend(note)
        mended.append(note.parent.name)
    return mended


def carry_out(hook: Hook, drill: str) -> None:
    """Run the command, or send the request.

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
    headers = {MARK: drill, "content-type": "application/json"}
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


def as_document(hook: Hook) -> dict[str, Any]:
    """As JSON."""
    return {**asdict(hook), "timeout": hook.timeout.total_seconds()}


def hook_of(document: dict[str, Any]) -> Hook:
    """Read back."""
    timeout = timedelta(seconds=document["timeout"])
    return Hook(**{**document, "command": tuple(document["command"]), "timeout": timeout})
