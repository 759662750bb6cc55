"""Tracker of a rule's state on each of its series.

Numbers in bulk tell which cannot change; the rest go through the state machine. What is skipped here would
come out of `domain.warning.state_machine.advance_state` as the same object. What lies within a hair of a limit, or
needs a test of chance, is not skipped.

`_settled` and `_heard_out` repeat that module's conditions in numpy. `tests/unit/test_tracker_skips.py` holds the two
against each other in every phase, on and around each limit and span; a change to either that the other does not
follow fails it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from domain.warning.daily_rules import last_whole_day
from domain.warning.reading import RuleReading
from domain.warning.rule import VOLUMES, Condition, Rule, SeriesKey
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange
from domain.warning.state_machine import advance_state
from engine.warning.rule_reader import RuleReader, SlotReadings
from engine.warning.sample_arrays import SECOND, Floats, Ints, Truths
from engine.warning.series_groups import NEVER, SeriesGroups
from storage.samples.sample_store import from_micros, to_micros

_PHASES = tuple(RulePhase)
_OK, _PENDING, _FIRING, _RECOVERING, _NO_DATA = range(5)
_HAIR = 1e-8
_START = RuleState()
_FEW = 4  # series that are judged one by one sooner than in bulk


class RuleTracker:
    """Tracks one rule on all its series."""

    def __init__(self, rule: Rule, groups: SeriesGroups, gauge: RuleReader) -> None:
        self.rule, self.groups, self.reader = rule, groups, gauge
        self._standings: list[RuleState] = []
        self._phase = np.zeros(0, dtype=np.int8)
        self._tier = np.zeros(0, dtype=np.int8)  # place in the rule's levels; -1: none
        self._since = np.zeros(0, dtype=np.int64)
        self._plain = np.zeros(0, dtype=np.bool_)  # nothing worse is waiting, and it is not silent
        self._hushed = np.zeros(0, dtype=np.bool_)  # silent, nothing worse waiting
        self._day = ""
        self.readings: SlotReadings | None = None  # of the last tick at which it looked
        if not rule.by:
            groups.slot(())

    # --- standings

    def restore(self, rule_states: Mapping[SeriesKey, RuleState]) -> None:
        """Restore the recorded states."""
        for key, rule_state in rule_states.items():
            if {name for name, _ in key} == set(self.rule.by):
                slot = self.groups.slot(key)
                self._grow()
                self._set(slot, rule_state)

    def rule_states(self) -> Iterator[tuple[SeriesKey, RuleState]]:
        """Yield every series with its state."""
        self._grow()
        for slot, key in enumerate(self.groups.keys):
            if key is not None:
                yield key, self._standings[slot]

    def _grow(self) -> None:
        missing = self.groups.size - len(self._standings)
        if missing <= 0:
            return
        self._standings += [_START] * missing
        self._phase = np.concatenate([self._phase, np.full(missing, _OK, dtype=np.int8)])
        self._tier = np.concatenate([self._tier, np.full(missing, -1, dtype=np.int8)])
        self._since = np.concatenate([self._since, np.full(missing, NEVER)])
        self._plain = np.concatenate([self._plain, np.ones(missing, dtype=np.bool_)])
        self._hushed = np.concatenate([self._hushed, np.zeros(missing, dtype=np.bool_)])

    def _set(self, slot: int, rule_state: RuleState) -> None:
        self._standings[slot] = rule_state
        self._phase[slot] = _PHASES.index(rule_state.phase)
        tiers = [level.tier for level in self.rule.levels]
        self._tier[slot] = tiers.index(rule_state.tier) if rule_state.tier in tiers else -1
        self._since[slot] = NEVER if rule_state.since is None else to_micros(rule_state.since)
        self._plain[slot] = rule_state.worse is None and not rule_state.silent
        self._hushed[slot] = rule_state.worse is None and rule_state.silent

    def idle(self) -> Truths:
        """By slot: ok or without data, so that nothing is lost when it is forgotten."""
        self._grow()
        idle: Truths = (self._phase == _OK) | (self._phase == _NO_DATA)
        return idle

    def forget(self, slots: list[int], at: int) -> list[RuleStateChange]:
        """Forget series that are gone; a state that held there is over."""
        changes = []
        for slot in slots:
            key, before = self.groups.keys[slot], self._standings[slot]
            if key is not None and before != _START:
                changes.append(RuleStateChange(self.rule.id, key, before, _START, RuleReading(from_micros(at), None)))
            self._set(slot, _START)
        return changes

    # --- a tick

    def tick(self, rule: Rule, at: int) -> list[RuleStateChange]:
        """Read and judge. `rule`: as it is in force now (a campaign may have its own thresholds)."""
        if rule.daily:
            day, _, _ = last_whole_day(from_micros(at), rule.zone)
            if day == self._day:  # every series of that day has been judged
                return []
            self._day = day
        self._grow()
        readings = self.readings = self.reader.read(at)
        newest = self.groups.newest()
        if rule.daily or len(self.groups.slots) <= _FEW:
            ask = list(self.groups.slots.values())
        else:
            ask = np.flatnonzero(self.groups.live & ~self._settled(rule, readings, newest, at)).tolist()
        return list(self._advance(rule, readings, newest, ask, at))

    def _advance(
        self, rule: Rule, readings: SlotReadings, newest: Ints, slots: list[int], at: int
    ) -> Iterator[RuleStateChange]:
        now = from_micros(at)
        for slot in slots:
            key, before = self.groups.keys[slot], self._standings[slot]
            last = int(newest[slot])
            reading = RuleReading(
                now, _or_none(readings.value[slot]), float(readings.events[slot]), _or_none(readings.baseline[slot]),
                float(readings.baseline_events[slot]), None if last == NEVER else from_micros(last),
            )  # fmt: skip
            after = advance_state(rule, before, reading)
            if after is not before:
                self._set(slot, after)
                if key is not None and after != before:
                    yield RuleStateChange(rule.id, key, before, after, reading)

    def _settled(self, rule: Rule, readings: SlotReadings, newest: Ints, at: int) -> Truths:
        """By slot: surely nothing happens at this tick."""
        phase, plain = self._phase, self._plain
        known = newest != NEVER
        watched = known | (self._since != NEVER)
        last = np.where(known, newest, np.where(watched, self._since, at))
        silent = watched & (at - last >= _micros(rule.no_data_after.total_seconds()))
        valued = ~np.isnan(readings.value)
        with np.errstate(invalid="ignore", divide="ignore"):
            figure = _measure(rule, readings)
            enough = _enough(rule, readings)
            heard = self._heard_out(rule, figure, enough, at)
        quiet = (phase == _NO_DATA) if rule.no_data != "warn" else np.zeros_like(silent)
        quiet |= (phase == _FIRING) & self._hushed & (rule.no_data != "resolve")
        settled: Truths = np.where(silent, quiet, watched & (~valued | (plain & heard)))
        return settled

    def _heard_out(self, rule: Rule, figure: Floats, enough: Truths, at: int) -> Truths:
        """Of those that have a value: nothing new in it."""
        phase, tier, since = self._phase, self._tier, self._since
        some = ~np.isnan(figure)
        concludes = some & (enough | (rule.aggregate in VOLUMES))
        past, short = _sides(rule, figure)  # surely past the threshold of each level, surely not
        still, over = _sides(rule, figure, recover=True)
        calm = ~some | ~enough | short[0]  # no level breached
        settled: Truths = (phase == _OK) & calm
        waits = at - since < _micros(rule.for_.total_seconds())
        lasts = at - since < _micros(rule.keep_firing.total_seconds())
        mended = np.logical_and.reduce(over)
        for place in range(len(rule.levels)):
            here = tier == place
            no_worse = np.logical_and.reduce(short[place + 1 :]) if place + 1 < len(rule.levels) else True
            if rule.significance is None:
                settled |= (phase == _PENDING) & here & some & enough & past[place] & no_worse & waits
            goes_on = ~concludes | (still[place] & (no_worse | ~enough))
            settled |= (phase == _FIRING) & here & goes_on
        settled |= (phase == _RECOVERING) & (~concludes | (mended & lasts))
        return settled


def _micros(seconds: float) -> int:
    return int(seconds * SECOND)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _measure(rule: Rule, readings: SlotReadings) -> Floats:
    """As `domain.warning.judgement.measure`."""
    if not rule.condition.compares:
        return readings.value
    change = readings.value - readings.baseline
    if rule.points:
        return change
    return np.where(change == 0, 0.0, change / np.abs(readings.baseline))


def _enough(rule: Rule, readings: SlotReadings) -> Truths:
    """As `domain.warning.judgement.enough`."""
    events = readings.events
    if rule.condition.compares:
        pick = np.maximum if rule.aggregate in VOLUMES else np.minimum
        events = pick(events, readings.baseline_events)
    enough: Truths = events >= rule.min_samples
    return enough


def _sides(rule: Rule, figure: Floats, *, recover: bool = False) -> tuple[list[Truths], list[Truths]]:
    """For each level: surely past its limit, surely not. Neither: too near to tell in bulk."""
    if rule.condition in (Condition.BELOW, Condition.CHANGE_BELOW):
        figure = -figure
    elif rule.condition is Condition.CHANGE_EITHER:
        figure = np.abs(figure)
    past, short = [], []
    for level in rule.levels:
        limit = level.recover if recover else level.threshold
        limit = -limit if rule.condition is Condition.BELOW else limit
        hair = _HAIR * max(1.0, abs(limit))
        past.append(figure > limit + hair)
        short.append(figure < limit - hair)
    return past, short
