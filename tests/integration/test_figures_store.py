"""Samples kept: once each, in order of arrival, read back by column; both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pendulum
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import schema
from storage.database import StorageError
from storage.samples import sample_store as store
from storage.samples.program_tokens import create_program_token, find_program
from storage.samples.replays import ReplayEnded, announce_position, find_replay, list_replays
from storage.samples.sample_store import (
    SAMPLES_SCHEMA,
    SampleBatch,
    SampleStore,
    canonical_labels,
    open_sample_store,
    to_micros,
)
from storage.samples.sample_tables import METADATA
from storage.settings import Settings, load_settings

NOW = pendulum.datetime(2026, 3, 14, 3, 0)


@pytest.fixture(name="settings")
def settings_fixture(home: Path, empty_database_url: str) -> Settings:
    return load_settings(home=home, database_url=empty_database_url)


@pytest.fixture(name="figures")
def figures_fixture(settings: Settings) -> Iterator[SampleStore]:
    opened = open_sample_store(settings)
    yield opened
    opened.close()


def batch(*samples: tuple[float, float], metric: str = "csat", feed: str = "", **labels: str) -> SampleBatch:
    """Samples of one series: seconds before NOW, value."""
    made = SampleBatch(feed)
    for ago, value in samples:
        made.add((metric, canonical_labels(labels)), to_micros(NOW) - round(ago * 1e6), value, 1.0)
    return made


def everything(figures: SampleStore) -> list[tuple[Any, ...]]:
    columns, _ = figures.after(0)
    names = {one.id: one for one in figures.series()}
    rows = zip(columns.series, columns.at, columns.value, columns.events, columns.stale, strict=True)
    return [(names[row[0]].lane, names[row[0]].metric, dict(names[row[0]].labels), *row[1:]) for row in rows]


def test_the_migrations_make_exactly_the_tables_of_the_program(figures: SampleStore) -> None:
    with figures.database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": SAMPLES_SCHEMA.version_table, "compare_type": True},
        )
        assert compare_metadata(context, METADATA) == []


def test_head_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / SAMPLES_SCHEMA.scripts))
    assert scripts.get_current_head() == SAMPLES_SCHEMA.head


def test_many_may_open_it_for_the_first_time_together(settings: Settings) -> None:
    trouble: list[Exception] = []

    def work() -> None:
        try:
            open_sample_store(settings).close()
        except Exception as error:  # noqa: BLE001
            trouble.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []


def test_it_lives_beside_the_tables_of_the_incidents(settings: Settings, figures: SampleStore) -> None:
    from storage.database import Database

    main = Database(settings.database)
    try:
        schema.upgrade_schema(main)
        schema.require_current_schema(main)
        schema.require_current_schema(figures.database, SAMPLES_SCHEMA)
    finally:
        main.close()


def test_a_database_of_a_newer_program_is_refused(settings: Settings, figures: SampleStore) -> None:
    with figures.database.write() as connection:
        connection.exec_driver_sql("UPDATE figures_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="newer than this program"):
        open_sample_store(settings)


def test_what_was_taken_is_read_back(figures: SampleStore) -> None:
    taken = figures.take([batch((30, 4), (10, 5), channel="chat"), batch((20, 3.5), metric="nps")], NOW)
    assert [(one.taken, one.duplicates, one.late) for one in taken] == [(2, 0, 0), (1, 0, 0)]
    at = to_micros(NOW)
    assert everything(figures) == [
        ("", "csat", {"channel": "chat"}, at - 30_000_000, 4.0, 1.0, 0),
        ("", "csat", {"channel": "chat"}, at - 10_000_000, 5.0, 1.0, 0),
        ("", "nps", {}, at - 20_000_000, 3.5, 1.0, 0),
    ]


def test_a_repeat_counts_once_within_a_batch_and_after(figures: SampleStore) -> None:
    first = figures.take([batch((30, 4), (30, 4), (30, 5))], NOW)[0]
    again = figures.take([batch((30, 4), (30, 5), (29, 4))], NOW)[0]
    assert (first.taken, first.duplicates) == (2, 1)
    assert (again.taken, again.duplicates) == (1, 2)
    elsewhere = figures.take([batch((30, 4), channel="chat"), batch((30, 4), feed="replay-a")], NOW)
    assert [one.taken for one in elsewhere] == [1, 1]


def test_more_rows_than_one_statement_holds(figures: SampleStore) -> None:
    many = batch(*((n / 10, n) for n in range(1234)))
    assert figures.take([many], NOW)[0].taken == 1234
    assert figures.take([many], NOW)[0].duplicates == 1234


def test_a_cursor_goes_on_in_the_order_of_arrival(figures: SampleStore) -> None:
    figures.take([batch((10, 1), (30, 2), (20, 3))], NOW)
    first, cursor = figures.after(0, limit=2)
    assert list(first.value) == [1, 2]
    second, cursor = figures.after(cursor, limit=2)
    assert list(second.value) == [3]
    assert cursor == figures.head()
    assert figures.after(cursor) == (figures.after(cursor)[0], cursor)
    figures.take([batch((40, 9))], NOW)
    assert list(figures.after(cursor)[0].value) == [9]


def test_columns_are_ready_for_numpy(figures: SampleStore) -> None:
    numpy = pytest.importorskip("numpy")
    figures.take([batch((10, 1.5), (30, 2.5))], NOW)
    columns, _ = figures.after(0)
    assert numpy.frombuffer(columns.value, dtype="f8").sum() == 4.0
    assert numpy.frombuffer(columns.at, dtype="i8").max() == to_micros(NOW) - 10_000_000


def test_between_is_by_time_with_the_end_left_out(figures: SampleStore) -> None:
    figures.take([batch((10, 1), (30, 2), (20, 3)), batch((20, 4), metric="nps"), batch((20, 5), feed="replay-a")], NOW)
    found = figures.between("", "csat", NOW.subtract(seconds=30), NOW.subtract(seconds=10))
    assert list(found.value) == [2, 3]
    assert sorted(figures.between("", None, NOW.subtract(seconds=30), NOW).value) == [1, 2, 3, 4]
    assert list(figures.between("replay-a", None, NOW.subtract(seconds=30), NOW).value) == [5]
    cursor = figures.head()
    figures.take([batch((25, 8))], NOW)
    assert 8 not in figures.between("", "csat", NOW.subtract(seconds=30), NOW, until=cursor).value


def test_late_samples_are_marked_and_a_replay_has_its_own_present(figures: SampleStore) -> None:
    taken = figures.take([batch((900, 1), (901, 2), (10, 3))], NOW)[0]
    assert (taken.taken, taken.late) == (3, 1)
    assert [(row[4], row[6]) for row in everything(figures)] == [(1, 0), (2, 1), (3, 0)]
    assert figures.take([batch((90_000, 1), feed="replay-a")], NOW)[0].late == 0
    announce_position(figures, "replay-a", NOW.subtract(seconds=80_000), NOW)
    assert figures.take([batch((80_900, 1), (80_901, 1), feed="replay-a")], NOW)[0].late == 1


def test_too_many_series_are_refused_by_place(figures: SampleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_SERIES", 2)
    crowd = SampleBatch()
    for number in range(4):
        crowd.add(("m", canonical_labels({"order": str(number)})), to_micros(NOW), number, 1.0)
    crowd.add(("m", canonical_labels({"order": "0"})), to_micros(NOW), 7, 1.0)
    assert figures.take([crowd], NOW)[0].crowded == (2, 3)
    assert [row[4] for row in everything(figures)] == [0, 1, 7]


def test_what_is_rolled_back_leaves_no_number_behind(figures: SampleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "_insert", fail)
        with pytest.raises(StorageError):
            figures.take([batch((10, 1))], NOW)
    assert figures.series() == []
    figures.take([batch((10, 1))], NOW)
    assert [row[1] for row in everything(figures)] == ["csat"]


def test_two_processes_share_the_series(settings: Settings, figures: SampleStore) -> None:
    other = open_sample_store(settings)
    try:
        figures.take([batch((10, 1))], NOW)
        other.take([batch((11, 1), (10, 1))], NOW)
        assert other.take([batch((9, 1), channel="chat")], NOW)[0].taken == 1
        figures.take([batch((8, 1), channel="chat")], NOW)
    finally:
        other.close()
    assert len(figures.series()) == 2
    assert len(everything(figures)) == 4
    assert [one.labels for one in figures.series(after=figures.series()[0].id)] == [{"channel": "chat"}]


def test_a_replay_goes_forward_only_and_ends_once(figures: SampleStore) -> None:
    assert find_replay(figures, "replay-a") is None
    begun = announce_position(figures, "replay-a", NOW, NOW, speed=600)
    assert (begun.began, begun.position, begun.speed, begun.ended_at) == (NOW, NOW, 600, None)
    assert announce_position(figures, "replay-a", NOW.add(hours=1), NOW.add(seconds=6), speed=600).position == NOW.add(
        hours=1
    )
    assert announce_position(figures, "replay-a", NOW, NOW.add(seconds=7)).position == NOW.add(hours=1)
    announce_position(figures, "replay-b", NOW, NOW.add(seconds=8))
    over = announce_position(figures, "replay-a", NOW.add(hours=2), NOW.add(seconds=9), ended=True)
    assert (over.position, over.began, over.ended_at) == (NOW.add(hours=2), NOW, NOW.add(seconds=9))
    assert [one.lane for one in list_replays(figures)] == ["replay-a", "replay-b"]
    assert [one.lane for one in list_replays(figures, running=True)] == ["replay-b"]
    again = announce_position(
        figures, "replay-a", NOW.add(hours=2), NOW.add(seconds=10), ended=True
    )  # its answer was lost
    assert again == over
    with pytest.raises(ReplayEnded, match="begin another"):
        announce_position(figures, "replay-a", NOW.add(hours=3), NOW.add(seconds=10))


def test_a_token_is_kept_hashed_and_a_new_one_replaces_it(figures: SampleStore) -> None:
    old = create_program_token(figures, "alertmanager", NOW)
    assert find_program(figures, old) == "alertmanager"
    new = create_program_token(figures, "alertmanager", NOW)
    assert find_program(figures, old) is None
    assert find_program(figures, new) == "alertmanager"
    with figures.database.read() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM source_token").fetchall())
    assert new not in kept
