"""Command line: a thin client of the API, quick to start."""
