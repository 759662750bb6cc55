"""Accounts of the console: passwords, login links, sessions, single sign-on."""
