"""The command line: thin, quick to start, a client of the API."""
