"""The disposition of a warning: it calls somebody, joins a running case, is held back or only shown. Pure.

The rule's state machine says that something is wrong; this decides what follows, given all other open
warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pendulum import DateTime

from domain.durations import elapsed
from domain.text import N_, Reason
from domain.warning.rule import Rule, SeriesKey, Tier, tier_rank
from domain.warning.rule_state import RulePhase, RuleState, RuleStateChange


class Disposition(StrEnum):
    """The disposition of a warning."""

    CALLED = "called"  # it began a response of its own
    JOINED = "joined"  # it belongs to the response of a related warning, or of its own earlier firing
    HELD = "held"  # silenced or inhibited: looked at again for as long as it stands
    SHOWN = "shown"  # its rule starts nothing


class WarningMove(StrEnum):
    """What a change of a rule's state does to a warning."""

    RAISE = "raise"
    WORSEN = "worsen"
    EASE = "ease"
    END = "end"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class RaisedWarning:
    """A recorded warning: one firing of a rule on one of its series.

    Attributes:
        matter: id of the warning or incident whose response it runs; empty while it has none.
        playbook: what its rule started then; empty where it starts nothing.
        began_at, ended_at: in the figures' time.
    """

    id: str
    rule: str
    series: SeriesKey
    tier: Tier
    course: Disposition
    began_at: DateTime
    ended_at: DateTime | None = None
    matter: str = ""
    playbook: str = ""
    service: str = ""
    value: float | None = None
    baseline: float | None = None

    @property
    def standing(self) -> RuleState:
        """The state of its rule, as far as the warning knows."""
        return RuleState(
            RulePhase.FIRING,
            self.began_at,
            self.tier,
            firing_since=self.began_at,
            value=self.value,
            baseline=self.baseline,
        )


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence: no calls for matching warnings until `until`, for a stated reason.

    Empty `rule` and `labels` match all.
    """

    id: str
    until: DateTime
    reason: str
    by: str = ""
    rule: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def covers(self, rule: str, labels: Mapping[str, str], now: DateTime) -> bool:
        """Whether the silence holds back a warning of that rule with these labels now."""
        matches = self.rule in ("", rule) and all(labels.get(name) == value for name, value in self.labels.items())
        return matches and now < self.until


@dataclass(frozen=True, slots=True)
class WarningContext:
    """Context of a decision on one feed: open warnings, the newest ended one of each series, silences, rules."""

    open: Sequence[RaisedWarning] = ()
    ended: Sequence[RaisedWarning] = ()
    silences: Sequence[Silence] = ()
    rules: Mapping[str, Rule] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DispositionRuling:
    """A disposition, why, and the case that the warning joins (CALLED: a new one begins; JOINED: this one)."""

    course: Disposition
    because: Reason
    matter: str = ""


def warning_move(change: RuleStateChange) -> WarningMove:
    """Return a state change's effect on a warning; most changes (pending, recovering, no data) have none."""
    before, after = change.before, change.after
    if after.warns and not before.warns:
        return WarningMove.RAISE
    if before.warns and not after.warns:
        return WarningMove.END
    if not after.warns or after.tier is before.tier:
        return WarningMove.NOTHING
    return WarningMove.WORSEN if tier_rank(after.tier) > tier_rank(before.tier) else WarningMove.EASE


def series_service(rule: Rule, series: SeriesKey) -> str:
    """Return the service that a warning is about: its label `service`; empty where there is none."""
    return series_labels(rule, series).get("service", "")


def series_labels(rule: Rule, series: SeriesKey) -> Mapping[str, str]:
    """Return every label of a series: those that its rule selects and those that tell its series apart."""
    return {**rule.labels, **dict(series)}


def decide_disposition(
    rule: Rule, series: SeriesKey, rule_state: RuleState, scene: WarningContext, now: DateTime
) -> DispositionRuling:
    """Decide the disposition of a warning that has just been raised, or that was held back so far.

    In this order: a rule that starts nothing is shown; a silence, then a rule that inhibits it, holds it back;
    within `quiet` after its end it joins its own earlier case; else that of a related warning (same playbook,
    same service); else somebody is called.
    """
    if rule.starts is None:
        return DispositionRuling(Disposition.SHOWN, Reason(N_("{rule} starts nothing: it is shown"), {"rule": rule.id}))
    held = _held(rule, series, scene, now)
    if held:
        return DispositionRuling(Disposition.HELD, held)
    earlier = _quiet(rule, series, rule_state, scene)
    if earlier:
        again = Reason(N_("{rule} fires again {minutes} min after its end"), _since(rule, earlier, rule_state))
        return DispositionRuling(Disposition.JOINED, again, earlier.matter)
    service = series_service(rule, series)
    for other in scene.open:
        if other.course is Disposition.CALLED and (other.playbook, other.service) == (rule.starts.playbook, service):
            related = Reason(N_("{playbook} runs already for {rule}"), {"playbook": other.playbook, "rule": other.rule})
            return DispositionRuling(Disposition.JOINED, related, other.matter)
    return DispositionRuling(Disposition.CALLED, Reason(N_("{rule} fires"), {"rule": rule.id}))


def _held(rule: Rule, series: SeriesKey, scene: WarningContext, now: DateTime) -> Reason | None:
    labels = series_labels(rule, series)
    for silence in scene.silences:
        if silence.covers(rule.id, labels, now):
            values = {"until": silence.until.to_iso8601_string(), "reason": silence.reason}
            return Reason(N_("silenced until {until}: {reason}"), values)
    service = series_service(rule, series)
    for other in scene.open:
        inhibits = scene.rules[other.rule].inhibits if other.rule in scene.rules else ()
        if rule.id in inhibits and other.service == service:
            return Reason(N_("quieted by {rule}, which fires for the same service"), {"rule": other.rule})
    return None


def _quiet(rule: Rule, series: SeriesKey, rule_state: RuleState, scene: WarningContext) -> RaisedWarning | None:
    for earlier in scene.ended:
        if (earlier.rule, earlier.series) != (rule.id, series) or not earlier.matter or earlier.ended_at is None:
            continue
        if rule_state.firing_since is not None and elapsed(earlier.ended_at, rule_state.firing_since) < rule.quiet:
            return earlier
    return None


def _since(rule: Rule, earlier: RaisedWarning, rule_state: RuleState) -> dict[str, str | int]:
    ended, began = earlier.ended_at, rule_state.firing_since
    span = elapsed(ended, began).total_seconds() if ended is not None and began is not None else 0.0
    return {"rule": rule.id, "minutes": int(span // 60)}
