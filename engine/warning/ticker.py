"""Ticker: evaluates live samples every ten seconds, and replays as far as they have come.

It survives a kill at any moment: changes are committed with the tick that made them, rule states and the
last tick are read back, windows are filled again from stored samples, and the ticks between are evaluated
in order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

import numpy as np
from pendulum import DateTime

from domain.durations import elapsed, later
from domain.warning.calendar import Campaign, rule_at
from domain.warning.rule import TICK, Rule, SeriesKey
from domain.warning.rule_state import RuleState, RuleStateChange
from engine.warning import checkpoints
from engine.warning.evaluator import Evaluator
from engine.warning.sample_arrays import GRAIN, Ints, SampleArrays, SeriesDescriptor
from engine.warning.stored_samples import StoredHistory, read_new_samples, samples_between
from storage.database import Database, StorageError
from storage.samples.replays import Replay, list_replays
from storage.samples.sample_store import LIVE_FEED, SampleStore, from_micros, to_micros

log = logging.getLogger("tocsin.warning")
MOST_MISSED: Final = timedelta(minutes=30)  # of live ticks that are made up for after a pause
COMMIT_PAUSE: Final = 1.0  # seconds between two commits of changes: a burst of them is one turn of the machinery
_SAY_PAUSE: Final = 60.0
_STEP_SECONDS: Final = 0.5  # of a replay's ticks between two looks at what else is due
_AHEAD: Final = timedelta(minutes=5)


class RuleStateStore(Protocol):
    """Store of rule states and of what their changes cause; it writes only while `lease` is in force."""

    lease: checkpoints.EvaluatorLease | None

    def load(self, feed: str) -> dict[tuple[str, SeriesKey], RuleState]:
        """Load the state of every rule on the feed."""
        ...

    def commit(self, feed: str, changes: Sequence[RuleStateChange], at: DateTime) -> None:
        """Commit changes, in their order, with all they cause, and mark `at` as done, in one transaction."""
        ...

    def review(self, feed: str, at: DateTime) -> None:
        """Reconsider, after ticks without a change, what waits for time alone: the end of a silence."""
        ...


@dataclass(frozen=True)
class RuleSet:
    """Set of rules that is evaluated. An equal set needs no new beginning."""

    rules: tuple[Rule, ...]
    campaigns: tuple[Campaign, ...] = ()
    holidays: Collection[str] = frozenset()

    def make_evaluator(self, figures: SampleStore, feed: str) -> Evaluator:
        """Make an evaluator of these rules for a feed."""
        return Evaluator(
            self.rules,
            history=StoredHistory(figures, feed),
            holidays=self.holidays,
            rule_at=lambda rule, now: rule_at(rule, self.campaigns, now),
        )


@dataclass
class _FeedUnderEvaluation:
    """One lane under evaluation."""

    name: str
    evaluator: Evaluator
    at: DateTime  # the last tick
    done: DateTime  # the last tick that is committed or marked
    reviewed: DateTime
    waiting: list[RuleStateChange] = field(default_factory=list)
    committed: float = 0.0  # when, by the monotonic clock


@dataclass
class EvaluationCounts:
    """Counts that the evaluation keeps of itself since it began."""

    ticks: int = 0
    overrun: int = 0  # ticks that were not done when the next one was due
    skipped: int = 0  # live ticks that were never evaluated, after a long pause
    slowest_ms: float = 0.0
    last_ms: float = 0.0


class Ticker:
    """Evaluates every feed. `rules` gives what is in force now; `clock` is wall time."""

    def __init__(
        self,
        database: Database,
        figures: SampleStore,
        ledger: RuleStateStore,
        rules: Callable[[], RuleSet],
        clock: Callable[[], DateTime],
        holder: str,
        commit_pause: float = COMMIT_PAUSE,
    ) -> None:
        self._commit_pause = commit_pause
        self._database, self._figures, self._ledger = database, figures, ledger
        self._rules_now, self._clock, self._holder = rules, clock, holder
        self._rules: RuleSet | None = None
        self._feeds: dict[str, _FeedUnderEvaluation] = {}
        self._ended: set[str] = set()
        self._cursor = 0
        self._series: list[SeriesDescriptor] = []
        self._feed_of: Ints = np.zeros(64, dtype=np.int64)
        self._feed_numbers: dict[str, int] = {LIVE_FEED: 1}  # 0: unknown
        self._newest_series = 0
        self._stopped = threading.Event()
        self._said = 0.0
        self.lease: checkpoints.EvaluatorLease | None = None
        self._leased_at = from_micros(0)
        self.counts = EvaluationCounts()

    # --- the loop

    def run(self) -> None:
        """Run until `stop`."""
        failing = False
        while not self._stopped.is_set():
            try:
                busy = self.step()
                if failing:
                    log.warning("warnings are evaluated again")
                failing = False
            except checkpoints.EvaluatorLeaseLost:
                self._let_go()
                busy = False
            except StorageError as error:
                if not failing:
                    log.error("warnings wait: %s", error)  # noqa: TRY400 - one clear line, no traceback
                failing, busy = True, False
            except Exception:
                log.exception("a tick failed; it is tried again")
                self._forget_all()
                failing, busy = True, False
            if not busy:
                self._stopped.wait(self._pause())
        self._end()

    def stop(self) -> None:
        """Finish the tick in hand, and end."""
        self._stopped.set()

    def _pause(self) -> float:
        """Seconds until it is worth looking again: at the next tick at the latest."""
        now = self._clock()
        due = elapsed(now, later(floor_to_tick(now), TICK)).total_seconds()
        return min(max(due, 0.01), 0.25 if len(self._feeds) > 1 else 1.0)

    def _end(self) -> None:
        try:
            for feed in self._feeds.values():
                self._commit(feed, at_once=True)
            self._say(at_once=True)
            if self.lease is not None:
                checkpoints.release_lease(self._database, self.lease)
        except (StorageError, checkpoints.EvaluatorLeaseLost) as error:
            log.warning("the last ticks are evaluated again at the next start: %s", error)

    def step(self) -> bool:
        """Add what arrived, evaluate what is due, commit what changed; whether there is more to do at once.

        Raises:
            StorageError: the database cannot be read or written; nothing is lost, the same is tried again.
        """
        now = self._clock()
        if not self._leads(now):
            return False
        self._look_at_rules()
        running = self._look_at_feeds(now)
        self._drain()
        more = self._tick_live(floor_to_tick(now))
        for replay in running:
            more |= self._tick_replay(replay)
        for feed in self._feeds.values():
            self._commit(feed)
            if feed.reviewed < feed.at and not feed.waiting:
                self._ledger.review(feed.name, feed.at)
                feed.reviewed = feed.at
        self._say()
        return more

    def _leads(self, now: DateTime) -> bool:
        """Whether this engine is the one that evaluates. The lease is renewed with every tick."""
        if self.lease is not None and floor_to_tick(now) <= self._leased_at:
            return True
        lease = checkpoints.take_lease(self._database, self._holder, now)
        if lease is None or (self.lease is not None and lease != self.lease):
            self._let_go()
        elif self.lease is None:
            log.info("this engine evaluates the rules (%s)", lease.holder)
        self.lease = self._ledger.lease = lease
        self._leased_at = floor_to_tick(now)
        return lease is not None

    def _let_go(self) -> None:
        """What is not committed is the other engine's to find."""
        if self.lease is not None:
            log.warning("another engine evaluates the rules")
        self.lease = self._ledger.lease = None
        self._forget_all()

    def _forget_all(self) -> None:
        """Begin again from what is committed."""
        self._feeds.clear()
        self._ended.clear()

    def _look_at_rules(self) -> None:
        found = self._rules_now()
        if found != self._rules:
            for feed in self._feeds.values():
                self._commit(feed, at_once=True)
            self._rules = found
            self._forget_all()
            log.info("%d rules in force", len(found.rules))

    # --- lanes

    def _look_at_feeds(self, now: DateTime) -> list[Replay]:
        """Open what is not open yet; the replays that have come further."""
        if LIVE_FEED not in self._feeds:
            self._open(LIVE_FEED, None, floor_to_tick(now))
        running = []
        for replay in list_replays(self._figures):
            if replay.lane not in self._ended and not self._is_over(replay):
                if replay.lane not in self._feeds:
                    self._open(replay.lane, floor_to_tick(replay.began), floor_to_tick(replay.position))
                running.append(replay)
        return running

    def _is_over(self, replay: Replay) -> bool:
        """Whether it ended before we looked for the first time, with every tick done."""
        if replay.ended_at is None or replay.lane in self._feeds:
            return False
        with self._database.read() as connection:
            done = checkpoints.load_checkpoint(connection, replay.lane)
        if done is not None and done >= floor_to_tick(replay.position):
            self._ended.add(replay.lane)
        return replay.lane in self._ended

    def _open(self, name: str, began: DateTime | None, now: DateTime) -> None:
        """Go on where the lane stood, or begin it: live figures with the tick that is due, a replay where it began."""
        assert self._rules is not None  # noqa: S101 - looked at first
        self._drain()
        with self._database.read() as connection:
            done = checkpoints.load_checkpoint(connection, name)
        start = done if done is not None else began if began is not None else later(now, -TICK)
        if began is None and elapsed(start, now) > MOST_MISSED:
            missed = elapsed(start, now)
            self.counts.skipped += (missed - MOST_MISSED) // TICK
            log.warning("nothing was evaluated for %s; the last %s are made up for", missed, MOST_MISSED)
            start = later(now, -MOST_MISSED)
        start = min(start, now) if began is None else start
        evaluator = self._rules.make_evaluator(self._figures, name)
        evaluator.add_series(one for one in self._series if self._feed_of[one.id] == self._number(name))
        evaluator.restore(self._ledger.load(name), start)
        evaluator.prepare(start)
        before = later(start, -evaluator.reach)
        evaluator.add_samples(
            samples_between(self._figures, name, before, later(now, timedelta(days=36_500)), self._cursor)
        )
        self._feeds[name] = _FeedUnderEvaluation(name, evaluator, start, start, start)

    def _number(self, feed: str) -> int:
        return self._feed_numbers.setdefault(feed, len(self._feed_numbers) + 1)

    def _drain(self) -> None:
        """Take what arrived since the last look."""
        if not self._feeds and not self._cursor:
            self._cursor = self._figures.head()
            self._learn()
            return
        self._cursor = read_new_samples(self._figures, self._cursor, self._hand_out)

    def _hand_out(self, columns: SampleArrays) -> None:
        if not len(columns):
            return
        if int(columns.series.max()) > self._newest_series:
            self._learn()
        feeds = self._feed_of[columns.series]
        for feed in self._feeds.values():
            mine = feeds == self._number(feed.name)
            if mine.any():
                feed.evaluator.add_samples(columns if mine.all() else columns.select(mine))

    def _learn(self) -> None:
        """New series, with their lanes."""
        for one in self._figures.series(self._newest_series):
            series = SeriesDescriptor(one.id, one.metric, one.labels)
            self._series.append(series)
            self._newest_series = one.id
            if one.id >= self._feed_of.size:
                more = max(one.id + 1, 2 * self._feed_of.size) - self._feed_of.size
                self._feed_of = np.concatenate([self._feed_of, np.zeros(more, dtype=np.int64)])
            self._feed_of[one.id] = self._number(one.lane)
            if one.lane in self._feeds:
                self._feeds[one.lane].evaluator.add_series([series])

    # --- ticks

    def _tick_live(self, until: DateTime) -> bool:
        feed = self._feeds[LIVE_FEED]
        if feed.at >= until:
            return False
        begun, first = time.monotonic(), feed.at
        while feed.at < until and not self._stopped.is_set():
            self._tick(feed)
        took = time.monotonic() - begun
        if elapsed(first, until) == TICK:  # making up for a pause is no overrun
            self.counts.overrun += took > TICK.total_seconds()
            self.counts.last_ms = round(took * 1000, 1)
            self.counts.slowest_ms = max(self.counts.slowest_ms, self.counts.last_ms)
        elif elapsed(first, until) > TICK and self.counts.ticks > 1:
            self.counts.overrun += elapsed(first, until) // TICK - 1
        self._commit(feed)
        feed.evaluator.prepare(later(feed.at, _AHEAD))
        return False

    def _tick_replay(self, replay: Replay) -> bool:
        """Every tick of the replay up to where it has come, for half a second; whether there are more."""
        feed, until = self._feeds[replay.lane], floor_to_tick(replay.position)
        ends = time.monotonic() + _STEP_SECONDS
        while feed.at < until and time.monotonic() < ends:
            self._tick(feed)
        if feed.at < until:
            return True
        if replay.ended_at is not None:
            self._commit(feed, at_once=True)
            del self._feeds[replay.lane]
            self._ended.add(replay.lane)
        return False

    def _tick(self, feed: _FeedUnderEvaluation) -> None:
        at = later(feed.at, TICK)
        feed.waiting += feed.evaluator.tick(at)
        feed.at = at
        self.counts.ticks += 1

    def _commit(self, feed: _FeedUnderEvaluation, *, at_once: bool = False) -> None:
        """Commit what changed, at most once a second."""
        now = time.monotonic()
        if feed.waiting and (at_once or now - feed.committed >= self._commit_pause):
            self._ledger.commit(feed.name, feed.waiting, feed.at)
            feed.waiting, feed.done, feed.committed = [], feed.at, now
        elif at_once and feed.done < feed.at:
            self._mark(feed)

    def _mark(self, feed: _FeedUnderEvaluation) -> None:
        with self._database.write() as connection:
            checkpoints.require_lease(connection, self.lease)
            checkpoints.save_checkpoint(connection, feed.name, feed.at, self._clock())
        feed.done = feed.at

    def _say(self, *, at_once: bool = False) -> None:
        """Keep how far we are and how it goes, once a minute: no tick writes anything by itself."""
        if not at_once and time.monotonic() - self._said < _SAY_PAUSE:
            return
        self._said = time.monotonic()
        now = self._clock()
        with self._database.write() as connection:
            checkpoints.require_lease(connection, self.lease)
            for feed in self._feeds.values():
                if not feed.waiting:
                    checkpoints.save_checkpoint(connection, feed.name, feed.at, now)
                    feed.done = feed.at
            checkpoints.save_evaluator_facts(connection, self.facts(), now)

    def facts(self) -> dict[str, Any]:
        """What the evaluation reports of itself."""
        return {
            "engine": self._holder,
            "lease": self.lease.number if self.lease else 0,
            "rules": len(self._rules.rules) if self._rules else 0,
            "series": sum(feed.evaluator.size for feed in self._feeds.values()),
            "lanes": {feed.name: feed.at.isoformat() for feed in self._feeds.values()},
            **vars(self.counts),
        }


def floor_to_tick(at: DateTime) -> DateTime:
    """The last tick at or before a time."""
    return from_micros(to_micros(at) // GRAIN * GRAIN)
