"""Auditor: compares what should have happened with what did.

Faults are told to the last resort, and the outward heartbeat stops, so that a watcher outside notices
even total death.
"""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta

from pendulum import DateTime

from domain.durations import later
from domain.oncall import find_uncovered_periods
from domain.text import N_, Reason
from engine.audit.alarms import notify_last_resort
from engine.installation import Installation
from storage import operational_metrics
from storage.database import Connection
from storage.incidents import incidents, turns

log = logging.getLogger("tocsin.auditor")
TURN_LATE = timedelta(minutes=1)  # three drivers had their chance
SEND_LATE = timedelta(minutes=5)
DEAD_CHANNEL_WINDOW = timedelta(minutes=10)  # in which a channel that gave up on a message counts as dead
SWEEP_LATE = timedelta(minutes=20)  # it runs every five
REPEAT_AFTER = timedelta(hours=1)
FORECAST_WINDOW, FORECAST_REPEAT_AFTER = (
    timedelta(days=1),
    timedelta(hours=12),
)  # what is foreseen, and how often it is said
BEAT_INTERVAL = timedelta(minutes=1)
_PATIENCE = 10.0
_SUBJECT = N_("Tocsin itself needs somebody: {what}")
_BODY = N_("The same is said again while it lasts. `tocsin check` and `tocsin doctor` say more.")


def find_faults(connection: Connection, now: DateTime) -> dict[str, Reason]:
    """Return what should have happened and did not, by a name that stays while it lasts. Empty: all is well."""
    found: dict[str, Reason] = {}
    overdue = incidents.list_due_responses(connection, now - TURN_LATE, limit=100, taken_too=True)
    if overdue:
        values: dict[str, str | int] = {"count": len(overdue), "ref": overdue[0].ref}
        found["turns"] = Reason(N_("{count} turns are more than a minute late, {ref} among them"), values)
    waited = operational_metrics.oldest_unsent_seconds(connection, now)
    if waited > SEND_LATE.total_seconds():
        found["sends"] = Reason(N_("a message has waited for {minutes} minutes"), {"minutes": round(waited / 60)})
    for channel, count in operational_metrics.count_failed_messages(connection, now - DEAD_CHANNEL_WINDOW):
        found[f"channel {channel}"] = Reason(
            N_("channel {channel} gave up on {count} messages"), {"channel": channel, "count": count}
        )
    swept = turns.load_installation_fact(connection, "sweep")
    if swept is not None and swept[1] < now - SWEEP_LATE:
        minutes = round((now - swept[1]).total_seconds() / 60)
        template = N_("Prefect's schedules do not fire: no sweep for {minutes} minutes")
        found["sweep"] = Reason(template, {"minutes": minutes})
    return found


def find_coming_gaps(installation: Installation, now: DateTime) -> dict[str, Reason]:
    """Return what will be wrong within a day though all is well now: a calendar with nobody on shift."""
    found = find_uncovered_periods(
        installation.written_roster(), installation.duties(), now, later(now, FORECAST_WINDOW)
    )
    if not found:
        return {}
    first = min(found, key=lambda span: span.start)
    roles = sorted({span.role for span in found})
    values: dict[str, str | int] = {
        "roles": ", ".join(roles),
        "when": f"{first.start:%Y-%m-%d %H:%M} UTC",
        "person": installation.written_roster().name(first.person),
    }
    template = N_("nobody is on shift for {roles} from {when}; {person} is called instead")
    return {f"gap {','.join(roles)}": Reason(template, values)}


class Auditor:
    """Periodic audit with alarm and outward heartbeat. One runs in the engine.

    The sweep audits too, and tells what the engine cannot say any more.
    """

    def __init__(self, installation: Installation, clock: Callable[[], DateTime]) -> None:
        self._installation, self._clock = installation, clock
        self._beaten: DateTime | None = None
        self._mute = False

    def run_once(self) -> int:
        """Audit once: tell faults that are new or have lasted for an hour, and beat if nothing is wrong."""
        now = self._clock()
        with self._installation.database.read() as connection:
            found = find_faults(connection, now)
        for name, reason in found.items():
            alert_last_resort(self._installation, name, reason, now)
        for name, reason in find_coming_gaps(
            self._installation, now
        ).items():  # nothing is dead yet: the heart beats on
            alert_last_resort(self._installation, name, reason, now, again=FORECAST_REPEAT_AFTER)
        if not found and (self._beaten is None or self._beaten + BEAT_INTERVAL <= now):
            self._beaten = now
            self._beat()
        return 0

    def _beat(self) -> None:
        url = self._installation.settings.heartbeat_url
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


def alert_last_resort(
    installation: Installation, name: str, reason: Reason, now: DateTime, again: timedelta = REPEAT_AFTER
) -> bool:
    """Page the last resort, once in `again` however many engines audit; return whether it was told now."""
    mark = f"audit:{name}"[:100]
    with installation.database.write() as connection:
        turns.lock_commands(connection, [mark])  # several engines look
        last = turns.load_installation_fact(connection, mark)
        if last and now - last[1] < again:
            return False
        turns.save_installation_fact(connection, mark, {"reason": reason.template}, now)
    log.error("audit: %s", reason.template.format(**reason.values))
    told = notify_last_resort(installation, _SUBJECT, _BODY, reason, alarm="audit", urgent=True)
    if not told:
        with installation.database.write() as connection:
            turns.save_installation_fact(connection, mark, {"told": False}, now - again + timedelta(minutes=1))
    return told
