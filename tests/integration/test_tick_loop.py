"""The loop on a real store: ticks on time, replays in their own time, and a restart that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pendulum
import pytest
from pendulum import DateTime

from domain.durations import elapsed, later
from domain.text import Text
from domain.warning.rule import Aggregate, Baseline, Condition, Rule, SeriesKey, ThresholdLevel, Tier
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange
from engine.installation import Installation
from engine.warning import checkpoints
from engine.warning.ticker import RuleSet, Ticker
from storage.database import StorageError
from storage.samples.replays import announce_position
from storage.samples.sample_store import (
    LIVE_FEED,
    SampleBatch,
    SampleStore,
    canonical_labels,
    open_sample_store,
    to_micros,
)
from storage.schema import upgrade_schema
from storage.settings import load_settings

START = pendulum.datetime(2026, 3, 2, 9)
SLOW = Rule(
    "slow",
    Text("Slow"),
    "response_time",
    Aggregate.MEAN,
    timedelta(minutes=1),
    Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 30, 25), ThresholdLevel(Tier.RED, 60, 50)),
    by=("team",),
    for_=timedelta(seconds=30),
    keep_firing=timedelta(seconds=40),
)
AT_ONCE = Rule(
    "at-once",
    Text("At once"),
    "response_time",
    Aggregate.MAX,
    timedelta(seconds=20),
    Condition.ABOVE,
    (ThresholdLevel(Tier.YELLOW, 90, 90),),
)
SURGE = Rule(
    "surge",
    Text("Surge"),
    "complaints",
    Aggregate.SUM,
    timedelta(minutes=10),
    Condition.CHANGE_ABOVE,
    (ThresholdLevel(Tier.RED, 0.5, 0.3),),
    baseline=Baseline("same-hours", weeks=2, min_weeks=2),
    min_samples=20,
)


class Book:
    """A ledger in memory that outlives its ticker, as the tables would; it marks in the database as they must."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.lease: checkpoints.EvaluatorLease | None = None
        self.standings: dict[tuple[str, str, SeriesKey], RuleState] = {}
        self.told: list[tuple[str, str, SeriesKey, DateTime, RulePhase, Tier | None]] = []
        self.commits = 0
        self.broken = False
        self.reviewed = ("", START)

    def load(self, feed: str) -> dict[tuple[str, SeriesKey], RuleState]:
        return {(rule, key): standing for (name, rule, key), standing in self.standings.items() if name == feed}

    def commit(self, feed: str, changes: Sequence[RuleStateChange], at: DateTime) -> None:
        if self.broken:
            raise StorageError("the disk is full")
        self.commits += 1
        for change in changes:
            before = self.standings.get((feed, change.rule, change.series), RuleState())
            assert before == change.before
            self.standings[feed, change.rule, change.series] = change.after
            self.told.append(
                (feed, change.rule, change.series, change.reading.at, change.after.phase, change.after.tier)
            )
        with self.installation.database.write() as connection:
            checkpoints.save_checkpoint(connection, feed, at, at)

    def review(self, feed: str, at: DateTime) -> None:
        self.reviewed = (feed, at)

    def seen(self, rule: str, feed: str = LIVE_FEED) -> list[tuple[float, RulePhase]]:
        """Seconds after START, and the phase that began; what only moved inside a phase is left out."""
        found: list[tuple[float, RulePhase]] = []
        for name, one, _, at, phase, _ in self.told:
            if (name, one) == (feed, rule) and phase is not (found[-1][1] if found else RulePhase.OK):
                found.append((elapsed(START, at).total_seconds(), phase))
        return found


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> DateTime:
        return self.now


@pytest.fixture(name="installation")
def installation_fixture(home: Path, database_url: str) -> Iterator[Installation]:
    installation = Installation(load_settings(home=home, database_url=database_url))
    upgrade_schema(installation.database)
    yield installation
    installation.close()


@pytest.fixture(name="figures")
def figures_fixture(installation: Installation) -> Iterator[SampleStore]:
    opened = open_sample_store(installation.settings)
    yield opened
    opened.close()


@pytest.fixture(name="book")
def book_fixture(installation: Installation) -> Book:
    return Book(installation)


@pytest.fixture(name="clock")
def clock_fixture() -> Clock:
    return Clock()


Make = Callable[..., Ticker]


