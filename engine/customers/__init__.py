"""Affected customers and their follow-up: import, surveys, answers, callbacks, erasure. No Prefect."""
