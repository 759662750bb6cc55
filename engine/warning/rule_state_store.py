"""Store of rule states, which commits what their changes cause in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pendulum import DateTime

from domain.text import Text
from domain.warning.disposition import Disposition, RaisedWarning, WarningContext, WarningMove, warning_move
from domain.warning.rule import Rule, SeriesKey
from domain.warning.rule_state import RuleState, RuleStateChange
from engine.installation import Installation
from engine.warning import checkpoints
from engine.warning.effects import RuleReport, WarningEffects
from storage.database import Connection
from storage.incidents import warnings
from storage.incidents.warnings import WARNING_RETENTION
from storage.samples.sample_store import LIVE_FEED

# What people who are called for a rule on a series should know, by what the figures say at that tick of the lane.
Advise = Callable[[Rule, SeriesKey, DateTime, str], Text | None]
MOST_AT_ONCE = 25  # changes that move somebody, of one transaction: some tenth of a second of the lock


class WarningStateStore:
    """Store of rule states in an installation's database.

    `rules`: every rule, in force or not, by id; `clock`: time on the wall.
    """

    def __init__(
        self, installation: Installation, rules: Callable[[], Mapping[str, Rule]], clock: Callable[[], DateTime],
        advise: Advise = lambda *_: None,
    ) -> None:  # fmt: skip
        self._installation, self._rules, self._clock, self._advise = installation, rules, clock, advise
        self.lease: checkpoints.EvaluatorLease | None = None  # of the engine that writes here
        self._held: dict[str, bool] = {}  # lane -> whether any warning is held back; unknown before the first look

    def load(self, feed: str) -> dict[tuple[str, SeriesKey], RuleState]:
        """Load the state of every rule on the feed."""
        with self._installation.database.read() as connection:
            return warnings.load_rule_states(connection, feed)

    def commit(self, feed: str, changes: Sequence[RuleStateChange], at: DateTime) -> None:
        """Commit changes, in their order, with all they cause; `at` is marked as done with the last of them.

        Each is one transaction with what it causes. Where hundreds call somebody at once they are written in
        several batches, so that no deadline waits for the lock; broken off between two, what is done is not done
        again.
        """
        rules = self._rules()
        moving = [
            change for change in changes if change.rule in rules and warning_move(change) is not WarningMove.NOTHING
        ]
        cuts = [changes.index(change) for change in moving[MOST_AT_ONCE:-1:MOST_AT_ONCE]]
        for begin, end in zip([0, *cuts], [*cuts, len(changes)], strict=True):
            self._commit(feed, changes[begin:end], at, rules, last=end == len(changes))

    def _commit(
        self, feed: str, changes: Sequence[RuleStateChange], at: DateTime, rules: Mapping[str, Rule], *, last: bool
    ) -> None:
        now = self._clock()
        raised = [
            (one.rule, one.series) for one in changes if one.rule in rules and warning_move(one) is WarningMove.RAISE
        ]
        advice = self._advice(rules, raised, feed, at)
        with self._installation.database.write() as connection:
            checkpoints.require_lease(connection, self.lease)
            stands = {(change.rule, change.series): change.after for change in changes}
            warnings.save_rule_states(connection, feed, stands, at)
            if last:
                checkpoints.save_checkpoint(connection, feed, at, now)
            moved = [
                change for change in changes if change.rule in rules and warning_move(change) is not WarningMove.NOTHING
            ]
            if not moved:
                return
            acting = WarningEffects(connection, self._installation, feed, now, advice)
            bench = _Bench(acting, self._scene(connection, feed, rules, at, now))
            for change in moved:
                bench.take(change)
            bench.review()
            self._held[feed] = bench.holds()

    def review(self, feed: str, at: DateTime) -> None:
        """Reconsider what is held back: its silence may be over, or the rule that quieted it good again."""
        if not self._held.get(feed, True):
            return
        rules, now = self._rules(), self._clock()
        with self._installation.database.read() as connection:
            held = [one for one in warnings.list_open_warnings(connection, feed) if one.course is Disposition.HELD]
        self._held[feed] = bool(held)
        if not held:
            return
        advice = self._advice(rules, [(one.rule, one.series) for one in held], feed, at)
        with self._installation.database.write() as connection:
            checkpoints.require_lease(connection, self.lease)
            acting = WarningEffects(connection, self._installation, feed, now, advice)
            bench = _Bench(acting, self._scene(connection, feed, rules, at, now))
            bench.review()
            self._held[feed] = bench.holds()

    def _advice(
        self, rules: Mapping[str, Rule], series: Sequence[tuple[str, SeriesKey]], feed: str, at: DateTime
    ) -> dict[tuple[str, SeriesKey], Text]:
        """Worked out before the lock is taken: it reads figures."""
        found = {(rule, key): self._advise(rules[rule], key, at, feed) for rule, key in series if rule in rules}
        return {place: text for place, text in found.items() if text}

    def _scene(
        self, connection: Connection, feed: str, rules: Mapping[str, Rule], at: DateTime, now: DateTime
    ) -> WarningContext:
        quiet = [rule.id for rule in rules.values() if rule.quiet]
        return WarningContext(
            open=warnings.list_open_warnings(connection, feed),
            ended=warnings.list_ended_warnings(connection, feed, quiet, at - WARNING_RETENTION),
            # A replay shows what the rules would have done: nobody's silence of today is about it.
            silences=warnings.list_silences(connection, now) if feed == LIVE_FEED else (),
            rules=rules,
        )


class _Bench:
    """The warnings of one lane while changes are carried out: what one does, the next one sees."""

    def __init__(self, acting: WarningEffects, scene: WarningContext) -> None:
        self._acting, self._scene = acting, scene
        self._open = {(one.rule, one.series): one for one in scene.open}

    def take(self, change: RuleStateChange) -> None:
        """Carry out one change."""
        said = RuleReport(self._scene.rules[change.rule], change.series, change.after)
        move, key = warning_move(change), (change.rule, change.series)
        mine = self._open.get(key)
        if move is WarningMove.RAISE and mine is None:
            self._put(self._acting.raise_warning(said, self._now_standing()))
        elif move in (WarningMove.WORSEN, WarningMove.EASE) and mine is not None:
            self._put(self._acting.change_tier(mine, said))
        elif move is WarningMove.END and mine is not None:
            ended = self._acting.end_warning(mine, said, change.reading.at)
            del self._open[key]
            self._scene = WarningContext(
                self._scene.open, [ended, *self._scene.ended], self._scene.silences, self._scene.rules
            )

    def review(self) -> None:
        """Decide anew on what is held back."""
        for held in list(self._open.values()):
            if held.course is Disposition.HELD and held.rule in self._scene.rules:
                said = RuleReport(self._scene.rules[held.rule], held.series, held.standing)
                self._put(self._acting.reconsider(held, said, self._now_standing(without=held)))

    def holds(self) -> bool:
        """Whether anything is held back."""
        return any(one.course is Disposition.HELD for one in self._open.values())

    def _put(self, raised: RaisedWarning) -> None:
        self._open[raised.rule, raised.series] = raised

    def _now_standing(self, without: RaisedWarning | None = None) -> WarningContext:
        scene = self._scene
        open_ = [one for one in self._open.values() if one is not without]
        return WarningContext(open_, scene.ended, scene.silences, scene.rules)
