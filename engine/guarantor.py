"""The guarantor: whatever is overdue and not committed it does itself, by the same code, without Prefect.

Two loops that cannot hold each other up: turns, and deliveries. It imports no Prefect.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from pendulum import DateTime

from domain.durations import later
from engine import status_mail
from engine.alarms import watch_share
from engine.auditor import Auditor
from engine.changes import Changes
from engine.deliver import Deliverer
from engine.house import House
from engine.learning.looking import look
from engine.review.catching_up import catch_up_if_forgotten
from engine.rotation import looking as rotations
from engine.tidying import leave_the_old_alone
from engine.turn import take_turns, turn
from playbooks.errors import BadFile
from storage import incidents, outbox
from storage.database import StorageError

log = logging.getLogger("tocsin.engine")
BATCH = 50
AT_ONCE = 4  # leased together: they are done before another engine may take them for forgotten
LEASED_FACTOR = 1.6  # of `guarantor_after_seconds`: 0.8 s, so that a turn is late by less than a second all told


class Guarantor:
    """Takes over what is late by more than `guarantor_after_seconds`."""

    def __init__(self, house: House, clock: Callable[[], DateTime]) -> None:
        self._house = house
        self._clock = clock
        self._after = timedelta(seconds=house.settings.guarantor_after_seconds)
        self._deliverer = Deliverer(house, "engine", clock)
        self._turns, self._sends = Changes(house), Changes(house)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Until `stop`. Deliveries have a thread of their own."""
        sender = threading.Thread(target=self._deliver, name="deliveries")
        alarms = threading.Thread(target=self._loop, args=(self.look_for_alarms, 5.0), name="alarms")
        learning = threading.Thread(target=self._loop, args=(self.learn, 10.0), name="learning")
        auditor = Auditor(self._house, self._clock)
        audits = threading.Thread(target=self._loop, args=(auditor.look, 15.0), name="audits")
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
        """Finish what is in hand, and end."""
        self._stopped.set()

    def _deliver(self) -> None:
        # Loading the channels takes a second: after a kill, the turns that are due do not wait for it.
        try:
            self._house.channels().warm_up()
        except Exception:
            log.exception("the channels could not be loaded; each is tried when it is needed")
        leave_the_old_alone()
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
        """Take the turns that nobody committed in time; how many.

        A turn that someone has leased has a little longer: its Prefect run may be about to commit it.
        """
        now = self._clock()
        if not self._turns.worth_a_look(now):
            return 0
        with self._house.database.read() as connection:
            overdue = incidents.due(connection, now - self._after, limit=BATCH)
            stale = incidents.due(connection, now - self._after * LEASED_FACTOR, limit=BATCH, taken_too=True)
            following = incidents.next_due(connection)
        self._turns.rest(later(max(following, now - self._after), self._after) if following else None)
        count = 0
        wanted = list(dict.fromkeys(row.id for row in (*overdue, *stale)))
        for start in range(0, len(wanted), AT_ONCE):
            few = wanted[start : start + AT_ONCE]
            for lease in take_turns(self._house, few, self._clock(), spare=self._after):
                count += turn(self._house, lease, self._clock(), driver="guarantor") is not None
        return count

    def send_waiting(self) -> int:
        """Send what has been ready for too long; slow sends end by themselves."""
        now = self._clock()
        if not self._sends.worth_a_look(now):
            return 0
        found = self._deliverer.deliver(waiting_for=self._after, wait=False)
        with self._house.database.read() as connection:
            following = outbox.next_ready(connection)
            in_hand = outbox.any_in_hand(connection)
        soon = later(now, self._after)  # somebody has messages in hand: see to it that they are alive
        ready = later(max(following, now), self._after) if following else None
        self._sends.rest(min(ready or soon, soon) if in_hand else ready)
        return len(found.by_state)

    def learn(self) -> int:
        """What comes again, what customers suggest, what was promised: rows say what is due."""
        look(self._house, self._clock())
        return 0

    def fetch_calendars(self) -> int:
        """The calendars of roles; a slow address holds up nobody else."""
        rotations.fetch_calendars(self._house, self._clock())
        return 0

    def hand_over_shifts(self) -> int:
        """Changes of shift that have come."""
        return rotations.look(self._house, self._clock())

    def mail_statements(self) -> int:
        """What was published, to whoever subscribed."""
        status_mail.look(self._house, self._clock())
        return 0

    def look_for_alarms(self) -> int:
        """The share of turns that went without Prefect, against its limit; reviews that Prefect forgot."""
        watch_share(self._house, self._clock())
        catch_up_if_forgotten(self._house, self._clock())
        return 0
