"""Rollups by the minute: raw samples rolled up, old ones deleted, windows of the past read back.

A rollup is made from what arrived since the last one, in one transaction with the counter that says how
far, so that no sample is counted twice and a late one still finds its minute. What is not rolled up yet is
added when reading: history is exact at any moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from pendulum import DateTime
from sqlalchemy import Connection, bindparam, delete, func, select, text

from storage.samples.sample_store import LIVE_FEED, SampleStore, get_counter, lock_store, set_counter, to_micros
from storage.samples.sample_tables import ARRIVAL, CONVERSATION, REPLAY, ROLLUP, SAMPLE, SERIES

RAW_RETENTION: Final = timedelta(hours=26)  # after their arrival
ROLLUP_RETENTION: Final = timedelta(days=63)  # eight weeks before the present one, and a reserve
MINUTE: Final = 60_000_000  # microseconds
_CHUNK = 20_000  # samples of one transaction: 30 to 110 ms, by how many series they are of
_SERIES_CHUNK = 500

_ROLL = text(
    """
    INSERT INTO rollup (series_id, minute, samples, events, total, weighted, least, most)
    SELECT series_id, at / 60000000, count(*), sum(events), sum(value), sum(value * events), min(value), max(value)
    FROM sample WHERE seq > :low AND seq <= :high GROUP BY series_id, at / 60000000
    ON CONFLICT (series_id, minute) DO UPDATE SET
        samples = rollup.samples + excluded.samples,
        events = rollup.events + excluded.events,
        total = rollup.total + excluded.total,
        weighted = rollup.weighted + excluded.weighted,
        least = CASE WHEN excluded.least < rollup.least THEN excluded.least ELSE rollup.least END,
        most = CASE WHEN excluded.most > rollup.most THEN excluded.most ELSE rollup.most END
    """
)
# One statement, and so one look at counter, minutes and samples: between two looks a rollup could come. The sign before
# `at` keeps its index out: what is not rolled up yet are the newest few by number, whatever the window.
_COURSE = text(
    """
    SELECT series_id, (minute - :start) / :step AS bucket, sum(samples), sum(events), sum(total), sum(weighted),
        min(least), max(most)
    FROM (
        SELECT series_id, minute, samples, events, total, weighted, least, most FROM rollup
        WHERE series_id IN (SELECT id FROM series WHERE lane = :lane AND metric = :metric)
            AND minute >= :start AND minute < :end
        UNION ALL
        SELECT series_id, at / 60000000, 1, events, value, value * events, value, value FROM sample
        WHERE series_id IN (SELECT id FROM series WHERE lane = :lane AND metric = :metric)
            AND +at >= :start_at AND +at < :end_at
            AND seq > coalesce((SELECT max(value) FROM figure_counter WHERE name = 'rolled'), 0)
    ) AS known
    GROUP BY series_id, bucket ORDER BY series_id, bucket
    """
)


@dataclass(frozen=True, slots=True)
class RollupSums:
    """The sums of a series over a stretch of time.

    Attributes:
        bucket: number of the stretch, from 0.
        samples, events: how many, and how many events they stand for (sum of counts).
        total: sum of values. `rate` and `sum` come from it.
        weighted: sum of value times events; over `events` it is the mean.
        least, most: of the values.
    """

    series: int
    bucket: int
    samples: int
    events: float
    total: float
    weighted: float
    least: float
    most: float


def roll_up(figures: SampleStore, *, most: int = 50) -> int:
    """Roll up what arrived, in so many transactions at most; return the number of samples."""
    done = 0
    for _ in range(most):
        with figures.database.write() as connection:
            moved = _roll_chunk(connection)
        done += moved
        if moved < _CHUNK:
            break
    return done


def _roll_chunk(connection: Connection) -> int:
    if connection.dialect.name == "postgresql":  # a second roller waits, and then finds the counter moved
        connection.execute(text("SELECT pg_advisory_xact_lock(460371)"))
    low = get_counter(connection, "rolled")
    ahead = select(SAMPLE.c.seq).where(SAMPLE.c.seq > low).order_by(SAMPLE.c.seq).limit(_CHUNK).subquery()
    count, high = connection.execute(select(func.count(), func.max(ahead.c.seq))).one()
    if count:
        connection.execute(_ROLL, {"low": low, "high": high})
        set_counter(connection, "rolled", high)
    return int(count)


def read_history(
    figures: SampleStore, feed: str, metric: str, start: DateTime, end: DateTime, step: timedelta = timedelta(minutes=1)
) -> list[RollupSums]:
    """Read each series of a metric, step by step from `start`: the whole minutes that begin in [start, end).

    A step without samples has no entry. `step`: whole minutes.
    """
    first, last = -(-to_micros(start) // MINUTE), -(-to_micros(end) // MINUTE)
    with figures.database.read() as connection:
        found = connection.execute(
            _COURSE,
            {
                "lane": feed, "metric": metric, "start": first, "end": last, "start_at": first * MINUTE,
                "end_at": last * MINUTE, "step": max(1, step // timedelta(minutes=1)),
            },
        )  # fmt: skip
        return [RollupSums(row[0], row[1], int(row[2]), *row[3:]) for row in found]


# --- forgetting


def prune_samples(
    figures: SampleStore,
    now: DateTime,
    *,
    raw: timedelta = RAW_RETENTION,
    history: timedelta = ROLLUP_RETENTION,
    most: int = 50,
) -> Mapping[str, int]:
    """Delete old data, in small transactions, at most so many of a kind; return how much of what.

    Raw samples go `raw` after their arrival (never before they are in the rollups), rollups of live samples
    when they are older than `history`, replays as a whole `raw` after their last message, conversation texts
    after `raw`.
    """
    _mark(figures, now)
    found = {
        "samples": _chunks(figures, lambda connection: _old_samples(connection, to_micros(now - raw)), most),
        "rollups": _old_rollups(figures, to_micros(now - history) // MINUTE),
        "replays": _old_replays(figures, to_micros(now - raw), most),
        "texts": 0,
    }
    with figures.database.write() as connection:
        connection.execute(delete(ARRIVAL).where(ARRIVAL.c.at < to_micros(now - 2 * raw)))
        kept = delete(CONVERSATION).where(CONVERSATION.c.kept_at < to_micros(now - raw))
        found["texts"] = connection.execute(kept).rowcount
    _forget_series(figures)
    return found


def _mark(figures: SampleStore, now: DateTime) -> None:
    """Remember how far samples have arrived by now."""
    with figures.database.write() as connection:
        head = connection.execute(select(func.max(SAMPLE.c.seq))).scalar() or 0
        at = to_micros(now)
        connection.execute(delete(ARRIVAL).where(ARRIVAL.c.at == at))
        connection.execute(ARRIVAL.insert().values(at=at, seq=head))


def _chunks(figures: SampleStore, work: Any, most: int) -> int:
    done = 0
    for _ in range(most):
        with figures.database.write() as connection:
            moved = work(connection)
        done += moved
        if not moved:
            break
    return done


def _old_samples(connection: Connection, before: int) -> int:
    """Delete one chunk of the samples that had arrived before then and are in the rollups."""
    mark = connection.execute(select(func.max(ARRIVAL.c.seq)).where(ARRIVAL.c.at <= before)).scalar()
    upto = min(int(mark or 0), get_counter(connection, "rolled"))
    chunk = select(SAMPLE.c.seq).where(SAMPLE.c.seq <= upto).order_by(SAMPLE.c.seq).limit(_CHUNK // 4).subquery()
    last = connection.execute(select(func.max(chunk.c.seq))).scalar()
    return 0 if last is None else connection.execute(delete(SAMPLE).where(SAMPLE.c.seq <= last)).rowcount


def _old_rollups(figures: SampleStore, before: int) -> int:
    """Delete the oldest minutes of live series, some series at a time."""
    with figures.database.read() as connection:
        ids = list(connection.execute(select(SERIES.c.id).where(SERIES.c.lane == LIVE_FEED)).scalars())
    statement = delete(ROLLUP).where(ROLLUP.c.series_id == bindparam("one"), ROLLUP.c.minute < before)
    done = 0
    for start in range(0, len(ids), _SERIES_CHUNK):
        with figures.database.write() as connection:
            for one in ids[start : start + _SERIES_CHUNK]:
                done += connection.execute(statement, {"one": one}).rowcount
    return done


def _old_replays(figures: SampleStore, before: int, most: int) -> int:
    with figures.database.read() as connection:
        feeds = list(connection.execute(select(REPLAY.c.lane).where(REPLAY.c.touched_at < before)).scalars())
    for feed in feeds:
        _chunks(figures, lambda connection, feed=feed: _part_of(connection, feed), most)
        with figures.database.write() as connection:
            connection.execute(delete(REPLAY).where(REPLAY.c.lane == feed))
    return len(feeds)


def _part_of(connection: Connection, feed: str) -> int:
    """Delete some series of a feed, with their minutes and samples."""
    lock_store(connection)
    ids = list(connection.execute(select(SERIES.c.id).where(SERIES.c.lane == feed).limit(_SERIES_CHUNK)).scalars())
    if ids:
        connection.execute(delete(ROLLUP).where(ROLLUP.c.series_id.in_(ids)))
        connection.execute(delete(SAMPLE).where(SAMPLE.c.series_id.in_(ids)))
        connection.execute(delete(SERIES).where(SERIES.c.id.in_(ids)))
        set_counter(connection, "epoch", get_counter(connection, "epoch") + 1)
    return len(ids)


def _forget_series(figures: SampleStore) -> None:
    """Delete live series without samples: labels come and go."""
    empty = select(SERIES.c.id).where(
        SERIES.c.lane == LIVE_FEED,
        ~select(ROLLUP.c.series_id).where(ROLLUP.c.series_id == SERIES.c.id).exists(),
        ~select(SAMPLE.c.series_id).where(SAMPLE.c.series_id == SERIES.c.id).exists(),
    )
    with figures.database.read() as connection:
        if connection.execute(empty.limit(1)).first() is None:
            return
    with figures.database.write() as connection:  # looked for again: one may have got a sample meanwhile
        lock_store(connection)
        if connection.execute(delete(SERIES).where(SERIES.c.id.in_(empty))).rowcount:
            set_counter(connection, "epoch", get_counter(connection, "epoch") + 1)
