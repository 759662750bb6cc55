"""Inbox store: the sandbox's messages in a small SQLite file that never blocks the main database."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

MOST_KEPT = 20_000
_THIN_EVERY = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, received_at TEXT NOT NULL,
    title TEXT NOT NULL, body TEXT NOT NULL, document TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS letter_name ON letter (name, id);
"""


class InboxStore:
    """Store of the newest 20,000 sandbox messages. Thread-safe.

    A message counts as received when `put` returns. Messages of a sandbox may be lost with the machine
    (`synchronous=OFF`), not with the process.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=5)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=OFF")
        self._file.executescript(_SCHEMA)
        self._put = 0

    def put(self, name: str, received_at: str, document: dict[str, Any]) -> int:
        """Keep a message; returns its number."""
        title, body = _whole(document.get("title")), _whole(document.get("message") or document.get("body"))
        values = (name, received_at, title, body, _whole(json.dumps(document, ensure_ascii=False)))
        with self._lock:
            found = self._file.execute(
                "INSERT INTO letter (name, received_at, title, body, document) VALUES (?, ?, ?, ?, ?)", values
            )
            number = int(found.lastrowid or 0)
            self._put += 1
            if self._put % _THIN_EVERY == 0:
                self._file.execute("DELETE FROM letter WHERE id <= ?", (number - MOST_KEPT,))
        return number

    def read(self, *, name: str = "", since: int = 0, limit: int = 1_000, newest: bool = False) -> list[dict[str, Any]]:
        """Messages after number `since`, of one box or of all, the oldest (or newest) first."""
        order = "DESC" if newest else "ASC"
        query = f"SELECT id, name, received_at, title, body, document FROM letter WHERE id > ? AND (? = '' OR name = ?) ORDER BY id {order} LIMIT ?"  # noqa: E501, S608 - `order` is one of two words
        with self._lock:
            rows = self._file.execute(query, (since, name, name, limit)).fetchall()
        names = ("id", "name", "received_at", "title", "body")
        return [{**dict(zip(names, row, strict=False)), "document": json.loads(row[5])} for row in rows]

    def boxes(self) -> list[dict[str, Any]]:
        """Every box with its message count and the time of its last message."""
        query = "SELECT name, count(*), max(received_at) FROM letter GROUP BY name ORDER BY name"
        with self._lock:
            rows = self._file.execute(query).fetchall()
        return [{"name": name, "letters": count, "last": last} for name, count, last in rows]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def _whole(value: object) -> str:
    """A text that a database keeps: JSON can spell half a character."""
    return str(value or "").encode("utf-8", "replace").decode()
