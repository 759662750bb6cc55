"""Missed reviews: retrospectives, effects and reviews that are overdue. Prefect drives it, else the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pendulum import DateTime

from engine.installation import Installation
from storage.incidents import turns

LAST_LOOK_KEY: Final = "reviews-look"  # kept: when somebody looked last
OVERDUE_AFTER: Final = timedelta(hours=2)  # four of Prefect's own looks


def catch_up_reviews(installation: Installation, now: DateTime) -> list[str]:
    """Draft wanted retrospectives, renew effects, run missed reviews; return the reviews' documents.

    Raises:
        StorageError: the database cannot be used; what was not committed is still due.
    """
    from engine.review.retrospective import draft_due  # noqa: PLC0415
    from engine.review.run_review import run_overdue_reviews  # noqa: PLC0415

    with installation.database.write() as connection:
        turns.save_installation_fact(connection, LAST_LOOK_KEY, {}, now)
    service = installation.reviews
    made = [held.document for held in run_overdue_reviews(service, now)]
    draft_due(service, now)
    return made


def catch_up_if_overdue(installation: Installation, now: DateTime) -> bool:
    """Catch up where nobody has for two hours, because Prefect is away. The first call only begins to wait."""
    with installation.database.read() as connection:
        looked = turns.load_installation_fact(connection, LAST_LOOK_KEY)
    if looked is None:
        with installation.database.write() as connection:
            turns.save_installation_fact(connection, LAST_LOOK_KEY, {}, now)
        return False
    if now - looked[1] < OVERDUE_AFTER:
        return False
    catch_up_reviews(installation, now)
    return True
