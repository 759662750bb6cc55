"""Child processes of an installation: supervisor, heartbeats, start-up checks, clock."""
