"""Metrics that are derived from others."""

from __future__ import annotations

import json

from storage.samples.sample_store import SampleBatch, SeriesName, canonical_labels


def derive_samples(batch: SampleBatch) -> SampleBatch:
    """Derive samples of a batch: mentions with a mood give `negative_mentions`, 0 for the others."""
    more = SampleBatch(batch.lane)
    names: dict[SeriesName, tuple[SeriesName, bool]] = {}
    for name in set(batch.names):
        if name[0] == "mentions":
            labels = json.loads(name[1])
            mood = labels.pop("mood", None)
            if mood is not None:
                names[name] = ("negative_mentions", canonical_labels(labels)), mood == "negative"
    if names:
        for place, name in enumerate(batch.names):
            if name in names:
                new, negative = names[name]
                more.add(new, batch.at[place], batch.value[place] if negative else 0.0, batch.events[place])
    return more
