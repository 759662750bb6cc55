"""Python's garbage collector, told what is not garbage."""

from __future__ import annotations

import gc

# Allocations between two collections of the youngest objects. A declaration makes some thousands, nearly all freed by
# their counts; at Python's 700 a tenth of a storm's processor time went into looking them over.
_YOUNG = 20_000


def leave_the_old_alone() -> None:
    """Once a process has loaded what it works with: that is never garbage, and is not looked over again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
