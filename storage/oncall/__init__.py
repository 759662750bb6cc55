"""The on-call schedule as rows: overrides and handovers."""
