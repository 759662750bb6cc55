"""Putting somebody on duty by hand, and ending it."""

from __future__ import annotations

from datetime import timedelta

from pendulum import DateTime

from domain.durations import elapsed, later
from domain.handle import Refused
from domain.rotation import Override
from domain.text import unshowable
from engine.house import House
from storage import rotations

LONGEST = timedelta(days=92)
MOST_BACK = timedelta(days=1)  # a swap that was agreed on the phone is often written down afterwards
MOST_WORDS = 500


def put_on_duty(house: House, wanted: Override) -> bool:
    """Keep an override; False: it is kept already under that id. It is in force within a second.

    Raises:
        Refused: nobody of that name, no such role, an end before the start, no reason.
    """
    roster = house.written_roster()
    if wanted.role not in roster.roles:
        raise Refused(f"the roster has no role {wanted.role[:60]!r}: one of {', '.join(roster.roles)}")
    if wanted.person not in roster.people:
        raise Refused(f"the roster does not know {wanted.person[:60]!r}: one of {', '.join(roster.people)}")
    if wanted.end <= wanted.start:
        raise Refused("it ends before it begins: give --until a later time than --from")
    if elapsed(wanted.start, wanted.end) > LONGEST:
        raise Refused(f"it lasts longer than {LONGEST.days} days: change the roster or the calendar instead")
    if wanted.end <= wanted.made_at or wanted.start < later(wanted.made_at, -MOST_BACK):
        raise Refused("it is over already, or begins more than a day ago: what was cannot be changed")
    if not wanted.reason.strip() or len(wanted.reason) > MOST_WORDS or unshowable(wanted.reason):
        raise Refused(f'say why in at most {MOST_WORDS} characters: --reason "swapped with Bob"')
    with house.database.write() as connection:
        added = rotations.add(connection, wanted)
    house.on_duty.forget()
    return added


def end_override(house: House, override_id: str, by: str, now: DateTime) -> bool:
    """It is over from now on; False: it was over already.

    Raises:
        Refused: there is none of that id.
    """
    with house.database.write() as connection:
        if rotations.override(connection, override_id) is None:
            raise Refused(f"there is no override {override_id[:60]!r}: `tocsin roster overrides` lists them")
        ended = rotations.end(connection, override_id, by, now)
    house.on_duty.forget()
    return ended