@pytest.fixture(name="make")
def make_fixture(installation: Installation, figures: SampleStore, book: Book, clock: Clock) -> Make:
    def make(*rules: Rule, holder: str = "one") -> Ticker:
        found = RuleSet(rules or (SLOW, AT_ONCE))
        return Ticker(installation.database, figures, book, lambda: found, clock, holder, commit_pause=0)

    return make


def push(
    figures: SampleStore,
    now: DateTime,
    *samples: tuple[float, float],
    metric: str = "response_time",
    feed: str = LIVE_FEED,
    **labels: str,
) -> None:
    """Seconds after START, value."""
    batch = SampleBatch(feed)
    for second, value in samples:
        batch.add((metric, canonical_labels(labels)), to_micros(START) + round(second * 1e6), value, 1.0)
    figures.take([batch], now)


def live_until(second: int, ticker: Ticker, clock: Clock, figures: SampleStore, value: Callable[[int], float]) -> None:
    """A sample each five seconds, and a look each second."""
    while elapsed(START, clock.now).total_seconds() < second:
        clock.now = later(clock.now, timedelta(seconds=1))
        at = round(elapsed(START, clock.now).total_seconds())
        if at % 5 == 0:
            push(figures, clock.now, (at - 0.5, value(at)), team="a")
        while ticker.step():
            pass
    while ticker.step():
        pass


def wave(at: int) -> float:
    return 50.0 if 100 <= at < 200 else 10.0


