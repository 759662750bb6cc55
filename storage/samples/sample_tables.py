"""Tables of the service samples, apart from those of the incidents: a file of their own on SQLite.

Times are integers, microseconds since 1970 in UTC; minutes are whole minutes since 1970.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER key counts up by itself there

# A metric with one set of labels. `lane` is empty for live figures, `replay-...` for a replay: they never mix.
# `labels` is JSON with sorted keys, so that one set has one text.
SERIES = Table(
    "series",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("lane", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("labels", Text, nullable=False),
    UniqueConstraint("lane", "metric", "labels", name="series_is_one"),
    sqlite_autoincrement=True,  # the number of a forgotten series is never given again
)

# `seq` is the order of arrival; the unique index makes a repeat count once. It begins with the time: figures of the
# present then touch a few of its pages, however many series there are (ten times as fast with 10,000). `stale`: it
# came too late to be looked at by a window, and is kept for history.
SAMPLE = Table(
    "sample",
    METADATA,
    Column("seq", _NUMBER, primary_key=True, autoincrement=True),
    Column("series_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("value", Double, nullable=False),
    Column("events", Double, nullable=False),
    Column("stale", SmallInteger, nullable=False),
    Index("sample_once", "at", "series_id", "value", "events", unique=True),
    sqlite_autoincrement=True,  # or a cursor would stand still after everything was thinned
)

# One minute of a series: samples, sum of events, sum of values, sum of value times events, least and most value.
ROLLUP = Table(
    "rollup",
    METADATA,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("samples", BigInteger, nullable=False),
    Column("events", Double, nullable=False),
    Column("total", Double, nullable=False),
    Column("weighted", Double, nullable=False),
    Column("least", Double, nullable=False),
    Column("most", Double, nullable=False),
    sqlite_with_rowid=False,
)

# A replay: everything before `position_at` has been pushed.
REPLAY = Table(
    "replay",
    METADATA,
    Column("lane", Text, primary_key=True),
    Column("started_at", BigInteger, nullable=False),
    Column("touched_at", BigInteger, nullable=False),
    Column("speed", Double, nullable=False),
    Column("from_at", BigInteger, nullable=False),
    Column("position_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

# How far samples had arrived at a moment of the wall clock: raw samples are forgotten by their arrival.
ARRIVAL = Table(
    "arrival",
    METADATA,
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

# Counters: `rolled`, the last sample that is in the rollups; `epoch`, changed whenever a series was forgotten.
COUNTER = Table(
    "figure_counter", METADATA, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False)
)

# Who may push figures and alerts: tokens of programs, kept hashed.
TOKEN = Table(
    "source_token",
    METADATA,
    Column("hash", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

# How the sources that are asked do; whoever moves `next_at` on asks.
SOURCE = Table(
    "source_state",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("next_at", BigInteger, nullable=False),
    Column("ok_at", BigInteger),
    Column("failed_at", BigInteger),
    Column("error", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("samples", BigInteger, nullable=False),
)

# Conversation texts, only where the installation is told to keep them.
CONVERSATION = Table(
    "conversation",
    METADATA,
    Column("id", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kept_at", BigInteger, nullable=False, index=True),
    Column("labels", Text, nullable=False),
    Column("text", Text, nullable=False),
)
