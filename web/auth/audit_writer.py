"""Audit log writer: a thread of its own writes what was asked, so that no command waits for it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

from pendulum import DateTime
from starlette.requests import Request

from engine.process.clock import now
from storage import audit
from storage.accounts import sessions_and_tokens
from storage.audit import AuditEntry
from storage.database import Database, StorageError
from web.auth.authentication import Principal, client_address

log = logging.getLogger("tocsin.web")
_TOGETHER = 0.2  # seconds for which entries are gathered into one transaction
_SAME = 60.0  # seconds in which the same refusal again is counted, not written
_MOST_WAITING = 10_000
_MOST_REFUSALS = 500  # different ones that are held apart; beyond that somebody only tries addresses


class AuditWriter:
    """Writer of changes and refusals to the audit log. Thread-safe; `close` writes what waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ended = False
        self._waiting: list[AuditEntry] = []
        self._again: dict[tuple[str, ...], tuple[float, AuditEntry]] = {}
        self._alive: dict[tuple[str, str], DateTime] = {}
        self._thread: threading.Thread | None = None

    def record_change(self, request: Request, principal: Principal, by: str, detail: str = "") -> None:
        """Record a change that was carried out."""
        entry = _entry(request, principal, detail)
        if by and by != entry.who:
            entry.detail = f"as {by}" + (f": {entry.detail}" if entry.detail else "")
        self.add(entry)

    def record_refusal(self, request: Request, principal: Principal, why: str, deed: str = "") -> None:
        """Record a refusal. Repeats of the same within a minute are counted.

        `deed`: what they tried, where the request's address holds a secret.
        """
        entry = _entry(request, principal, why, deed)
        entry.outcome = "refused"
        key = (entry.deed, entry.who, entry.address, entry.detail)
        with self._lock:
            if key not in self._again and len(self._again) >= _MOST_REFUSALS:
                key, entry = ("", "", "", ""), replace(entry, deed="many addresses", detail="too many to keep apart")
            began, held = self._again.get(key, (0.0, None))
            if held is not None and time.monotonic() - began < _SAME:
                held.times += 1
                return
            self._again[key] = (time.monotonic(), replace(entry, times=0))
        self.add(entry)

    def record_activity(self, principal: Principal) -> None:
        """Record a sign of life of a session or a token; written every few minutes at most."""
        kind, name = ("session", principal.session) if principal.session else ("token", principal.token)
        if not name:
            return
        at = now()
        if principal.seen_at is not None and at - principal.seen_at < sessions_and_tokens.SEEN_EVERY:
            return
        with self._lock:
            self._alive[kind, name] = at
        self._begin()

    def add(self, entry: AuditEntry) -> None:
        """Queue an entry."""
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                log.error("the audit log cannot be written: %s by %r is lost", entry.deed, entry.who)
                return
            self._waiting.append(entry)
        self._begin()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5)
        self._write(everything=True)

    def flush(self) -> None:
        """Write what waits now."""
        self._write()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(_SAME)
            time.sleep(_TOGETHER)
            self._wake.clear()
            self._write()

    def _write(self, *, everything: bool = False) -> None:
        with self._lock:
            entries, self._waiting = self._waiting, []
            alive, self._alive = self._alive, {}
            for key, (began, held) in list(self._again.items()):
                if everything or time.monotonic() - began >= _SAME:
                    del self._again[key]
                    if held.times:
                        entries.append(held)
        if not entries and not alive:
            return
        try:
            with self._database.write() as connection:
                audit.add_entries(connection, *entries)
                for (kind, name), at in alive.items():
                    (sessions_and_tokens.touch_session if kind == "session" else sessions_and_tokens.touch_token)(
                        connection, name, at
                    )
        except StorageError as error:
            log.warning("the audit log waits: %s", error)
            with self._lock:
                self._waiting = [*entries, *self._waiting][:_MOST_WAITING]


def _entry(request: Request, principal: Principal, detail: str, deed: str = "") -> AuditEntry:
    deed = deed or f"{request.method} {request.url.path}"  # the path names what it was done to
    role = principal.role.word if principal.role else ""
    return AuditEntry(
        deed,
        who=principal.name,
        role=role,
        way=principal.auth_method,
        address=client_address(request),
        detail=detail,
        at=now(),
    )
