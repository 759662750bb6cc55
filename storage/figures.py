"""Service figures: samples as they arrived, and their history by the minute.

A sample is a value of a metric at a moment, standing for `events` events, with labels. A metric with one set of labels
on one lane is a series. On SQLite the figures have a file of their own, so that figures pouring in hold no lock that a
deadline needs; on PostgreSQL they live in the main database.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pendulum
from pendulum import DateTime
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql, sqlite

from domain.durations import elapsed, later
from storage.database import Database, StorageError
from storage.figures_tables import COUNTER, REPLAY, SERIES
from storage.schema import Schema, revision, upgrade
from storage.settings import Settings

SCHEMA: Final = Schema("figures_migrations", "0001", "figures_version")
LIVE: Final = ""  # the lane of live figures
MOST_SERIES: Final = 100_000  # of one lane: labels that hold an order number would otherwise fill the disk
STALE_AFTER: Final = timedelta(minutes=15)  # older samples are history: they change no window any more

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = DateTime(1970, 1, 1, tzinfo=pendulum.UTC)
_ROWS = 500  # of one statement: each is one step of SQLite, during which the other threads run
_COLUMNS = "series_id, at, value, events, stale"
_TAKEN_LOCK = 0x70C52  # PostgreSQL: arrival in the order of `seq`

SeriesName = tuple[str, str]  # metric, canonical labels


def micros(moment: DateTime) -> int:
    """Microseconds since 1970."""
    return elapsed(_EPOCH, moment) // _MICROSECOND


def moment(at: int) -> DateTime:
    """The point in time, in UTC, of so many microseconds since 1970."""
    return later(_EPOCH, timedelta(microseconds=at))


def canonical(labels: Mapping[str, str]) -> str:
    """The one text of a set of labels."""
    return json.dumps(dict(sorted(labels.items())), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Series:
    """A metric with one set of labels on one lane."""

    id: int
    lane: str
    metric: str
    labels: Mapping[str, str]


@dataclass(slots=True)
class Batch:
    """Samples that were checked: column by column, all of one lane. `at` is in microseconds since 1970."""

    lane: str = LIVE
    names: list[SeriesName] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)

    def add(self, name: SeriesName, at: int, value: float, events: float) -> None:
        """One more sample."""
        self.names.append(name)
        self.at.append(at)
        self.value.append(value)
        self.events.append(events)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch. `crowded`: places of samples refused because the lane has too many series."""

    taken: int
    duplicates: int
    late: int  # of both: too old for any window, kept for history
    crowded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples column by column, ready for `numpy.frombuffer`: q, q, d, d, b. `at`: microseconds since 1970."""

    series: array[int]
    at: array[int]
    value: array[float]
    events: array[float]
    stale: array[int]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> Columns:
        """From rows of series, at, value, events, stale."""
        if not rows:
            return cls(array("q"), array("q"), array("d"), array("d"), array("b"))
        series, at, value, events, stale = zip(*rows, strict=True)
        return cls(array("q", series), array("q", at), array("d", value), array("d", events), array("b", stale))

    def __len__(self) -> int:
        return len(self.at)


class Figures:
    """The store. Threads may share one; several processes may have it open."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ids: dict[str, dict[SeriesName, int]] = {}  # by lane
        self._epoch = -1
        self._line = threading.Lock()

    def close(self) -> None:
        """Give back the connections."""
        self.database.close()

    # --- in

    def take(self, batches: Sequence[Batch], now: DateTime) -> list[Taken]:
        """Commit all of these batches in one transaction; what became of each, in their order.

        A sample that is there already (same series, time, value and events) counts once.

        Raises:
            StorageError: the database cannot be written; nothing was taken.
        """
        try:
            with self._line, self.database.write() as connection:
                alone(connection)
                self._refresh(connection)
                return [self._take(connection, batch, now) for batch in batches]
        except BaseException:
            self._epoch = -1  # series made in what was rolled back are not there
            raise

    def _refresh(self, connection: Connection) -> None:
        """Forget cached numbers of series once another process has forgotten any."""
        epoch = counter(connection, "epoch")
        if epoch != self._epoch:
            self._ids.clear()
            self._epoch = epoch

    def _take(self, connection: Connection, batch: Batch, now: DateTime) -> Taken:
        ids = self._numbers(connection, batch)
        horizon = self._horizon(connection, batch.lane, now)
        rows = [
            (number, at, value, events, 1 if at < horizon else 0)
            for number, at, value, events in zip(ids, batch.at, batch.value, batch.events, strict=True)
            if number is not None
        ]
        crowded = tuple(place for place, number in enumerate(ids) if number is None) if len(rows) < len(ids) else ()
        inserted = _insert(connection, rows)
        late = sum(row[4] for row in rows)
        return Taken(inserted, len(rows) - inserted, late, crowded)

    def _horizon(self, connection: Connection, lane: str, now: DateTime) -> int:
        """Samples before it are history. A replay has its own present: its position."""
        if lane == LIVE:
            return micros(now - STALE_AFTER)
        found = connection.execute(select(REPLAY.c.position_at).where(REPLAY.c.lane == lane)).scalar()
        return 0 if found is None else int(found) - STALE_AFTER // _MICROSECOND

    def _numbers(self, connection: Connection, batch: Batch) -> list[int | None]:
        known = self._ids.get(batch.lane) or self._known(connection, batch.lane)
        ids = list(map(known.get, batch.names))
        if None in ids:
            for name in dict.fromkeys(batch.names):
                if name not in known and len(known) < MOST_SERIES:
                    known[name] = self._make(connection, batch.lane, name)
            ids = list(map(known.get, batch.names))
        return ids

    def _known(self, connection: Connection, lane: str) -> dict[SeriesName, int]:
        rows = connection.execute(select(SERIES.c.id, SERIES.c.metric, SERIES.c.labels).where(SERIES.c.lane == lane))
        self._ids[lane] = {(row.metric, row.labels): row.id for row in rows}
        return self._ids[lane]

    def _make(self, connection: Connection, lane: str, name: SeriesName) -> int:
        dialect: Any = sqlite if self.database.is_sqlite else postgresql
        new = dialect.insert(SERIES).values(lane=lane, metric=name[0], labels=name[1])
        # Another process may have made it a moment ago: then this changes nothing and gives its number.
        same = new.on_conflict_do_update(
            index_elements=["lane", "metric", "labels"], set_={"metric": new.excluded.metric}
        )
        return int(connection.execute(same.returning(SERIES.c.id)).scalar_one())

    # --- out

    def after(self, cursor: int, limit: int = 50_000) -> tuple[Columns, int]:
        """Samples of every lane that arrived after `cursor`, in order of arrival, at most `limit`; the new cursor."""
        query = text(f"SELECT seq, {_COLUMNS} FROM sample WHERE seq > :cursor ORDER BY seq LIMIT :limit")  # noqa: S608
        with self.database.read() as connection:
            rows = _fetch(connection, query, cursor=cursor, limit=limit)
        return Columns.of([row[1:] for row in rows]), rows[-1][0] if rows else cursor

    def head(self) -> int:
        """The cursor of what arrived last; 0 where nothing did."""
        with self.database.read() as connection:
            return int(connection.execute(text("SELECT max(seq) FROM sample")).scalar() or 0)

    def series(self, after: int = 0) -> list[Series]:
        """Series with a greater number than `after`, in order; ask with the last one known for the new ones."""
        query = select(SERIES).where(SERIES.c.id > after).order_by(SERIES.c.id)
        with self.database.read() as connection:
            return [Series(row.id, row.lane, row.metric, json.loads(row.labels)) for row in connection.execute(query)]

    def between(
        self, lane: str, metric: str | None, start: DateTime, end: DateTime, *, until: int | None = None
    ) -> Columns:
        """Raw samples with start <= at < end, by series and time. `metric` None: of all metrics.

        `until`: only what had arrived up to that cursor, so that `after(until)` goes on without gap or repeat.
        """
        query = text(
            f"SELECT {_COLUMNS} FROM sample WHERE series_id IN "  # noqa: S608 - names of our own
            "(SELECT id FROM series WHERE lane = :lane AND (:all = 1 OR metric = :metric)) "
            "AND at >= :start AND at < :end AND seq <= :until ORDER BY series_id, at, seq"
        )
        with self.database.read() as connection:
            rows = _fetch(
                connection, query, lane=lane, metric=metric or "", all=int(metric is None), start=micros(start),
                end=micros(end), until=2**62 if until is None else until,
            )  # fmt: skip
        return Columns.of(rows)


