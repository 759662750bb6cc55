"""On call: calendars, overrides, handovers, and who has each role now."""
