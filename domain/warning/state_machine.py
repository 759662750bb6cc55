"""The state machine of a rule: its next state after one more reading. Pure and total.

    ok -> pending -> firing -> recovering -> ok, and no_data where nothing fires

- *pending*: breached, but not yet for `for`. One good reading, or one with too few events, drops it. A gap
  shorter than `no_data_after` holds it as it is: the next sample is late, and nothing fires without a
  breached reading.
- *firing*: it goes on while `recover` is passed. A higher level has its own `for` and then worsens the same
  warning. Red is lowered to yellow at once when it is beyond red's `recover` while yellow still holds: one
  warning, less bad.
- *recovering*: good again for less than `keep_firing`. `recover` passed once more: the same firing goes on.
- *no data* (no sample for `no_data_after`) is never good news: recovering goes back to firing, a pending is
  dropped. What fires is kept; with `no_data: resolve` a yellow ends in no_data, a red never does. With
  `no_data: warn` missing data itself fires, at the mildest level.

A rule of whole days is judged once a day, by `domain.warning.daily_rules`.

`engine.warning.tracker` repeats in numpy where nothing happens; `tests/unit/test_tracker_skips.py` holds it to this.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pendulum import DateTime

from domain.durations import elapsed
from domain.warning.daily_rules import advance_daily_state
from domain.warning.judgement import Judgement, judge_reading
from domain.warning.reading import RuleReading
from domain.warning.rule import Rule, Tier, tier_rank
from domain.warning.rule_state import RulePhase, RuleState


def advance_state(rule: Rule, rule_state: RuleState, reading: RuleReading) -> RuleState:
    """Return the rule state after the reading; the same object where nothing happened.

    A reading from before the present phase began changes nothing.
    """
    if rule_state.since is not None and reading.at < rule_state.since:
        return rule_state
    if rule.daily:
        return advance_daily_state(rule, rule_state, reading)
    if has_no_data(rule, reading, rule_state.since):
        return _on_no_data(rule, rule_state, reading)
    if reading.value is None:
        never = reading.newest is None and rule_state.since is None
        return replace(rule_state, since=reading.at) if never else rule_state  # silence is counted from here
    return _on_figures(rule, rule_state, reading)


def _on_figures(rule: Rule, rule_state: RuleState, reading: RuleReading) -> RuleState:
    judgement = judge_reading(rule, reading)
    if rule_state.silent:
        if rule_state.value is None and not judgement.concludes:
            return _over(reading)  # silence alone had raised it, and it is over
        rule_state = replace(rule_state, silent=False)
    return _NEXT[rule_state.phase](rule, rule_state, reading, judgement)


def has_no_data(rule: Rule, reading: RuleReading, watched_since: DateTime | None) -> bool:
    """Whether the series has had no sample for `no_data_after`; without any, since it is watched."""
    last = reading.newest if reading.newest is not None else watched_since
    return last is not None and elapsed(last, reading.at) >= rule.no_data_after


def _on_no_data(rule: Rule, rule_state: RuleState, reading: RuleReading) -> RuleState:
    if rule_state.warns:
        if rule.no_data == "resolve" and rule_state.tier is not Tier.RED:
            return RuleState(RulePhase.NO_DATA, reading.at)
        if rule_state.phase is RulePhase.RECOVERING:
            return replace(rule_state, phase=RulePhase.FIRING, since=reading.at, silent=True)
        if rule_state.silent and rule_state.worse is None:
            return rule_state
        return replace(rule_state, worse=None, worse_since=None, silent=True)
    if rule.no_data == "warn":
        return RuleState(RulePhase.FIRING, reading.at, rule.levels[0].tier, firing_since=reading.at, silent=True)
    return rule_state if rule_state.phase is RulePhase.NO_DATA else RuleState(RulePhase.NO_DATA, reading.at)


def _when_ok(rule: Rule, rule_state: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if judgement.breached is None:
        if rule_state.phase is RulePhase.NO_DATA:
            return _over(reading)
        return rule_state
    if rule.for_ <= timedelta(0):
        return _fire(judgement.breached, reading)
    return _seen(RuleState(RulePhase.PENDING, reading.at, judgement.breached), reading)


def _when_pending(rule: Rule, rule_state: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    breached = judgement.breached
    if breached is None:
        return _over(reading)
    now = rule_state
    if tier_rank(breached) < tier_rank(rule_state.tier):  # what is left of a red was yellow all along
        now = replace(rule_state, tier=breached, worse=None, worse_since=None)
    now = _watch_for_worse(now, breached, reading)
    if _lasted(rule, now.worse_since, reading):
        return _fire(breached, reading)
    if _lasted(rule, now.since, reading):
        return replace(_fire(now.tier, reading), worse=now.worse, worse_since=now.worse_since)
    return now


def _when_firing(rule: Rule, rule_state: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if not judgement.concludes:
        return rule_state if rule_state.worse is None else replace(rule_state, worse=None, worse_since=None)
    if judgement.held is None:
        if rule.keep_firing <= timedelta(0):
            return _over(reading)
        recovering = replace(rule_state, phase=RulePhase.RECOVERING, since=reading.at, worse=None, worse_since=None)
        return _seen(recovering, reading)
    now = rule_state
    if tier_rank(judgement.held) < tier_rank(rule_state.tier):
        now = _seen(replace(rule_state, tier=judgement.held), reading)
    now = _watch_for_worse(now, judgement.breached, reading)
    if now.worse is not None and _lasted(rule, now.worse_since, reading):
        return _seen(replace(now, tier=now.worse, worse=None, worse_since=None), reading)
    return now


def _when_recovering(rule: Rule, rule_state: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if not judgement.concludes:
        return rule_state
    if judgement.held is not None:
        again = _seen(replace(rule_state, phase=RulePhase.FIRING, since=reading.at), reading)
        return _when_firing(rule, again, reading, judgement)
    if rule_state.since is None or elapsed(rule_state.since, reading.at) >= rule.keep_firing:
        return _over(reading)
    return rule_state


def _watch_for_worse(rule_state: RuleState, breached: Tier | None, reading: RuleReading) -> RuleState:
    """A higher level begins its own `for`, or is no longer breached."""
    if breached is not None and tier_rank(breached) > tier_rank(rule_state.tier):
        return (
            rule_state if rule_state.worse is breached else replace(rule_state, worse=breached, worse_since=reading.at)
        )
    return rule_state if rule_state.worse is None else replace(rule_state, worse=None, worse_since=None)


def _lasted(rule: Rule, since: DateTime | None, reading: RuleReading) -> bool:
    return since is not None and elapsed(since, reading.at) >= rule.for_


def _fire(tier: Tier | None, reading: RuleReading) -> RuleState:
    return _seen(RuleState(RulePhase.FIRING, reading.at, tier, firing_since=reading.at), reading)


def _over(reading: RuleReading) -> RuleState:
    return _seen(RuleState(RulePhase.OK, reading.at), reading)


def _seen(rule_state: RuleState, reading: RuleReading) -> RuleState:
    """The figures of a change, for people."""
    return replace(rule_state, value=reading.value, baseline=reading.baseline)


_NEXT = {
    RulePhase.OK: _when_ok,
    RulePhase.NO_DATA: _when_ok,
    RulePhase.PENDING: _when_pending,
    RulePhase.FIRING: _when_firing,
    RulePhase.RECOVERING: _when_recovering,
}
