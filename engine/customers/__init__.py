"""Affected customers and the follow-up: taken in, asked, heard, forgotten. No Prefect."""
