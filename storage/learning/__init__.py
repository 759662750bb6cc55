"""Learning as rows: suggestions, promised actions, recurrences, and their tables."""
