"""Intake of service samples: over HTTP, from polled sources, and from conversation texts."""
