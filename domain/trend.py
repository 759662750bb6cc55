"""The trend of a figure against an earlier one, judged by an interval."""

from __future__ import annotations

from enum import StrEnum


class Trend(StrEnum):
    """The verdict of a comparison: better, same, worse, or unknown."""

    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "cannot tell"
