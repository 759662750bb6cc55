"""Live pages: one address serves the page, and as `text/event-stream` its later versions.

A browser asks an address twice: once as a page, once as `text/event-stream`. After every commit of any
process, the page's `main` is rendered anew and sent if it differs. Readers who would see the same share one
rendering, so that two hundred screens cost little more than one.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from engine.installation import Installation
from storage.database_version import DatabaseVersion

log = logging.getLogger("tocsin.web")
GLANCE_SECONDS: Final = 0.1  # between two glances at the database's version
GAP_SECONDS: Final = 0.25  # between two makings of the same page in a storm of changes, at least
SHARE: Final = 5.0  # ... and so many times what the last making took: live pages take a fifth of a core at most
QUIET_SECONDS: Final = 15.0  # what only time changes is seen by then; also keeps the connection known to be alive
CHECK_SECONDS: Final = 15.0  # how long a stream outlasts its session at most, a wait for news apart
EACH: Final = 0.003  # ... and so many seconds for each stream that it is sent to
MOST_VIEWS: Final = 512

RenderView = Callable[[], Awaitable[str]]


@dataclass
class _View:
    """One page as one kind of reader sees it."""

    event: bytes = b""  # as it is sent, the same to all
    mark: str = ""
    seen: object = None
    made: float = float("-inf")
    took: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LiveUpdates:
    """Event streams of one web process: the waiting readers, and the last rendering of each view."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._views: dict[tuple[str, ...], _View] = {}
        self._news = asyncio.Condition()
        self._version: object = object()
        self._streams = 0
        self._watching: asyncio.Task[None] | None = None
        self._end = threading.Event()

    async def stream(
        self,
        key: tuple[str, ...],
        make: RenderView,
        check: Callable[[], Awaitable[None]],
        seen: str,
        every: float = QUIET_SECONDS,
    ) -> AsyncIterator[bytes]:
        """Server-sent events: the HTML of `main` at each change.

        Args:
            key: equal for readers who see the same.
            make: the HTML as of now, for any reader of that key.
            check: raises where this very reader may not look any more; their stream ends then, nobody else's.
            seen: the mark of what the reader has.
            every: seconds after which what only time changes is made anew.
        """
        checked = time.monotonic()
        self._streams += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield b"retry: 1000\n\n"
            while True:
                if time.monotonic() - checked > CHECK_SECONDS:
                    await check()
                    checked = time.monotonic()
                version = self._version
                view = await self._current(key, make, every)
                if view.mark != seen:
                    seen = view.mark
                    yield view.event
                else:
                    yield b": still here\n\n"
                await self._change(version, every)
        finally:
            self._streams -= 1

    async def _current(self, key: tuple[str, ...], make: RenderView, every: float) -> _View:
        """The view as of now, made by the first stream that asks."""
        view = self._views.get(key)
        if view is None:
            if len(self._views) >= MOST_VIEWS:
                self._views.clear()
            view = self._views[key] = _View()
        async with view.lock:
            rest = view.made + max(GAP_SECONDS, SHARE * view.took, EACH * self._streams) - time.monotonic()
            stale = view.seen is not self._version or rest < -every
            if stale and rest > 0:
                await asyncio.sleep(rest)
            if (stale and view.seen is not self._version) or time.monotonic() - view.made > every:
                version, begins = self._version, time.monotonic()
                html = await make()
                view.took = time.monotonic() - begins
                view.seen, view.made = version, time.monotonic()
                view.mark = html_fingerprint(html)
                lines = "".join(f"data: {line}\n" for line in html.splitlines())
                view.event = f"event: main\nid: {view.mark}\n{lines}\n".encode()
        return view

    async def _change(self, version: object, every: float) -> None:
        """Until something was committed since, or long enough."""
        try:
            async with asyncio.timeout(every), self._news:
                await self._news.wait_for(lambda: self._version is not version)
        except TimeoutError:
            pass

    async def _watch(self) -> None:
        """Glance at the database while anybody looks on."""
        version = DatabaseVersion(self._installation.database)
        try:
            known = await asyncio.to_thread(version.read)
            while self._streams:
                await asyncio.sleep(GLANCE_SECONDS)
                try:
                    found = await asyncio.to_thread(version.read)
                except Exception as error:  # noqa: BLE001 - being restarted; the next glance finds it
                    log.warning("live pages cannot see the database: %s", type(error).__name__)
                    await asyncio.sleep(1)
                    continue
                if found != known:
                    known = found
                    async with self._news:
                        self._version = object()
                        self._news.notify_all()
        finally:
            version.close()


def html_fingerprint(html: str) -> str:
    """Fingerprint that tells one state of a page from another."""
    return hashlib.blake2b(html.encode(), digest_size=12).hexdigest()
