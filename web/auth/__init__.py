"""Authentication: sessions, tokens, login, single sign-on, account pages, audit log."""
