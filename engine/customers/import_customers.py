"""Import of affected customers: each row checked, its contact sealed, its care and rank decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pendulum import DateTime

from domain.command_handlers import CommandRefused
from domain.customers.care import Care, answer_questions, choose_care, customer_rank
from domain.customers.import_row import AffectedCustomer, BadCustomerRow, parse_customer
from domain.customers.plan import FollowUpPlan
from domain.customers.survey import CallbackReason
from domain.incident import CaseType, Incident, IncidentStatus
from engine.customers.service import CustomerService
from engine.customers.survey_schedule import COLLECTED, ERASED, schedule_now
from engine.response.declare import response_id
from engine.response.turn import start_response
from playbooks.roster_file import find_missing_roles
from storage.customers import affected_customers, follow_ups
from storage.customers.contact_vault import ContactVault
from storage.database import Connection
from storage.incidents import incidents

MAX_ROWS = 5_000  # rows of one request
CARE_ROLE = "customer-care-lead"  # whose holder is the named person


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of an import: how many rows were new, how many known already, and which are bad, by their line."""

    ref: str
    taken: int
    known: int
    bad: tuple[tuple[int, str], ...]


def import_customers(
    service: CustomerService,
    ref: str,
    rows: Sequence[Mapping[str, Any]],
    now: DateTime,
    by: str = "",
    first_line: int = 1,
) -> ImportResult:
    """Import customers of an incident. A customer who is known there is left unchanged.

    `first_line`: where the first row stood; a row may say its own as `line`.

    Raises:
        Refused: the incident takes no customers, or there are too many rows at once.
        SettingsError: the key of the contacts cannot be used.
    """
    if len(rows) > MAX_ROWS:
        raise CommandRefused(f"there are {len(rows)} rows: send at most {MAX_ROWS} at once")
    good, bad = _read(rows, first_line)
    plan, vault = service.plan, service.open_vault()
    with service.installation.database.write() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incidents.lock_incident(connection, incident_id)
        incident = incidents.load_incident(connection, incident_id)
        begin_follow_up(connection, service, incident, now, by)
        carer = service.installation.roster().primary(CARE_ROLE) or ""
        kept = [_row(one, incident_id, plan, vault, carer, now) for one in good]
        taken = affected_customers.add_customers(connection, kept)
        if taken:
            schedule_now(connection, incident, now)
    return ImportResult(incident.ref, taken, len(good) - taken, tuple(bad))


def _read(rows: Sequence[Any], first_line: int) -> tuple[list[AffectedCustomer], list[tuple[int, str]]]:
    good, bad = [], []
    for place, row in enumerate(rows):
        line = first_line + place
        if not isinstance(row, Mapping):
            bad.append((line, "is no object with the columns of a customer"))
            continue
        said = row.get("line", line)
        line = said if isinstance(said, int) and not isinstance(said, bool) else line
        try:
            good.append(parse_customer({name: value for name, value in row.items() if name != "line"}))
        except BadCustomerRow as wrong:
            bad.append((line, str(wrong)))
    return good, bad


def begin_follow_up(
    connection: Connection, service: CustomerService, incident: Incident, now: DateTime, by: str
) -> None:
    """Begin the follow-up of an incident, from its close on: once, as one more response of it.

    Raises:
        Refused: it is no incident, it was cancelled, or nobody holds a role that the follow-up calls.
    """
    if incident.case_type is not CaseType.INCIDENT or incident.status is IncidentStatus.CANCELLED:
        said = "a warning" if incident.case_type is not CaseType.INCIDENT else "cancelled"
        raise CommandRefused(f"{incident.ref} is {said}: affected customers belong to an incident")
    follow = follow_ups.get_follow_up(connection, incident.id)
    if follow is not None and follow.state in (COLLECTED, ERASED):
        raise CommandRefused(
            f"the follow-up of {incident.ref} is over: nobody more can be asked; call them, or reopen it"
        )
    if follow is not None:
        return
    playbook, roster = service.get_playbook(), service.installation.roster()
    missing = find_missing_roles(playbook, roster)
    if missing:
        raise CommandRefused(str(missing[0]))
    start_response(connection, roster, incident.id, playbook, now, started_at=now, by=by)
    follow_ups.add_follow_up(connection, incident.id, response_id(incident.id, playbook.id), now)


def _row(
    customer: AffectedCustomer, incident_id: str, plan: FollowUpPlan, vault: ContactVault, carer: str, now: DateTime
) -> dict[str, Any]:
    found = answer_questions(customer, plan.thresholds)
    care = choose_care(found, plan.combinations)
    ways = plan.ways(customer.contact)
    because = _because(customer, plan, ways)
    return {
        "incident_id": incident_id, "mark": vault.mark(customer.id), "customer": customer.id,
        "masked": customer.contact.masked(), "way": ways[0] if ways else "", "ways": list(ways),
        "language": customer.language, "zone": customer.zone or plan.zone, "order_value": customer.order_value,
        "compensation": customer.compensation, "poor_service": customer.poor_service, "public": customer.public,
        "poor_history": found.poor_history, "harmed": found.harmed, "compensated": found.compensated,
        "care": [str(one) for one in care], "owner": carer if Care.NAMED in care else "",
        "rank": customer_rank(customer, found), "imported_at": now, "sealed": vault.seal(customer.contact),
        "state": "new", "position": 0, "reached": "", "suggestion": "", "complaints": 0, "callback": because,
        "callback_at": now if because else None, "called_by": "", "called_note": "",
    }  # fmt: skip


def _because(customer: AffectedCustomer, plan: FollowUpPlan, ways: tuple[str, ...]) -> str:
    """Why a person calls them whatever they answer."""
    if not ways:
        return str(CallbackReason.NO_CHANNEL)
    return str(CallbackReason.HIGH_VALUE) if customer.order_value > plan.high_value else ""
