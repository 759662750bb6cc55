"""Responses to cases: commands, declarations, turns, and the outbox rows that they enqueue."""
