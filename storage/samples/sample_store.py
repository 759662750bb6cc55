"""Sample store: service samples as they arrived, and the cursor by which readers follow them.

A sample is a value of a metric at a moment, standing for `events` events, with labels. A metric with one
set of labels on one feed is a series. On SQLite the samples have a file of their own, so that samples
pouring in hold no lock that a deadline needs; on PostgreSQL they live in the main database.
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

from domain.durations import elapsed, later
from storage.conflict_insert import insert_into
from storage.database import Database, StorageError
from storage.samples.sample_tables import COUNTER, REPLAY, SERIES
from storage.schema import DatabaseSchema, read_revision, upgrade_schema
from storage.settings import Settings

SAMPLES_SCHEMA: Final = DatabaseSchema("figures_migrations", "0001", "figures_version")
LIVE_FEED: Final = ""  # the lane of live figures
MOST_SERIES: Final = 100_000  # of one lane: labels that hold an order number would otherwise fill the disk
STALE_AFTER: Final = timedelta(minutes=15)  # older samples are history: they change no window any more

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = DateTime(1970, 1, 1, tzinfo=pendulum.UTC)
_ROWS = 500  # of one statement: each is one step of SQLite, during which the other threads run
_COLUMNS = "series_id, at, value, events, stale"
_TAKEN_LOCK = 0x70C52  # PostgreSQL: arrival in the order of `seq`

SeriesName = tuple[str, str]  # metric, canonical labels


def to_micros(moment: DateTime) -> int:
    """Return microseconds since 1970."""
    return elapsed(_EPOCH, moment) // _MICROSECOND


def from_micros(at: int) -> DateTime:
    """Return the time, in UTC, of so many microseconds since 1970."""
    return later(_EPOCH, timedelta(microseconds=at))


def canonical_labels(labels: Mapping[str, str]) -> str:
    """Return the one text of a set of labels."""
    return json.dumps(dict(sorted(labels.items())), ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class SampleSeries:
    """A metric with one set of labels on one feed."""

    id: int
    lane: str
    metric: str
    labels: Mapping[str, str]


@dataclass(slots=True)
class SampleBatch:
    """Checked samples, column by column, all of one feed. `at` is in microseconds since 1970."""

    lane: str = LIVE_FEED
    names: list[SeriesName] = field(default_factory=list)
    at: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)

    def add(self, name: SeriesName, at: int, value: float, events: float) -> None:
        """Add one sample."""
        self.names.append(name)
        self.at.append(at)
        self.value.append(value)
        self.events.append(events)

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of one batch. `crowded`: places of samples refused because the feed has too many series."""

    taken: int
    duplicates: int
    late: int  # of both: too old for any window, kept for history
    crowded: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """Samples column by column, ready for `numpy.frombuffer`: q, q, d, d, b. `at`: microseconds since 1970."""

    series: array[int]
    at: array[int]
    value: array[float]
    events: array[float]
    stale: array[int]

    @classmethod
    def of(cls, rows: Sequence[Sequence[Any]]) -> SampleColumns:
        """Make columns from rows of series, at, value, events, stale."""
        if not rows:
            return cls(array("q"), array("q"), array("d"), array("d"), array("b"))
        series, at, value, events, stale = zip(*rows, strict=True)
        return cls(array("q", series), array("q", at), array("d", value), array("d", events), array("b", stale))

    def __len__(self) -> int:
        return len(self.at)


