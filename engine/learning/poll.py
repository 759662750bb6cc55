"""Poll of learning: run by the engine every few seconds, by the sweep, and by tests with their own clock.

Each part finds in rows what is due and leaves rows behind: killed at any moment, the next poll goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from pendulum import DateTime

from engine.installation import Installation
from engine.learning import issue_tracker, meeting_agenda, promises, recurrence, suggestions
from playbooks.errors import BadFile
from storage.database import StorageError

log = logging.getLogger("tocsin.learning")


def run_due(installation: Installation, now: DateTime) -> int:
    """Run what is due of suggestions, agenda, recurrences, promises and tracker; return how much was done.

    A part that fails holds up no other; it is tried again at the next poll.
    """
    service = installation.learning
    parts: Mapping[str, Callable[[], int]] = {
        "suggestions": lambda: suggestions.group_new_suggestions(service),
        "the agenda": lambda: (
            meeting_agenda.prepare_agenda(service, now) + meeting_agenda.prepare_drill_agendas(service, now)
        ),
        "recurrence": lambda: recurrence.detect_recurrences(service, now),
        "promises": lambda: promises.request_missing_records(installation, now),
        "the tracker": lambda: issue_tracker.post_due(service, now),
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
