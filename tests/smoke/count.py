"""Independent audit: counts messages that arrived against those owed, and facts against their deadlines.

It reads the database and the receiver's record by itself, with no code of ours: a mistake in the code that
wrote them is not repeated here.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

MARKS = ("[possible duplicate]", "[可能重复]")
DELIVERED = frozenset({"sent"})
ALARMS = ("share-alarm/", "audit/")  # the engine's own words to the last resort: about itself, of no incident
WITHDRAWN = frozenset({"cancelled", "coalesced"})
CALLS = frozenset({"step-opened", "step-escalated", "step-reminded", "publication-alarmed", "step-reassigned"})
OVER = frozenset({"done", "skipped", "abandoned", "superseded"})
_MICRO = 1_000_000
TAKEN_SECONDS = 1.0  # a turn is taken within so much: what was due less before a blow was struck by it too


@dataclass(frozen=True, slots=True)
class Late:
    """A moment that was due, and when it came (seconds since the epoch)."""

    what: str
    due: float
    at: float

    @property
    def seconds(self) -> float:
        """How late."""
        return self.at - self.due


@dataclass
class Count:
    """What was found. `complaints` is empty where every promise was kept."""

    owed: int = 0
    arrived: int = 0
    repeats: int = 0
    doubts: int = 0
    publications: int = 0
    states: Counter[str] = field(default_factory=Counter)
    facts: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    on_the_way: list[float] = field(default_factory=list)  # seconds from row to arrival

    def __str__(self) -> str:
        late = percentile([one.seconds for one in self.late], 0.99)
        way = percentile(self.on_the_way, 0.99)
        return (
            f"{self.owed} notices owed, {self.arrived} messages arrived, {self.repeats} repeats, "
            f"{self.publications} publications, {self.doubts} in doubt; facts late p99 {late:.2f} s "
            f"(most {max((o.seconds for o in self.late), default=0):.2f} s, of {len(self.late)}), "
            f"row to arrival p99 {way:.2f} s; {dict(self.states)}"
        )


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which that share lies; 0.0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Books:
    """The tables, read as they are in the file."""

    def __init__(self, database: Path | str) -> None:
        """`database`: SQLite's file, or the URL of PostgreSQL, whose times are then brought to SQLite's form."""
        self._file: Any
        if isinstance(database, Path):
            self._file = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)
            self._file.row_factory = sqlite3.Row
        else:
            self._file = psycopg.connect(database, row_factory=dict_row)
            self._file.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.outbox = self._all("SELECT * FROM outbox ORDER BY id")
        self.steps = self._all("SELECT * FROM step ORDER BY response_id, position")
        self.facts = self._all("SELECT * FROM fact ORDER BY incident_id, seq")
        self.responses = self._all("SELECT * FROM response")
        self.turns = self._all("SELECT * FROM turn ORDER BY id")
        self.refs = {row["id"]: row["ref"] for row in self._all("SELECT id, ref FROM incident")}
        self._file.close()

    def _all(self, query: str) -> list[dict[str, Any]]:
        return [{name: _as_sqlite(value) for name, value in dict(row).items()} for row in self._file.execute(query)]


def _as_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp() * _MICRO)
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def count(database: Path | str, received: list[dict[str, Any]], *, until: float, limit: float) -> Count:
    """Everything owed before `until` (seconds since the epoch) against everything that arrived.

    A step that was done less than `limit` seconds after its deadline need not have been called late.
    """
    books, found = Books(database), Count()
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in received:
        by_key[str(one["json"]["key"])].append(one)
    rows = [row for row in books.outbox if row["created_at"] / _MICRO <= until]
    found.states = Counter(row["state"] for row in rows)
    found.facts = Counter(fact["kind"] for fact in books.facts)
    found.arrived = len(received)
    known = {row["key"] for row in books.outbox}
    strangers = (key for key in by_key if key not in known and not key.startswith(ALARMS))
    found.complaints += [f"arrived, but nobody owed it: {key}" for key in strangers]
    _count_notices(books, [row for row in rows if row["kind"] == "notice"], by_key, found)
    _count_publications(books, [row for row in rows if row["kind"] == "publication"], by_key, found)
    _count_repeats(by_key, books, found)
    found.late = list(_lateness(books))
    found.complaints += _forgotten(books, until, limit)
    return found


def _base(key: str) -> str:
    """What a notice is for, whichever channel it takes."""
    return key.rsplit("/", 2)[0]


def _count_notices(
    books: Books, rows: list[dict[str, Any]], by_key: Mapping[str, list[dict[str, Any]]], found: Count
) -> None:
    reached = {_base(key) for key, ones in by_key.items() if ones}
    ends = _what_ended(books)
    for row in rows:
        ref = f"{row['key']} ({row['state']}, {row['attempts']} attempts, {row['detail']})"
        arrivals = by_key.get(row["key"], [])
        if arrivals:
            found.on_the_way.append(arrivals[0]["at"] - row["created_at"] / _MICRO)
        if row["state"] in WITHDRAWN:
            if row["state"] == "cancelled" and row["step"] and (row["response_id"], row["step"]) not in ends:
                found.complaints.append(f"withdrawn though nobody acknowledged or ended its step: {ref}")
            continue
        found.owed += 1
        if row["state"] in DELIVERED and not arrivals:
            found.complaints.append(f"recorded as sent, never arrived: {ref}")
        elif _base(row["key"]) not in reached:
            found.complaints.append(f"lost: {ref}")
        elif row["state"] in ("pending", "retry", "leased"):
            found.complaints.append(f"never settled: {ref}")


def _what_ended(books: Books) -> set[tuple[str, str]]:
    kinds = {
        "step-acknowledged", "step-done", "step-skipped", "step-abandoned", "step-superseded", "text-drafted",
        "text-approved", "text-rejected", "approval-voided",
    }  # fmt: skip
    return {(fact["response_id"], fact["step"]) for fact in books.facts if fact["kind"] in kinds}


def _count_publications(
    books: Books, rows: list[dict[str, Any]], by_key: Mapping[str, list[dict[str, Any]]], found: Count
) -> None:
    """Seen exactly once on each official channel; or in doubt, with the commander paged."""
    doubted = _doubted(books)
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    states: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        place = (row["response_id"], row["step"], row["person"])
        states[place].append(row)
        seen[place] += len(by_key.get(row["key"], []))
        if row["state"] in ("pending", "retry", "leased"):
            found.complaints.append(f"publication never settled: {row['key']} ({row['state']})")
    for (response, step, channel), attempts in states.items():
        found.publications += 1
        times, last = seen[response, step, channel], attempts[-1]
        uncertain = [row for row in attempts if row["state"] == "unknown"]
        found.doubts += len(uncertain)
        if times > 1:
            found.complaints.append(f"published {times} times: {last['key']}")
        if times == 0 and last["state"] != "unknown":
            found.complaints.append(f"never published: {last['key']} ({last['state']}, {last['detail']})")
        if uncertain and (response, step) not in doubted:
            found.complaints.append(f"in doubt, and the commander was not paged: {last['key']}")


def _doubted(books: Books) -> set[tuple[str, str]]:
    return {(row["response_id"], row["step"]) for row in books.outbox if row["purpose"] == "publication-in-doubt"}


def _count_repeats(by_key: Mapping[str, list[dict[str, Any]]], books: Books, found: Count) -> None:
    """The same notice more than once, on whichever channel: everything after the first must be marked."""
    kinds = {row["key"]: row["kind"] for row in books.outbox}
    arrivals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key, ones in by_key.items():
        if kinds.get(key) == "notice":
            arrivals[_base(key)] += ones
    for base, ones in arrivals.items():
        for one in sorted(ones, key=lambda one: one["number"])[1:]:
            found.repeats += 1
            text = f"{one['json'].get('title', '')} {one['json'].get('message', '')}"
            if not any(mark in text for mark in MARKS):
                found.complaints.append(f"a repeat without its mark: {base}: {text[:80]!r}")


# --- when -----------------------------------------------------------------------------------------


def _lateness(books: Books) -> Iterator[Late]:
    """Each fact that something had fallen due, against its moment as laid out."""
    steps = {(row["response_id"], row["id"]): row for row in books.steps}
    called: dict[tuple[str, str], int] = {}
    for fact in books.facts:
        place, at, kind = (fact["response_id"], fact["step"]), fact["at"], fact["kind"]
        step, data = steps.get(place), json.loads(fact["data"])
        due: int | None = None
        if step is not None:
            if kind == "deadline-missed":
                due = step["due_at"]
            elif kind == "step-opened" and "needs" not in data and step["step"] not in ("approve", "publish"):
                due = max(step["opens_at"], step["laid_at"])
            elif kind == "step-escalated":
                due = called.get(place, at) + (step["ack_within"] or 0)
            elif kind == "step-reminded":
                due = called.get(place, at) + (step["remind"] or 0)
            if kind in CALLS or kind == "step-acknowledged" or (kind == "deadline-missed" and data.get("told")):
                called[place] = at
        if due is not None:
            yield Late(f"{books.refs[fact['incident_id']]} {fact['step']} {kind}", due / _MICRO, at / _MICRO)


def _forgotten(books: Books, until: float, limit: float) -> Iterator[str]:
    """What should have happened by `until`, and left no fact."""
    for row in books.responses:
        if row["wake_at"] is not None and row["wake_at"] / _MICRO < until:
            yield f"a turn was due {until - row['wake_at'] / _MICRO:.1f} s ago and not taken: {row['id']}"
    for row in books.steps:
        ended = row["done_at"] if row["status"] in OVER else None
        late_by = ((ended / _MICRO if ended else until) - row["due_at"] / _MICRO) if row["due_at"] else 0
        if row["missed_at"] is None and late_by > limit and row["status"] != "superseded":
            yield f"a deadline passed {late_by:.1f} s ago unseen: {row['response_id']} {row['id']} {row['status']}"


def beyond(found: Count, limit: float, outages: Iterable[tuple[float, float]]) -> list[Late]:
    """What came later than `limit` seconds after it was due, or after the engine was back if it was away then."""
    spans = list(outages)

    def excused_until(due: float) -> float:
        return max([due, *(back for begun, back in spans if begun - TAKEN_SECONDS <= due <= back + limit)])

    return [one for one in found.late if one.at > excused_until(one.due) + limit or one.seconds < 0]
