"""Affected customers, their contacts and follow-ups, and their tables."""
