"""What a rule sees at one tick of one of its series."""

from __future__ import annotations

from dataclasses import dataclass

from pendulum import DateTime


@dataclass(frozen=True, slots=True)
class Reading:
    """The figure of a window that ends at `at` (exclusive), and what it is compared with.

    Attributes:
        value: the aggregate, in the metric's unit; None: no sample in the window.
        events: events behind it (sum of counts; for a share with `per`: the denominator).
        baseline: the comparable period's value, scaled to the same window; None: there is none.
        baseline_events: events behind the baseline.
        newest: time of the newest sample of the series; None: never one.
    """

    at: DateTime
    value: float | None
    events: float = 0
    baseline: float | None = None
    baseline_events: float = 0
    newest: DateTime | None = None
