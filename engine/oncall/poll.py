"""Poll of on-call: run by the engine every few seconds, by the sweep, and by tests with their own clock."""

from __future__ import annotations

from pendulum import DateTime

from engine.installation import Installation
from engine.oncall.calendars import RoleCalendars
from engine.oncall.handover import hand_over_shifts


def get_role_calendars(installation: Installation) -> RoleCalendars:
    """Return the role calendars of an installation."""
    return RoleCalendars(installation.settings.calendars_dir, installation.settings.roster_file.parent)


def fetch_calendars(installation: Installation, now: DateTime) -> int:
    """Fetch the calendars that are due, in a thread of its own: it takes as long as a slow address does."""
    return get_role_calendars(installation).refresh(installation.written_roster(), now)


def hand_over_due(installation: Installation, now: DateTime) -> int:
    """Hand over the changes of shift that have come; return how many."""
    return hand_over_shifts(installation, now)
