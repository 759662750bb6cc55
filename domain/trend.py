"""What can be said of a figure beside an earlier one, wherever two are compared by an interval."""

from __future__ import annotations

from enum import StrEnum


class Trend(StrEnum):
    """A verdict, or that there is none."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "cannot tell"
