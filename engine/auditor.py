"""The auditor: compares what should have happened with what did.

What is wrong is said to the last resort, and the outward heartbeat stays away, so that a watcher outside notices even
total death.
"""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta

from pendulum import DateTime
from sqlalchemy import Connection

from domain.durations import later
from domain.rotation import gaps
from domain.text import N_, Reason
from engine.alarms import tell_last_resort
from engine.house import House
from storage import incidents, measures, turns

log = logging.getLogger("tocsin.auditor")
TURN_LATE = timedelta(minutes=1)  # three drivers had their chance
SEND_LATE = timedelta(minutes=5)
DEAD_SPAN = timedelta(minutes=10)  # in which a channel that gave up on a message counts as dead
SWEEP_LATE = timedelta(minutes=20)  # it runs every five
AGAIN = timedelta(hours=1)
AHEAD, AGAIN_AHEAD = timedelta(days=1), timedelta(hours=12)  # what is foreseen, and how often it is said
BEAT = timedelta(minutes=1)
_PATIENCE = 10.0
_SUBJECT = N_("Tocsin itself needs somebody: {what}")
_BODY = N_("The same is said again while it lasts. `tocsin check` and `tocsin doctor` say more.")


def audit(connection: Connection, now: DateTime) -> dict[str, Reason]:
    """What should have happened and did not, by a name that stays the same while it lasts. Empty: all is well."""
    found: dict[str, Reason] = {}
    overdue = incidents.due(connection, now - TURN_LATE, limit=100, taken_too=True)
    if overdue:
        values: dict[str, str | int] = {"count": len(overdue), "ref": overdue[0].ref}
        found["turns"] = Reason(N_("{count} turns are more than a minute late, {ref} among them"), values)
    waited = measures.oldest_unsent(connection, now)
    if waited > SEND_LATE.total_seconds():
        found["sends"] = Reason(N_("a message has waited for {minutes} minutes"), {"minutes": round(waited / 60)})
    for channel, count in measures.gave_up(connection, now - DEAD_SPAN):
        found[f"channel {channel}"] = Reason(
            N_("channel {channel} gave up on {count} messages"), {"channel": channel, "count": count}
        )
    swept = turns.kept(connection, "sweep")
    if swept is not None and swept[1] < now - SWEEP_LATE:
        minutes = round((now - swept[1]).total_seconds() / 60)
        template = N_("Prefect's schedules do not fire: no sweep for {minutes} minutes")
        found["sweep"] = Reason(template, {"minutes": minutes})
    return found


def foresee(house: House, now: DateTime) -> dict[str, Reason]:
    """What will be wrong within a day though all is well now: a calendar with nobody on shift."""
    found = gaps(house.written_roster(), house.duties(), now, later(now, AHEAD))
    if not found:
        return {}
    first = min(found, key=lambda span: span.start)
    roles = sorted({span.role for span in found})
    values: dict[str, str | int] = {
        "roles": ", ".join(roles),
        "when": f"{first.start:%Y-%m-%d %H:%M} UTC",
        "person": house.written_roster().name(first.person),
    }
    template = N_("nobody is on shift for {roles} from {when}; {person} is called instead")
    return {f"gap {','.join(roles)}": Reason(template, values)}


class Auditor:
    """Looks, tells, beats. One in the engine; the sweep looks too, and tells what the engine cannot say any more."""

    def __init__(self, house: House, clock: Callable[[], DateTime]) -> None:
        self._house, self._clock = house, clock
        self._beaten: DateTime | None = None
        self._mute = False

    def look(self) -> int:
        """Look once: tell what is new or has lasted for an hour, and beat if nothing is wrong."""
        now = self._clock()
        with self._house.database.read() as connection:
            found = audit(connection, now)
        for name, reason in found.items():
            tell(self._house, name, reason, now)
        for name, reason in foresee(self._house, now).items():  # nothing is dead yet: the heart beats on
            tell(self._house, name, reason, now, again=AGAIN_AHEAD)
        if not found and (self._beaten is None or self._beaten + BEAT <= now):
            self._beaten = now
            self._beat()
        return 0

    def _beat(self) -> None:
        url = self._house.settings.heartbeat_url
        if not url:
            return
        try:
            with urllib.request.urlopen(url, timeout=_PATIENCE):  # noqa: S310 - http(s), checked with the settings
                pass
        except (OSError, urllib.error.URLError, ValueError) as error:
            if not self._mute:  # once, and never the address: it is a secret
                log.warning("the heartbeat does not get through: %s", type(error).__name__)
            self._mute = True
        else:
            self._mute = False


def tell(house: House, name: str, reason: Reason, now: DateTime, again: timedelta = AGAIN) -> bool:
    """Page the last resort, once in `again` however many look; whether it was told now."""
    mark = f"audit:{name}"[:100]
    with house.database.write() as connection:
        turns.hold(connection, [mark])  # several engines look
        last = turns.kept(connection, mark)
        if last and now - last[1] < again:
            return False
        turns.keep(connection, mark, {"reason": reason.template}, now)
    log.error("audit: %s", reason.template.format(**reason.values))
    told = tell_last_resort(house, _SUBJECT, _BODY, reason, alarm="audit", urgent=True)
    if not told:
        with house.database.write() as connection:
            turns.keep(connection, mark, {"told": False}, now - again + timedelta(minutes=1))
    return told
