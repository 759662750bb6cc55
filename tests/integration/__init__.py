"""Real processes, databases and servers on loopback."""
