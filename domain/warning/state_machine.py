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


def advance_state(rule: Rule, standing: RuleState, reading: RuleReading) -> RuleState:
    """Return the rule state after the reading; the same object where nothing happened.

    A reading from before the present phase began changes nothing.
    """
    if standing.since is not None and reading.at < standing.since:
        return standing
    if rule.daily:
        return advance_daily_state(rule, standing, reading)
    if has_no_data(rule, reading, standing.since):
        return _on_no_data(rule, standing, reading)
    if reading.value is None:
        never = reading.newest is None and standing.since is None
        return replace(standing, since=reading.at) if never else standing  # silence is counted from here
    return _on_figures(rule, standing, reading)


def _on_figures(rule: Rule, standing: RuleState, reading: RuleReading) -> RuleState:
    judgement = judge_reading(rule, reading)
    if standing.silent:
        if standing.value is None and not judgement.concludes:
            return _over(reading)  # silence alone had raised it, and it is over
        standing = replace(standing, silent=False)
    return _NEXT[standing.phase](rule, standing, reading, judgement)


def has_no_data(rule: Rule, reading: RuleReading, watched_since: DateTime | None) -> bool:
    """Whether the series has had no sample for `no_data_after`; without any, since it is watched."""
    last = reading.newest if reading.newest is not None else watched_since
    return last is not None and elapsed(last, reading.at) >= rule.no_data_after


def _on_no_data(rule: Rule, standing: RuleState, reading: RuleReading) -> RuleState:
    if standing.warns:
        if rule.no_data == "resolve" and standing.tier is not Tier.RED:
            return RuleState(RulePhase.NO_DATA, reading.at)
        if standing.phase is RulePhase.RECOVERING:
            return replace(standing, phase=RulePhase.FIRING, since=reading.at, silent=True)
        if standing.silent and standing.worse is None:
            return standing
        return replace(standing, worse=None, worse_since=None, silent=True)
    if rule.no_data == "warn":
        return RuleState(RulePhase.FIRING, reading.at, rule.levels[0].tier, firing_since=reading.at, silent=True)
    return standing if standing.phase is RulePhase.NO_DATA else RuleState(RulePhase.NO_DATA, reading.at)


def _when_ok(rule: Rule, standing: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if judgement.breached is None:
        if standing.phase is RulePhase.NO_DATA:
            return _over(reading)
        return standing
    if rule.for_ <= timedelta(0):
        return _fire(judgement.breached, reading)
    return _seen(RuleState(RulePhase.PENDING, reading.at, judgement.breached), reading)


def _when_pending(rule: Rule, standing: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    breached = judgement.breached
    if breached is None:
        return _over(reading)
    now = standing
    if tier_rank(breached) < tier_rank(standing.tier):  # what is left of a red was yellow all along
        now = replace(standing, tier=breached, worse=None, worse_since=None)
    now = _watch_for_worse(now, breached, reading)
    if _lasted(rule, now.worse_since, reading):
        return _fire(breached, reading)
    if _lasted(rule, now.since, reading):
        return replace(_fire(now.tier, reading), worse=now.worse, worse_since=now.worse_since)
    return now


def _when_firing(rule: Rule, standing: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if not judgement.concludes:
        return standing if standing.worse is None else replace(standing, worse=None, worse_since=None)
    if judgement.held is None:
        if rule.keep_firing <= timedelta(0):
            return _over(reading)
        recovering = replace(standing, phase=RulePhase.RECOVERING, since=reading.at, worse=None, worse_since=None)
        return _seen(recovering, reading)
    now = standing
    if tier_rank(judgement.held) < tier_rank(standing.tier):
        now = _seen(replace(standing, tier=judgement.held), reading)
    now = _watch_for_worse(now, judgement.breached, reading)
    if now.worse is not None and _lasted(rule, now.worse_since, reading):
        return _seen(replace(now, tier=now.worse, worse=None, worse_since=None), reading)
    return now


def _when_recovering(rule: Rule, standing: RuleState, reading: RuleReading, judgement: Judgement) -> RuleState:
    if not judgement.concludes:
        return standing
    if judgement.held is not None:
        again = _seen(replace(standing, phase=RulePhase.FIRING, since=reading.at), reading)
        return _when_firing(rule, again, reading, judgement)
    if standing.since is None or elapsed(standing.since, reading.at) >= rule.keep_firing:
        return _over(reading)
    return standing


def _watch_for_worse(standing: RuleState, breached: Tier | None, reading: RuleReading) -> RuleState:
    """A higher level begins its own `for`, or is no longer breached."""
    if breached is not None and tier_rank(breached) > tier_rank(standing.tier):
        return standing if standing.worse is breached else replace(standing, worse=breached, worse_since=reading.at)
    return standing if standing.worse is None else replace(standing, worse=None, worse_since=None)


def _lasted(rule: Rule, since: DateTime | None, reading: RuleReading) -> bool:
    return since is not None and elapsed(since, reading.at) >= rule.for_


def _fire(tier: Tier | None, reading: RuleReading) -> RuleState:
    return _seen(RuleState(RulePhase.FIRING, reading.at, tier, firing_since=reading.at), reading)


def _over(reading: RuleReading) -> RuleState:
    return _seen(RuleState(RulePhase.OK, reading.at), reading)


def _seen(standing: RuleState, reading: RuleReading) -> RuleState:
    """The figures of a change, for people."""
    return replace(standing, value=reading.value, baseline=reading.baseline)


_NEXT = {
    RulePhase.OK: _when_ok,
    RulePhase.NO_DATA: _when_ok,
    RulePhase.PENDING: _when_pending,
    RulePhase.FIRING: _when_firing,
    RulePhase.RECOVERING: _when_recovering,
}
