"""The HTTP API, the pages and the inbox: engine commands in, read models out."""
