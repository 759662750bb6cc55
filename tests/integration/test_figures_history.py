"""History by the minute: exact whether rolled up or not, forgotten when old; both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from sqlalchemy import func, select

from storage.samples import rollups as history
from storage.samples.replays import announce_position, list_replays
from storage.samples.rollups import RollupSums, prune_samples, read_history, roll_up
from storage.samples.sample_store import (
    SampleBatch,
    SampleStore,
    canonical_labels,
    get_counter,
    open_sample_store,
    to_micros,
)
from storage.samples.sample_tables import METADATA
from storage.settings import load_settings

NOW = pendulum.datetime(2026, 3, 14, 3, 0)
HOUR = timedelta(hours=1)


@pytest.fixture(name="figures")
def figures_fixture(home: Path, database_url: str) -> Iterator[SampleStore]:
    opened = open_sample_store(load_settings(home=home, database_url=database_url))
    yield opened
    opened.close()


def push(
    figures: SampleStore, *samples: tuple[float, float, float], feed: str = "", now: pendulum.DateTime = NOW
) -> None:
    """Seconds before NOW, value, events."""
    made = SampleBatch(feed)
    for ago, value, events in samples:
        made.add(("aht", canonical_labels({"channel": "chat"})), to_micros(NOW) - round(ago * 1e6), value, events)
    figures.take([made], now)


def count(figures: SampleStore, table: str) -> int:
    with figures.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(METADATA.tables[table])).scalar_one())


def the_one(figures: SampleStore, feed: str = "") -> RollupSums:
    (found,) = read_history(figures, feed, "aht", NOW - HOUR, NOW, HOUR)
    return found


def test_a_window_is_summed_with_its_weights(figures: SampleStore) -> None:
    push(figures, (50, 10, 1), (40, 20, 3), (30, 6, 1))
    found = the_one(figures)
    assert (found.samples, found.events, found.total, found.weighted) == (3, 5, 36, 76)
    assert (found.least, found.most) == (6, 20)


def test_it_is_the_same_before_amid_and_after_the_rollup(figures: SampleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    push(figures, *((10 * n + 0.5, n, 1 + n % 3) for n in range(100)))
    before = read_history(figures, "", "aht", NOW - HOUR, NOW)
    monkeypatch.setattr(history, "_CHUNK", 30)
    assert roll_up(figures, most=1) == 30
    assert read_history(figures, "", "aht", NOW - HOUR, NOW) == before
    assert roll_up(figures) == 70
    assert read_history(figures, "", "aht", NOW - HOUR, NOW) == before
    assert roll_up(figures) == 0
    assert len(before) == 17


def test_it_is_the_same_while_another_process_rolls_up(figures: SampleStore, monkeypatch: pytest.MonkeyPatch) -> None:
    push(figures, *((n / 10 + 0.5, n, 1) for n in range(2_000)))
    monkeypatch.setattr(history, "_CHUNK", 10)
    rolling = threading.Thread(target=roll_up, args=(figures,), kwargs={"most": 300})
    rolling.start()
    seen = set()
    while rolling.is_alive():
        seen.add((the_one(figures).samples, the_one(figures).total))
    rolling.join()
    assert seen == {(2_000, 1_999_000)}


def test_a_late_sample_finds_its_minute_and_a_repeat_does_not(figures: SampleStore) -> None:
    push(figures, (50, 10, 1))
    roll_up(figures)
    push(figures, (50, 10, 1), (45, 2, 1), (47, 30, 1))
    roll_up(figures)
    found = the_one(figures)
    assert (found.samples, found.total, found.least, found.most) == (3, 42, 2, 30)
    assert count(figures, "rollup") == 1


def test_steps_are_counted_from_the_start(figures: SampleStore) -> None:
    push(figures, (3599, 1, 1), (3000, 2, 1), (59, 3, 1))
    found = read_history(figures, "", "aht", NOW - HOUR, NOW, timedelta(minutes=10))
    assert [(one.bucket, one.total) for one in found] == [(0, 1), (1, 2), (5, 3)]


def test_the_end_is_left_out_and_lanes_do_not_mix(figures: SampleStore) -> None:
    push(figures, (60, 1, 1), (0, 2, 1))
    push(figures, (60, 100, 1), feed="replay-a")
    for _ in range(2):
        assert the_one(figures).total == 1
        assert the_one(figures, "replay-a").total == 100
        roll_up(figures)


def test_raw_samples_go_after_their_arrival_and_stay_in_history(figures: SampleStore) -> None:
    push(figures, (50, 10, 1), (86_400 * 20, 5, 1))
    roll_up(figures)
    prune_samples(figures, NOW)
    push(figures, (40, 20, 1), now=NOW.add(hours=2))
    assert prune_samples(figures, NOW.add(hours=27))["samples"] == 2
    assert list(figures.after(0)[0].value) == [20]
    assert the_one(figures).total == 30
    long_ago = NOW - timedelta(days=20)
    assert [one.total for one in read_history(figures, "", "aht", long_ago - HOUR, long_ago + HOUR, 2 * HOUR)] == [5]


def test_what_is_not_rolled_up_is_never_forgotten(figures: SampleStore) -> None:
    push(figures, (50, 10, 1))
    prune_samples(figures, NOW)
    assert prune_samples(figures, NOW.add(hours=27))["samples"] == 0
    roll_up(figures)
    assert prune_samples(figures, NOW.add(hours=27, seconds=1))["samples"] == 1


def test_a_cursor_stays_good_when_everything_was_forgotten(figures: SampleStore) -> None:
    push(figures, (50, 10, 1))
    cursor = figures.head()
    roll_up(figures)
    prune_samples(figures, NOW)
    prune_samples(figures, NOW.add(hours=27))
    assert count(figures, "sample") == 0
    push(figures, (-97_200, 7, 1), now=NOW.add(hours=27))
    assert list(figures.after(cursor)[0].value) == [7]


def test_old_minutes_go_and_so_do_series_of_which_nothing_is_left(figures: SampleStore) -> None:
    push(figures, (50, 10, 1))
    roll_up(figures)
    prune_samples(figures, NOW)
    prune_samples(figures, NOW.add(hours=27))
    assert prune_samples(figures, NOW.add(days=62))["rollups"] == 0
    assert prune_samples(figures, NOW.add(days=64))["rollups"] == 1
    assert figures.series() == []
    push(figures, (-86_400 * 64, 11, 1), now=NOW.add(days=64))  # its number was cached: it must not be used again
    (series,) = figures.series()
    assert list(figures.after(0)[0].series) == [series.id]


def test_a_replay_is_forgotten_as_a_whole_and_only_when_it_is_silent(figures: SampleStore) -> None:
    push(figures, (86_400 * 1000, 10, 1), feed="replay-a")
    push(figures, (50, 10, 1))
    announce_position(figures, "replay-a", NOW - timedelta(days=999), NOW)
    roll_up(figures)
    assert prune_samples(figures, NOW.add(hours=25))["replays"] == 0
    assert count(figures, "rollup") == 2
    assert prune_samples(figures, NOW.add(hours=27))["replays"] == 1
    assert list_replays(figures) == []
    assert [one.lane for one in figures.series()] == [""]
    assert count(figures, "rollup") == 1


def test_the_counter_moves_with_the_rollup(figures: SampleStore) -> None:
    push(figures, (50, 10, 1))
    roll_up(figures)
    with figures.database.read() as connection:
        assert get_counter(connection, "rolled") == figures.head()
