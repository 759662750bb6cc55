"""Settings, sessions, tables and read models: the one place where facts are kept."""
