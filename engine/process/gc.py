"""Garbage collection of long-running processes: startup objects are frozen, collections made rarer."""

from __future__ import annotations

import gc

# Allocations between two collections of the youngest objects. A declaration makes some thousands, nearly all freed by
# their counts; at Python's 700 a tenth of a storm's processor time went into looking them over.
_YOUNG = 20_000


def freeze_startup_objects() -> None:
    """Freeze the objects that a process has loaded at start: they are never garbage, nor scanned again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 50)
