"""Schedule of the follow-up: survey batches, one reminder, the result after 72 hours, contacts erased.

Each pass is one transaction that decides what is due and sets the alarm of the next one, so that any
process may take it, at any time, any number of times: nobody is asked twice and nobody is forgotten.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.commands import Begin
from domain.customers.contact_hours import next_contact_time
from domain.customers.plan import FollowUpPlan, compute_follow_up_times, next_check_at
from domain.customers.survey import SurveyResult
from domain.durations import later
from domain.facts import Fact, FactKind
from domain.incident import Incident, IncidentStatus
from domain.learning.text_comparison import REDACTED, redact_contacts
from engine.customers import wording
from engine.customers.service import CustomerService
from engine.response import commands
from storage.customers import affected_customers, follow_ups
from storage.customers.affected_customers import CustomerRecord
from storage.customers.erasure import purge_erased
from storage.customers.follow_ups import FollowUpRecord
from storage.database import Connection
from storage.incidents import incidents, timeline

CALLBACKS, REOPENED = "callbacks", "reopened"  # stages of the follow-up's playbook
OVER_STATUSES = (IncidentStatus.CLOSED, IncidentStatus.COMPLETED)
CALLBACK_CHECK_AFTER = timedelta(seconds=30)
RUNNING, COLLECTED, WAITING, ERASED = "running", "collected", "waiting", "erased"


def run_due(service: CustomerService, now: DateTime) -> int:
    """Begin, go on with or end every follow-up that is due; return how many moved."""
    with service.installation.database.read() as connection:
        ids = follow_ups.list_due_follow_ups(connection, now, now - service.plan.erase_after)
    return sum(run_follow_up(service, incident_id, now) for incident_id in ids)


def schedule_now(connection: Connection, incident: Incident, now: DateTime) -> None:
    """Make a running follow-up due now, because there are new customers."""
    row = follow_ups.get_follow_up(connection, incident.id)
    if row is not None and row.state == RUNNING:
        follow_ups.schedule_check(connection, row, incident.ref, now, now, drill=incident.drill)


def schedule_soon(connection: Connection, incident: Incident, now: DateTime) -> None:
    """Make a follow-up due within half a minute, should this process end before it has a person called.

    Takes the follow-up before the customer, as a pass does: on PostgreSQL the two would wait for each other.
    """
    row = follow_ups.lock_follow_up(connection, incident.id)
    at = later(now, max(CALLBACK_CHECK_AFTER / float(incident.pace.get("closed", 1.0)), timedelta(seconds=1)))
    if row is not None and row.state in (RUNNING, COLLECTED) and (row.next_at is None or row.next_at > at):
        follow_ups.schedule_check(connection, row, incident.ref, at, now, drill=incident.drill)


def run_follow_up(service: CustomerService, incident_id: str, now: DateTime) -> bool:
    """Run one pass of one follow-up; return False where nothing was due."""
    with service.installation.database.write() as connection:
        incidents.lock_incident(connection, incident_id)
        row = follow_ups.lock_follow_up(connection, incident_id)
        incident = incidents.load_incident(connection, incident_id)
        if row is None or not _is_due(row, incident, now - service.plan.erase_after, now):
            return False
        erases = _Look(connection, service, incident, now).take(row)
    if erases:
        purge_erased(service.installation.database)
    begin_callbacks(service, incident_id, now)
    return True


def _is_due(row: FollowUpRecord, incident: Incident, waited: DateTime, now: DateTime) -> bool:
    if row.state == WAITING:
        return not incident.running or row.made_at <= waited
    return row.state in (RUNNING, COLLECTED) and row.next_at is not None and row.next_at <= now


class _Look:
    """One look, within its transaction."""

    def __init__(self, connection: Connection, service: CustomerService, incident: Incident, now: DateTime) -> None:
        self._connection, self._incident, self._now = connection, incident, now
        self._plan: FollowUpPlan = service.plan
        self._pace = float(incident.pace.get("closed", 1.0))

    def take(self, row: FollowUpRecord) -> bool:
        """What is due; whether contacts were erased."""
        if self._incident.status is IncidentStatus.CANCELLED or (row.state == WAITING and self._incident.running):
            return self._give_up(row)
        if self._incident.running:
            self._stop(row)
            return False
        row = self._begin(row) if row.state == WAITING else row
        if row.state == RUNNING and not row.collects_by(self._now):
            self._ask(row)
            self._remind(row)
        elif row.state == RUNNING:
            row = self._collect(row)
        erases = row.state == COLLECTED and row.erases_by(self._now)
        if erases and self._erase(row):
            return True
        self._alarm(row, self._next(row))
        return erases

    def _alarm(self, row: FollowUpRecord, at: DateTime) -> None:
        drill = self._incident.drill
        follow_ups.schedule_check(self._connection, row, self._incident.ref, at, self._now, drill=drill)

    def _erase(self, row: FollowUpRecord) -> bool:
        """A chunk of the contacts; whether it was the last one."""
        if affected_customers.erase_contacts(self._connection, self._incident.id) == affected_customers.CHUNK:
            return False
        affected_customers.redact_words(self._connection, self._incident.id, _cleaned)
        self._change(row, state=ERASED, next_at=None)
        return True

    def _give_up(self, row: FollowUpRecord) -> bool:
        """Cancelled, or not closed for as long as contacts are kept: nobody is asked, and their contacts go."""
        withdraw_unsent(self._connection, row.response_id, "the incident was cancelled")
        follow_ups.cancel_checks(self._connection, row.response_id)
        if self._erase(row):
            self._say(
                row, FactKind.FOLLOW_UP_GIVEN_UP, affected_customers.compute_result(self._connection, self._incident.id)
            )
        return True

    def _change(self, row: FollowUpRecord, **values: Any) -> FollowUpRecord:
        follow_ups.update_follow_up(self._connection, row.incident_id, **values)
        return replace(row, **values)

    def _say(self, row: FollowUpRecord, kind: FactKind, result: SurveyResult) -> None:
        """A word on the timeline: figures, and never whom they are about."""
        fact = Fact(kind, self._now, data={**wording.timeline_figures(result, self._plan), "result": asdict(result)})
        timeline.append_facts(self._connection, self._incident.id, [fact], response_id=row.response_id)

    # --- from close to erasure ---

    def _begin(self, row: FollowUpRecord) -> FollowUpRecord:
        closed = self._incident.closed_at or self._now
        when = compute_follow_up_times(self._plan, closed, self._pace)
        row = self._change(
            row, state=RUNNING, round=row.round + 1, begun_at=closed, collect_at=when.collect_at,
            erase_at=when.erase_at, next_at=self._now,
        )  # fmt: skip
        self._say(row, FactKind.FOLLOW_UP_BEGUN, affected_customers.compute_result(self._connection, self._incident.id))
        return row

    def _stop(self, row: FollowUpRecord) -> None:
        """Reopened: what has not gone out does not go, the clock starts anew at the next close."""
        withdraw_unsent(self._connection, row.response_id, "the incident was reopened")
        follow_ups.cancel_checks(self._connection, row.response_id)
        row = self._change(row, state=WAITING, next_at=None)
        self._say(
            row, FactKind.FOLLOW_UP_STOPPED, affected_customers.compute_result(self._connection, self._incident.id)
        )

    def _ask(self, row: FollowUpRecord) -> None:
        """The next batch of each channel, in order of arrival, in zones where it is not quiet."""
        zones = self._awake("new")
        for way in self._plan.channels:
            rows = affected_customers.next_customers_to_ask(
                self._connection, self._incident.id, way, zones, self._plan.per_batch
            )
            remind = later(self._now, self._plan.remind_after / self._pace)
            values = {
                "state": "asked", "asked_at": self._now, "expires_at": later(self._now, self._plan.link_life),
                "remind_at": None if row.collects_by(remind) else remind,
            }  # fmt: skip
            affected_customers.update_customers(self._connection, [one.id for one in rows], **values)
            self._owe(row, rows, "ask")

    def _remind(self, row: FollowUpRecord) -> None:
        zones = self._awake("asked")
        for way in self._plan.channels:
            rows = affected_customers.next_customers_to_remind(
                self._connection, self._incident.id, way, zones, self._now, self._plan.per_batch
            )
            values = {"state": "reminded", "reminded_at": self._now}
            affected_customers.update_customers(self._connection, [one.id for one in rows], **values)
            self._owe(row, rows, "reminder")

    def _owe(self, row: FollowUpRecord, rows: list[CustomerRecord], purpose: str) -> None:
        owed = [
            make_survey_entry(self._incident, row, one, purpose, way=one.way, position=one.position, plan=self._plan)
            for one in rows
        ]
        follow_ups.enqueue_surveys(self._connection, owed, self._now)

    def _collect(self, row: FollowUpRecord) -> FollowUpRecord:
        withdraw_unsent(self._connection, row.response_id, "the time for answers is over")
        found = affected_customers.compute_result(self._connection, self._incident.id)
        row = self._change(row, state=COLLECTED, result=asdict(found))
        self._say(row, FactKind.FOLLOW_UP_RESULT, found)
        return row

    # --- times ---

    def _zones(self, state: str) -> list[str]:
        return affected_customers.list_zones(self._connection, self._incident.id, state)

    def _awake(self, state: str) -> list[str]:
        return [zone for zone in self._zones(state) if self._opens(zone, self._now) <= self._now]

    def _opens(self, zone: str, at: DateTime) -> DateTime:
        """A drill runs at its own pace and writes to a sandbox: it wakes nobody, and no night holds it up."""
        return at if self._incident.drill else next_contact_time(zone, at, self._plan.quiet)

    def _next(self, row: FollowUpRecord) -> DateTime:
        soon = later(self._now, max(self._plan.every / self._pace, timedelta(seconds=0.2)))
        if row.state == COLLECTED:
            return soon if row.erase_at is None or row.erases_by(self._now) else row.erase_at
        candidates: dict[str, DateTime | None] = {"collect": row.collect_at}
        for zone in self._zones("new"):
            candidates[f"ask {zone}"] = self._opens(zone, self._now)
        for zone in self._zones("asked"):
            first = affected_customers.next_reminder_due(self._connection, self._incident.id, zone, self._now)
            candidates[f"remind {zone}"] = self._opens(zone, first) if first else None
        return next_check_at(soon, candidates)


def _cleaned(text: str) -> str:
    """What somebody wrote, without a contact in it; what holds none stays as it was written."""
    shown = redact_contacts(text)
    return shown if REDACTED in shown and REDACTED not in text else text


def make_survey_entry(
    incident: Incident,
    row: FollowUpRecord,
    one: CustomerRecord,
    purpose: str,
    *,
    way: str,
    position: int,
    plan: FollowUpPlan,
) -> dict[str, Any]:
    """Make the outbox row of a survey to a customer: it names them by our id alone."""
    channel = plan.drill if incident.drill else plan.channels[way]
    return {
        "key": f"SURVEY/{incident.ref}/{row.round}/{one.id}/{purpose}/{position + 1}",
        "response_id": row.response_id, "purpose": purpose, "person": one.id, "channel": channel,
        "position": position, "drill": incident.drill, "rank": max(one.rank // 10**6, -(10**9)),
        "payload": {"way": way, "incident": incident.id},
    }  # fmt: skip


def withdraw_unsent(connection: Connection, response_id: str, why: str) -> None:
    """Withdraw surveys that have not begun to go out; their customers are as if they had not been asked."""
    asks = follow_ups.list_unsent_customers(connection, response_id, "ask")
    reminders = follow_ups.list_unsent_customers(connection, response_id, "reminder")
    follow_ups.withdraw_surveys(connection, response_id, why)
    affected_customers.mark_not_asked(connection, asks)
    affected_customers.mark_not_reminded(connection, reminders)


def begin_callbacks(service: CustomerService, incident_id: str, now: DateTime) -> None:
    """Begin the callback stages that are due: the owner is called once for all customers until it is done."""
    with service.installation.database.read() as connection:
        row = follow_ups.get_follow_up(connection, incident_id)
        if row is None or (row.state == WAITING and not row.round):
            return
        snapshot = incidents.load_snapshot(connection, row.response_id, service.installation.roster())
        newest = {
            CALLBACKS: affected_customers.newest_callback_at(connection, incident_id, reopened=False),
            REOPENED: affected_customers.newest_callback_at(connection, incident_id, reopened=True),
        }
    playbook = snapshot.response.playbook
    for stage, at in newest.items():
        steps = [state for state in snapshot.steps.values() if state.stage == stage]
        done = max((state.done_at for state in steps if state.done_at), default=None)
        if at is None or any(state.active for state in steps) or (done is not None and at <= done):
            continue
        number = snapshot.last_round(stage) + 1
        command = Begin(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{row.response_id}/{stage}/{number}")), incident=incident_id,
            stage=f"{playbook.id}:{stage}", reason=wording.stage_reason(stage),
        )  # fmt: skip
        try:
            commands.carry_out_command(service.installation, command, now)
        except CommandRefused:  # the incident was cancelled meanwhile, or the home's playbook has no such stage
            continue
