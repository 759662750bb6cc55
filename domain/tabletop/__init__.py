"""Tabletop: sudden situations put to people in a rehearsal, and how well they were met. Pure."""
