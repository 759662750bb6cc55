"""Tests, grouped by kind: unit, integration, smoke, browser."""
