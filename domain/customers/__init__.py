"""Affected customers: who they are, what they are owed, when they may be asked, what they answered. Pure."""
