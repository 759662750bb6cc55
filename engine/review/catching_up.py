"""What nobody else did: retrospectives, effects, reviews that were missed. Prefect drives it; without it, we do."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pendulum import DateTime

from engine.house import House
from storage import turns

LOOKED: Final = "reviews-look"  # kept: when somebody looked last
FORGOTTEN: Final = timedelta(hours=2)  # four of Prefect's own looks


def catch_up(house: House, now: DateTime) -> list[str]:
    """Draft the retrospectives that are wanted, renew effects, hold reviews that were missed; the reviews' documents.

    Raises:
        StorageError: the database cannot be used; what was not committed is still due.
    """
    from engine.review.desk import desk_of  # noqa: PLC0415 - heavy, and most processes never do it
    from engine.review.holding import hold_overdue  # noqa: PLC0415
    from engine.review.retrospective import look  # noqa: PLC0415

    with house.database.write() as connection:
        turns.keep(connection, LOOKED, {}, now)
    desk = desk_of(house)
    made = [held.document for held in hold_overdue(desk, now)]
    look(desk, now)
    return made


def catch_up_if_forgotten(house: House, now: DateTime) -> bool:
    """The same where nobody has looked for two hours: Prefect is away. The first look only begins to wait."""
    with house.database.read() as connection:
        looked = turns.kept(connection, LOOKED)
    if looked is None:
        with house.database.write() as connection:
            turns.keep(connection, LOOKED, {}, now)
        return False
    if now - looked[1] < FORGOTTEN:
        return False
    catch_up(house, now)
    return True
