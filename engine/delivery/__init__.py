"""Delivery: rows of the outbox become messages, and the outcome of each is recorded."""
