"""Service samples: the store, rollups, replays, polled sources, program tokens."""
