"""Overrides: a person put on duty by hand, and the end of that."""

from __future__ import annotations

from datetime import timedelta

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.durations import elapsed, later
from domain.oncall import DutyOverride
from domain.text import find_unprintable
from engine.installation import Installation
from storage.oncall import schedule_changes

MAX_DURATION = timedelta(days=92)
MAX_BACKDATING = timedelta(days=1)  # a swap that was agreed on the phone is often written down afterwards
MAX_REASON_LENGTH = 500


def add_override(installation: Installation, wanted: DutyOverride) -> bool:
    """Add an override; False: it is kept already under that id. It is in force within a second.

    Raises:
        Refused: nobody of that name, no such role, an end before the start, no reason.
    """
    roster = installation.written_roster()
    if wanted.role not in roster.roles:
        raise CommandRefused(f"the roster has no role {wanted.role[:60]!r}: one of {', '.join(roster.roles)}")
    if wanted.person not in roster.people:
        raise CommandRefused(f"the roster does not know {wanted.person[:60]!r}: one of {', '.join(roster.people)}")
    if wanted.end <= wanted.start:
        raise CommandRefused("it ends before it begins: give --until a later time than --from")
    if elapsed(wanted.start, wanted.end) > MAX_DURATION:
        raise CommandRefused(
            f"it lasts longer than {MAX_DURATION.days} days: change the roster or the calendar instead"
        )
    if wanted.end <= wanted.made_at or wanted.start < later(wanted.made_at, -MAX_BACKDATING):
        raise CommandRefused("it is over already, or begins more than a day ago: what was cannot be changed")
    if not wanted.reason.strip() or len(wanted.reason) > MAX_REASON_LENGTH or find_unprintable(wanted.reason):
        raise CommandRefused(f'say why in at most {MAX_REASON_LENGTH} characters: --reason "swapped with Bob"')
    with installation.database.write() as connection:
        added = schedule_changes.add_override(connection, wanted)
    installation.on_duty.forget()
    return added


def end_override(installation: Installation, override_id: str, by: str, now: DateTime) -> bool:
    """End an override now; False: it was over already.

    Raises:
        Refused: there is none of that id.
    """
    with installation.database.write() as connection:
        if schedule_changes.get_override(connection, override_id) is None:
            raise CommandRefused(f"there is no override {override_id[:60]!r}: `tocsin roster overrides` lists them")
        ended = schedule_changes.end_override(connection, override_id, by, now)
    installation.on_duty.forget()
    return ended
