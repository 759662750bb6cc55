"""Rule watch of a drill: our own warning rules on its figures, and when they would have called somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pendulum

from domain.drill.measurement import DrillSecond
from domain.warning.reference_evaluator import Sample, SampleHistory
from domain.warning.rule import TICK, Rule, SeriesKey
from domain.warning.rule_state import RuleState
from domain.warning.state_machine import advance_state

_LABELS = {"service": "drill"}


def samples_of(second: DrillSecond) -> list[Sample]:
    """Convert a second to samples of the metrics that rules know by name."""
    at = pendulum.from_timestamp(second.at)
    found = [
        Sample("backlog", at, float(second.under_way), 1, _LABELS),
        Sample("contacts", at, second.offered, 1, _LABELS),
    ]
    latency = second.p95 if second.p95 is not None else second.oldest
    if latency:
        found += [
            Sample(name, at, latency / 1000, max(second.steps, 1), _LABELS) for name in ("latency", "response_time")
        ]
    if second.steps:
        failed, answered = second.failed / second.steps, 1 - second.unanswered / second.steps
        found += [Sample("error_rate", at, failed, second.steps, _LABELS)]
        found += [Sample("availability", at, answered, second.steps, _LABELS)]
    found.append(Sample("throughput", at, float(second.completed), 1, _LABELS))
    return found


@dataclass(frozen=True, slots=True)
class FiredRule:
    """Rule that fires on one of its series, and its state."""

    rule: Rule
    series: SeriesKey
    rule_state: RuleState


class DrillRuleWatch:
    """Evaluates the rules on a drill's figures, with a tick every ten seconds as on live samples."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = {rule.id: rule for rule in rules}
        self._samples: list[Sample] = []
        self._standings: dict[tuple[str, SeriesKey], RuleState] = {}
        self._ticked = 0.0

    def add_second(self, second: DrillSecond) -> None:
        """Add one more second."""
        self._samples += samples_of(second)

    def firing_rules(self, now: float) -> list[FiredRule]:
        """List the rules that fire at the last tick; asked often, evaluated once a tick."""
        size = TICK.total_seconds()
        tick = now // size * size
        if tick > self._ticked:
            self._ticked = tick
            at = pendulum.from_timestamp(tick)
            for rule in self._rules.values():
                history = SampleHistory(rule, [one for one in self._samples if one.at <= at])
                for series in history.series():
                    before = self._standings.get((rule.id, series), RuleState())
                    self._standings[rule.id, series] = advance_state(
                        rule, before, history.read(at, series, frozenset())
                    )
        return [
            FiredRule(self._rules[rule], series, standing)
            for (rule, series), standing in self._standings.items()
            if standing.warns
        ]

    @property
    def last_tick(self) -> float:
        """The last tick, in seconds since 1970."""
        return self._ticked
