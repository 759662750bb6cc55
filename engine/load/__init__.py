"""Load engine: a process of its own that sends journeys when they are due, and counts what it sees."""
