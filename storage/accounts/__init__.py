"""Accounts: users, sessions and tokens, failed logins, and their tables."""
