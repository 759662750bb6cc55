"""Guarantor: does overdue turns and sends itself, by the same code, without Prefect.

Two loops that cannot hold each other up: turns, and deliveries. It imports no Prefect.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from pendulum import DateTime

from domain.durations import later
from engine.audit.alarms import check_share_without_prefect
from engine.audit.auditor import Auditor
from engine.delivery.deliver import Deliverer
from engine.installation import Installation
from engine.learning.poll import run_due
from engine.oncall import poll as rotations
from engine.process.change_detector import ChangeDetector
from engine.process.gc import freeze_startup_objects
from engine.response.turn import lease_turns, take_turn
from engine.review.missed_reviews import catch_up_if_overdue
from engine.statuspage import mail
from playbooks.errors import BadFile
from storage import outbox
from storage.database import StorageError
from storage.incidents import incidents

log = logging.getLogger("tocsin.engine")
BATCH = 50
LEASED_TOGETHER = 4  # leased together: they are done before another engine may take them for forgotten
LEASED_FACTOR = 1.6  # of `guarantor_after_seconds`: 0.8 s, so that a turn is late by less than a second all told


class Guarantor:
    """Loops that take over what is late by more than `guarantor_after_seconds`."""

    def __init__(self, installation: Installation, clock: Callable[[], DateTime]) -> None:
        self._installation = installation
        self._clock = clock
        self._after = timedelta(seconds=installation.settings.guarantor_after_seconds)
        self._deliverer = Deliverer(installation, "engine", clock)
        self._turns, self._sends = ChangeDetector(installation), ChangeDetector(installation)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run until `stop`. Deliveries have a thread of their own."""
        sender = threading.Thread(target=self._deliver, name="deliveries")
        alarms = threading.Thread(target=self._loop, args=(self.check_alarms, 5.0), name="alarms")
        learning = threading.Thread(target=self._loop, args=(self.run_learning, 10.0), name="learning")
        auditor = Auditor(self._installation, self._clock)
        audits = threading.Thread(target=self._loop, args=(auditor.run_once, 15.0), name="audits")
        calendars = threading.Thread(target=self._loop, args=(self.fetch_calendars, 15.0), name="calendars")
        mails = threading.Thread(target=self._loop, args=(self.mail_statements, 5.0), name="statements")
        shifts = threading.Thread(target=self._loop, args=(self.hand_over_shifts, 1.0), name="shifts")
        threads = (sender, alarms, learning, audits, calendars, mails, shifts)
        for thread in threads:
            thread.start()
        self._loop(self.take_overdue)
        for thread in threads:
            thread.join()
        self._deliverer.close()

    def stop(self) -> None:
        """Finish the work in hand, and end."""
        self._stopped.set()

    def _deliver(self) -> None:
        # Loading the channels takes a second: after a kill, the turns that are due do not wait for it.
        try:
            self._installation.channels().warm_up()
        except Exception:
            log.exception("the channels could not be loaded; each is tried when it is needed")
        freeze_startup_objects()
        self._loop(self.send_waiting)

    def _loop(self, look: Callable[[], int], pause: float = 0.1) -> None:
        failing = False
        while not self._stopped.is_set():
            try:
                busy = look()
                if failing:
                    log.warning("%s works again", look.__name__)
                failing = False
            except (StorageError, BadFile) as error:  # disk full, no roster yet: keep trying, say it once
                if not failing:
                    line = str(error).partition("\n")[0]
                    log.error("%s: %s", look.__name__, line)  # noqa: TRY400 - one clear line, no traceback
                failing, busy = True, 0
            except Exception:
                log.exception("%s failed; it is tried again", look.__name__)
                failing, busy = True, 0
            if not busy or failing:
                self._stopped.wait(1.0 if failing else pause)

    def take_overdue(self) -> int:
        """Take the turns that nobody committed in time; return how many.

        A turn that is leased has a little longer: its Prefect run may be about to commit it.
        """
        now = self._clock()
        if not self._turns.should_query(now):
            return 0
        with self._installation.database.read() as connection:
            overdue = incidents.list_due_responses(connection, now - self._after, limit=BATCH)
            stale = incidents.list_due_responses(
                connection, now - self._after * LEASED_FACTOR, limit=BATCH, taken_too=True
            )
            following = incidents.next_turn_due_at(connection)
        self._turns.set_next_due(later(max(following, now - self._after), self._after) if following else None)
        count = 0
        wanted = list(dict.fromkeys(row.id for row in (*overdue, *stale)))
        for start in range(0, len(wanted), LEASED_TOGETHER):
            few = wanted[start : start + LEASED_TOGETHER]
            for lease in lease_turns(self._installation, few, self._clock(), spare=self._after):
                count += take_turn(self._installation, lease, self._clock(), driver="guarantor") is not None
        return count

    def send_waiting(self) -> int:
        """Send what has been ready for too long; slow sends end by themselves."""
        now = self._clock()
        if not self._sends.should_query(now):
            return 0
        found = self._deliverer.deliver(waiting_for=self._after, wait=False)
        with self._installation.database.read() as connection:
            following = outbox.next_message_at(connection)
            in_hand = outbox.has_leased(connection)
        soon = later(now, self._after)  # somebody has messages in hand: see to it that they are alive
        ready = later(max(following, now), self._after) if following else None
        self._sends.set_next_due(min(ready or soon, soon) if in_hand else ready)
        return len(found.by_state)

    def run_learning(self) -> int:
        """Run what is due of recurrences, suggestions and promises."""
        run_due(self._installation, self._clock())
        return 0

    def fetch_calendars(self) -> int:
        """Fetch the calendars of roles; a slow address holds up nobody else."""
        rotations.fetch_calendars(self._installation, self._clock())
        return 0

    def hand_over_shifts(self) -> int:
        """Hand over the shifts whose change has come."""
        return rotations.hand_over_due(self._installation, self._clock())

    def mail_statements(self) -> int:
        """Mail published statements to the subscribers."""
        mail.enqueue_statements(self._installation, self._clock())
        return 0

    def check_alarms(self) -> int:
        """Check the share of turns without Prefect against its limit, and reviews that Prefect missed."""
        check_share_without_prefect(self._installation, self._clock())
        catch_up_if_overdue(self._installation, self._clock())
        return 0