def test_a_live_rule_goes_through_its_phases_on_its_ticks(
    figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    ticker = make()
    live_until(400, ticker, clock, figures, wave)
    # Mean over 30 s: more than half of the minute is slow from 130 on, and is quick again below 25 from 230 on.
    assert book.seen("slow") == expected_wave()
    assert ticker.counts.overrun == 0
    assert book.reviewed == (LIVE_FEED, later(START, timedelta(seconds=400)))
    assert ticker.counts.ticks == 41  # the one that was due at the start, and 40


def expected_wave() -> list[tuple[float, RulePhase]]:
    """By hand: samples at 4.5, 9.5 ...; of the 12 in a window the mean is 10 + 40 n / 12 with n slow ones.

    Slow samples are those at 99.5 to 194.5. Over 30 needs n > 6: at the tick 130 the window has 99.5 .. 129.5 = 7 slow
    ones. Fires 30 s later, at 160. Not over 25 needs n <= 4: the tick 240 has 180+: 184.5, 189.5, 194.5 = 3 (at 230:
    174.5 .. 194.5 = 5). Ends 40 s later, at 280.
    """
    return [(130.0, RulePhase.PENDING), (160.0, RulePhase.FIRING), (240.0, RulePhase.RECOVERING), (280.0, RulePhase.OK)]


@pytest.mark.parametrize("stop", [135, 170, 235, 255])
def test_a_restart_in_the_middle_changes_nothing(
    stop: int, figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    live_until(stop, make(), clock, figures, wave)  # killed: nothing is said at its end
    live_until(400, make(), clock, figures, wave)
    assert book.seen("slow") == expected_wave()


def test_ticks_that_were_missed_are_made_up_for_in_order(
    figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    live_until(20, make(), clock, figures, wave)
    for at in range(25, 400, 5):
        push(figures, later(START, timedelta(seconds=at)), (at - 0.5, wave(at)), team="a")
    clock.now = later(START, timedelta(seconds=400))
    before = book.commits
    make().step()
    assert book.seen("slow") == expected_wave()
    assert book.commits == before + 1  # what belongs together is committed together


def test_a_long_pause_is_skipped_and_said(figures: SampleStore, book: Book, clock: Clock, make: Make) -> None:
    live_until(20, make(), clock, figures, wave)
    with book.installation.database.write() as connection:
        checkpoints.save_checkpoint(connection, LIVE_FEED, later(START, timedelta(seconds=20)), clock.now)
    clock.now = later(START, timedelta(hours=2))
    ticker = make()
    ticker.step()
    assert ticker.counts.skipped == (7200 - 20 - 1800) / 10
    assert ticker.counts.ticks == 180


def test_a_replay_has_the_same_outcome_however_it_comes(
    figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    samples = [(at - 0.5, wave(at)) for at in range(5, 405, 5)]
    for feed, step in (("replay-a", 400), ("replay-b", 35)):
        ticker = make()
        announce_position(figures, feed, START, clock.now, speed=600)
        ticker.step()
        for second in range(step, 400 + step, step):
            before, until = second - step, min(second, 400)
            push(figures, clock.now, *[one for one in samples if before <= one[0] < until], feed=feed, team="a")
            announce_position(figures, feed, later(START, timedelta(seconds=until)), clock.now, ended=until == 400)
            if feed == "replay-b" and second % 3 == 0:
                ticker = make()  # restarted in the middle
            while ticker.step():
                pass
        assert book.seen("slow", feed) == expected_wave(), feed
    assert book.seen("slow") == []  # live figures know nothing of it


def test_a_replay_brings_its_own_history(figures: SampleStore, book: Book, clock: Clock, make: Make) -> None:
    ticker = make(SURGE)
    for week in (7, 14):
        past = [(60.0 * minute - 86_400 * week, 5.0) for minute in range(-20, 60)]
        push(figures, clock.now, *past, metric="complaints", feed="replay-a")
    now = [(60.0 * minute, 5.0 if minute < 20 else 9.0) for minute in range(-20, 60)]
    push(figures, clock.now, *now, metric="complaints", feed="replay-a")
    announce_position(figures, "replay-a", START, clock.now)
    announce_position(figures, "replay-a", later(START, timedelta(minutes=59)), clock.now, ended=True)
    while ticker.step():
        pass
    # 50 in ten minutes usually; 75 are +50 %: 7 of the window's 10 minutes at 9 are 78. The seventh is in at 26:10.
    assert book.seen("surge", "replay-a") == [(26 * 60 + 10, RulePhase.FIRING)]


def test_late_samples_count_from_the_next_tick_and_stale_ones_never(
    figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    ticker = make()
    live_until(60, ticker, clock, figures, lambda at: 10.0)
    push(figures, clock.now, (51.0, 1000.0), team="a")
    live_until(70, ticker, clock, figures, lambda at: 10.0)
    assert book.seen("at-once") == [(70.0, RulePhase.FIRING)]
    live_until(90, ticker, clock, figures, lambda at: 10.0)
    assert book.seen("at-once") == [(70.0, RulePhase.FIRING), (80.0, RulePhase.OK)]
    clock.now = later(START, timedelta(minutes=40))
    push(figures, clock.now, (20 * 60.0, 1000.0), team="a")  # of a tick that is made up for now, but too late for it
    make().step()
    assert len(book.seen("at-once")) == 2 or book.seen("at-once")[2][1] is RulePhase.NO_DATA


def test_what_cannot_be_committed_is_kept_and_tried_again(
    figures: SampleStore, book: Book, clock: Clock, make: Make
) -> None:
    ticker = make()
    live_until(120, ticker, clock, figures, wave)
    book.broken = True
    with pytest.raises(StorageError):
        live_until(165, ticker, clock, figures, wave)
    book.broken = False
    live_until(400, ticker, clock, figures, wave)
    assert book.seen("slow") == expected_wave()


def leads(ticker: Ticker) -> bool:
    return ticker.lease is not None


def test_one_engine_evaluates_and_another_takes_over(
    figures: SampleStore, book: Book, clock: Clock, make: Make, installation: Installation
) -> None:
    first, second = make(holder="one"), make(holder="two")
    first.step()
    second.step()
    old = first.lease
    assert old is not None
    assert not leads(second)
    clock.now = later(clock.now, timedelta(seconds=24))
    second.step()
    assert not leads(second)
    clock.now = later(clock.now, timedelta(seconds=2))
    second.step()
    taken = second.lease
    assert taken is not None
    with installation.database.read() as connection:
        assert checkpoints.is_lease_held(connection, taken)
        assert not checkpoints.is_lease_held(connection, old)
    first.step()
    assert not leads(first)
    second.stop()
    second.run()  # ends at once, and gives the lease back
    first.step()
    assert leads(first)
    with installation.database.read() as connection:
        found = checkpoints.load_evaluator_facts(connection)
    assert found is not None
    assert found[0]["engine"] == "two"


def test_changed_rules_are_in_force_and_keep_what_stands(
    figures: SampleStore, book: Book, clock: Clock, installation: Installation
) -> None:
    sets = [RuleSet((SLOW,))]
    ticker = Ticker(installation.database, figures, book, lambda: sets[-1], clock, "one", commit_pause=0)
    live_until(170, ticker, clock, figures, wave)
    sets.append(RuleSet((SLOW, AT_ONCE)))
    live_until(400, ticker, clock, figures, wave)
    assert book.seen("slow") == expected_wave()
