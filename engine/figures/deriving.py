"""Figures that follow from others."""

from __future__ import annotations

import json

from storage.figures import Batch, SeriesName, canonical


def derived(batch: Batch) -> Batch:
    """What follows from the samples of a batch: mentions with a mood give `negative_mentions`, 0 for the others."""
    more = Batch(batch.lane)
    names: dict[SeriesName, tuple[SeriesName, bool]] = {}
    for name in set(batch.names):
        if name[0] == "mentions":
            labels = json.loads(name[1])
            mood = labels.pop("mood", None)
            if mood is not None:
                names[name] = ("negative_mentions", canonical(labels)), mood == "negative"
    if names:
        for place, name in enumerate(batch.names):
            if name in names:
                new, negative = names[name]
                more.add(new, batch.at[place], batch.value[place] if negative else 0.0, batch.events[place])
    return more
