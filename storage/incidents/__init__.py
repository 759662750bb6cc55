"""Incidents as rows: responses, steps, timeline, turns, warnings, and the read models of pages and API."""