def open_figures(settings: Settings) -> Figures:
    """The figures of an installation, brought to this program's schema.

    Raises:
        StorageError: not readable, not writable, or newer than this program.
    """
    url = f"sqlite+pysqlite:///{settings.home / 'figures.db'}" if settings.is_sqlite else settings.database
    database = Database(url, pool_size=4)
    try:
        if revision(database, SCHEMA) != SCHEMA.head:
            upgrade(database, SCHEMA)
    except StorageError:
        database.close()
        raise
    return Figures(database)


def alone(connection: Connection) -> None:
    """To the end of the transaction nobody else takes samples or forgets series. SQLite has its one writer.

    On PostgreSQL the number of a sample is given before its commit: a reader must not pass one that is still to come.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAKEN_LOCK})


def counter(connection: Connection, name: str) -> int:
    """A counter of the store; 0 where it was never set."""
    return int(connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == name)).scalar() or 0)


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Set a counter of the store."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(COUNTER).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _fetch(connection: Connection, query: Any, **values: Any) -> list[Any]:
    """Plain rows, without an object for each."""
    cursor: Any = connection.execute(query, values).cursor
    found: list[Any] = cursor.fetchall()
    return found


def _insert(connection: Connection, rows: Sequence[tuple[int, int, float, float, int]]) -> int:
    """Insert what is not there yet; how many that were."""
    if connection.dialect.name == "postgresql":
        return _insert_arrays(connection, rows) if rows else 0
    return sum(_insert_values(connection, rows[start : start + _ROWS]) for start in range(0, len(rows), _ROWS))


def _insert_values(connection: Connection, rows: Sequence[tuple[int, int, float, float, int]]) -> int:
    # One statement of many rows is a third quicker than `executemany`, and lets other threads run meanwhile.
    places = ",".join(["(?,?,?,?,?)"] * len(rows))
    statement = f"INSERT OR IGNORE INTO sample ({_COLUMNS}) VALUES {places}"  # noqa: S608 - names of our own
    values = tuple(part for row in rows for part in row)
    return connection.exec_driver_sql(statement, values).rowcount


def _insert_arrays(connection: Connection, rows: Iterable[tuple[int, int, float, float, int]]) -> int:
    statement = (
        f"INSERT INTO sample ({_COLUMNS}) SELECT * FROM unnest("  # noqa: S608 - names of our own
        "%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::smallint[]) ON CONFLICT DO NOTHING"
    )
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return connection.exec_driver_sql(statement, columns).rowcount