class SampleStore:
    """The sample store. Threads may share one; several processes may have it open."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ids: dict[str, dict[SeriesName, int]] = {}  # by lane
        self._epoch = -1
        self._line = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    # --- in

    def take(self, batches: Sequence[SampleBatch], now: DateTime) -> list[BatchResult]:
        """Commit all of these batches in one transaction; return each one's result, in their order.

        A sample that is there already (same series, time, value and events) counts once.

        Raises:
            StorageError: the database cannot be written; nothing was taken.
        """
        try:
            with self._line, self.database.write() as connection:
                lock_store(connection)
                self._refresh(connection)
                return [self._take(connection, batch, now) for batch in batches]
        except BaseException:
            self._epoch = -1  # series made in what was rolled back are not there
            raise

    def _refresh(self, connection: Connection) -> None:
        """Drop cached numbers of series once another process has deleted any."""
        epoch = get_counter(connection, "epoch")
        if epoch != self._epoch:
            self._ids.clear()
            self._epoch = epoch

    def _take(self, connection: Connection, batch: SampleBatch, now: DateTime) -> BatchResult:
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
        return BatchResult(inserted, len(rows) - inserted, late, crowded)

    def _horizon(self, connection: Connection, feed: str, now: DateTime) -> int:
        """The time before which samples are history. A replay has its own present: its position."""
        if feed == LIVE_FEED:
            return to_micros(now - STALE_AFTER)
        found = connection.execute(select(REPLAY.c.position_at).where(REPLAY.c.lane == feed)).scalar()
        return 0 if found is None else int(found) - STALE_AFTER // _MICROSECOND

    def _numbers(self, connection: Connection, batch: SampleBatch) -> list[int | None]:
        known = self._ids.get(batch.lane) or self._known(connection, batch.lane)
        ids = list(map(known.get, batch.names))
        if None in ids:
            for name in dict.fromkeys(batch.names):
                if name not in known and len(known) < MOST_SERIES:
                    known[name] = self._make(connection, batch.lane, name)
            ids = list(map(known.get, batch.names))
        return ids

    def _known(self, connection: Connection, feed: str) -> dict[SeriesName, int]:
        rows = connection.execute(select(SERIES.c.id, SERIES.c.metric, SERIES.c.labels).where(SERIES.c.lane == feed))
        self._ids[feed] = {(row.metric, row.labels): row.id for row in rows}
        return self._ids[feed]

    def _make(self, connection: Connection, feed: str, name: SeriesName) -> int:
        new = insert_into(connection, SERIES).values(lane=feed, metric=name[0], labels=name[1])
        # Another process may have made it a moment ago: then this changes nothing and gives its number.
        same = new.on_conflict_do_update(
            index_elements=["lane", "metric", "labels"], set_={"metric": new.excluded.metric}
        )
        return int(connection.execute(same.returning(SERIES.c.id)).scalar_one())

    # --- out

    def after(self, cursor: int, limit: int = 50_000) -> tuple[SampleColumns, int]:
        """Read samples of every feed that arrived after `cursor`, in order of arrival, at most `limit`.

        And the new cursor.
        """
        query = text(f"SELECT seq, {_COLUMNS} FROM sample WHERE seq > :cursor ORDER BY seq LIMIT :limit")  # noqa: S608
        with self.database.read() as connection:
            rows = _fetch(connection, query, cursor=cursor, limit=limit)
        return SampleColumns.of([row[1:] for row in rows]), rows[-1][0] if rows else cursor

    def head(self) -> int:
        """Return the cursor of the last sample; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(text("SELECT max(seq) FROM sample")).scalar() or 0)

    def series(self, after: int = 0) -> list[SampleSeries]:
        """List series with a greater number than `after`, in order; ask with the last one known for the new ones."""
        query = select(SERIES).where(SERIES.c.id > after).order_by(SERIES.c.id)
        with self.database.read() as connection:
            return [
                SampleSeries(row.id, row.lane, row.metric, json.loads(row.labels)) for row in connection.execute(query)
            ]

    def between(
        self, feed: str, metric: str | None, start: DateTime, end: DateTime, *, until: int | None = None
    ) -> SampleColumns:
        """Read raw samples with start <= at < end, by series and time. `metric` None: of all metrics.

        `until`: only what had arrived up to that cursor, so that `after(until)` goes on without gap or repeat.
        """
        query = text(
            f"SELECT {_COLUMNS} FROM sample WHERE series_id IN "  # noqa: S608 - names of our own
            "(SELECT id FROM series WHERE lane = :lane AND (:all = 1 OR metric = :metric)) "
            "AND at >= :start AND at < :end AND seq <= :until ORDER BY series_id, at, seq"
        )
        with self.database.read() as connection:
            rows = _fetch(
                connection, query, lane=feed, metric=metric or "", all=int(metric is None), start=to_micros(start),
                end=to_micros(end), until=2**62 if until is None else until,
            )  # fmt: skip
        return SampleColumns.of(rows)


def open_sample_store(settings: Settings) -> SampleStore:
    """Open the sample store of an installation, brought to this program's schema.

    Raises:
        StorageError: not readable, not writable, or newer than this program.
    """
    url = f"sqlite+pysqlite:///{settings.home / 'figures.db'}" if settings.is_sqlite else settings.database
    database = Database(url, pool_size=4)
    try:
        if read_revision(database, SAMPLES_SCHEMA) != SAMPLES_SCHEMA.head:
            upgrade_schema(database, SAMPLES_SCHEMA)
    except StorageError:
        database.close()
        raise
    return SampleStore(database)


def lock_store(connection: Connection) -> None:
    """Lock the store to the end of the transaction: nobody else adds samples or deletes series.

    SQLite has one writer.

    On PostgreSQL the number of a sample is given before its commit: a reader must not pass one that is still to
    come.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _TAKEN_LOCK})


def get_counter(connection: Connection, name: str) -> int:
    """Return a counter of the store; 0 where it was never set."""
    return int(connection.execute(select(COUNTER.c.value).where(COUNTER.c.name == name)).scalar() or 0)


def set_counter(connection: Connection, name: str, value: int) -> None:
    """Set a counter of the store."""
    statement = insert_into(connection, COUNTER).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def _fetch(connection: Connection, query: Any, **values: Any) -> list[Any]:
    """Fetch plain rows, without an object for each."""
    cursor: Any = connection.execute(query, values).cursor
    found: list[Any] = cursor.fetchall()
    return found


def _insert(connection: Connection, rows: Sequence[tuple[int, int, float, float, int]]) -> int:
    """Insert the new rows; return how many were new."""
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
