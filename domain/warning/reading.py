"""The reading of a rule at one tick of one of its series."""

from __future__ import annotations

from dataclasses import dataclass

from pendulum import DateTime


@dataclass(frozen=True, slots=True)
class RuleReading:
    """The figure of a window that ends at `at` (exclusive), and what it is compared with.

    `domain.warning.reference_evaluator.read_window` is the reference of how each is made.

    Attributes:
        value: the aggregate, in the metric's unit (shares as 0 to 1); None: no sample in the window.
        events: events behind it: sum of counts; for `sum` and `rate` the sum of the values, since a volume's
            value is its events; for a share with `per` the denominator.
        baseline: the comparable period's value, for a window of the same length; None: there is none.
        baseline_events: events behind the baseline, of all its windows together (four weeks: four windows).
        newest: time of the newest sample of the series before `at` (with `per`: the older of both metrics'
            newest); None: never one.
    """

    at: DateTime
    value: float | None
    events: float = 0
    baseline: float | None = None
    baseline_events: float = 0
    newest: DateTime | None = None
