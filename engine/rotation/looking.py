"""One look at the rotations: by the engine every few seconds, by the sweep, by a test with its own clock."""

from __future__ import annotations

from pendulum import DateTime

from engine.house import House
from engine.rotation.calendars import Calendars
from engine.rotation.handing import hand_over_shifts


def calendars_of(house: House) -> Calendars:
    """The calendars of a house."""
    return Calendars(house.settings.calendars_dir, house.settings.roster_file.parent)


def fetch_calendars(house: House, now: DateTime) -> int:
    """Fetch what is due. It may take as long as a slow address does: in a thread of its own."""
    return calendars_of(house).refresh(house.written_roster(), now)


def look(house: House, now: DateTime) -> int:
    """Hand over the changes of shift that have come; how many."""
    return hand_over_shifts(house, now)
