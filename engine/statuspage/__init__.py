"""Public status page: what it shows, its subscribers, their mail."""
