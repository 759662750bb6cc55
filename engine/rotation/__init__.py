"""Who is on duty now: calendars, overrides by hand, hand-overs."""
