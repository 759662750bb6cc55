"""One look at all that is to be learned: by the engine every few seconds, by the sweep, by a test with its own clock.

Each part finds in rows what is due and leaves rows behind: killed at any moment, the next look goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from pendulum import DateTime

from engine.house import House
from engine.learning import agenda, promises, recurrence, suggestions, tracker
from engine.learning.desk import learning_of
from playbooks.errors import BadFile
from storage.database import StorageError

log = logging.getLogger("tocsin.learning")


def look(house: House, now: DateTime) -> int:
    """Gather suggestions, prepare the meeting, count what recurs, ask for promises on record; how much was done.

    A part that fails holds up no other; it is tried again at the next look.
    """
    desk = learning_of(house)
    parts: Mapping[str, Callable[[], int]] = {
        "suggestions": lambda: suggestions.hear(desk),
        "the agenda": lambda: agenda.prepare(desk, now) + agenda.prepare_drills(desk, now),
        "recurrence": lambda: recurrence.look(desk, now),
        "promises": lambda: promises.remind(house, now),
        "the tracker": lambda: tracker.post_owed(desk, now),
    }
    done = 0
    for name, part in parts.items():
        try:
            done += part()
        except (StorageError, BadFile) as error:
            log.warning("%s could not be looked at: %s", name, str(error).partition("\n")[0])
        except Exception:
            log.exception("%s could not be looked at", name)
    return done
