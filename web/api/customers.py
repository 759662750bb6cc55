"""API of affected customers: import, list with masked contacts, callback records, erasure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import BaseModel, ConfigDict, Field

from domain.customers.survey import SurveyResult
from engine.customers import import_customers, survey_answers
from engine.customers.service import CustomerService
from engine.installation import Installation
from storage.customers import affected_customers, follow_ups
from storage.customers.affected_customers import CustomerRecord
from storage.incidents import incidents
from storage.incidents.board import iso_time
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(tags=["customers"])
MOST_LISTED = 5_000


class CustomersForm(BaseModel):
    """Affected customers, one object a row of the file."""

    model_config = ConfigDict(extra="forbid")

    customers: list[Any] = Field(
        max_length=import_customers.MAX_ROWS, description="Objects with the columns of a customer."
    )
    first_line: int = Field(default=1, ge=1, description="The line of the first one, for what is said of bad rows.")


class CalledForm(BaseModel):
    """Record of a callback to a customer."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    customer: str = Field(min_length=1, max_length=64, description="Number in the CRM.")
    note: str = Field(default="", max_length=survey_answers.LONGEST_NOTE, description="What came of it.")
    speaker: str = Field(default="", alias="as", max_length=60, description="From the console: in whose name.")


class RepeatComplaintForm(BaseModel):
    """Repeat complaint of a customer."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=64, description="Of your making: the same id again changes nothing.")
    customer: str = Field(min_length=1, max_length=64, description="Number in the CRM.")


class ForgetForm(BaseModel):
    """Customer to erase."""

    model_config = ConfigDict(extra="forbid")

    customer: str = Field(min_length=1, max_length=64, description="Number in the CRM.")


@router.post(
    "/api/incidents/{ref}/customers", responses=documented_responses("customers-taken", "Taken in", command=True)
)
async def take(ref: str, form: CustomersForm, context: RequestContextDep) -> JSONResponse:
    """Import affected customers. Good rows are kept, bad ones named by line; a known customer is kept once."""

    def act(installation: Installation, by: str, now: DateTime) -> import_customers.ImportResult:
        return import_customers.import_customers(installation.customers, ref, form.customers, now, by, form.first_line)

    found = await context.write(act)
    bad = [{"line": line, "reason": reason} for line, reason in found.bad]
    return JSONResponse({"ref": found.ref, "taken": found.taken, "known": found.known, "bad": bad})


@router.get(
    "/api/incidents/{ref}/customers",
    responses=documented_responses("customers", "Customers, whoever comes first first"),
)
async def show(
    ref: str,
    context: RequestContextDep,
    calls: Annotated[bool, Query(description="Only those whom a person has still to call.")] = False,
    limit: Annotated[int, Query(ge=0, le=MOST_LISTED)] = 100,
    after: Annotated[int, Query(ge=0, description="Leave out so many.")] = 0,
) -> JSONResponse:
    """Show the follow-up of an incident: its state, its figures, and customers with masked contacts."""

    def look(installation: Installation, _now: DateTime) -> dict[str, Any]:
        return follow_up_document(installation.customers, ref, calls=calls, limit=limit, after=after)

    return JSONResponse(await context.read(look))


def follow_up_summary(service: CustomerService, ref: str) -> dict[str, Any] | None:
    """Follow-up as the incident's page shows it; None without one. Figures may be some seconds old."""
    with service.installation.database.read() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        follow = follow_ups.get_follow_up(connection, incident_id)
    if follow is None:
        return None
    result = service.counter.get_result(incident_id)
    aims = {"second_complaints": service.plan.second_aim}
    return {"result": result and _figures(result), "collect_at": iso_time(follow.collect_at), "aims": aims}


def follow_up_document(service: CustomerService, ref: str, *, calls: bool, limit: int, after: int) -> dict[str, Any]:
    """The follow-up of an incident as JSON."""
    with service.installation.database.read() as connection:
        incident_id = incidents.find_incident_id(connection, ref)
        incident = incidents.load_incident(connection, incident_id)
        follow = follow_ups.get_follow_up(connection, incident_id)
        result = affected_customers.compute_result(connection, incident_id) if follow else SurveyResult()
        rows = affected_customers.list_customers(connection, incident_id, calls=calls, limit=limit, after=after)
        surveys = follow_ups.count_surveys(connection, follow.response_id) if follow else {}
    return {
        "ref": incident.ref,
        "state": follow.state if follow else "none",
        "collect_at": iso_time(follow.collect_at) if follow else None,
        "erase_at": iso_time(follow.erase_at) if follow else None,
        "result": _figures(result),
        "aims": {"second_complaints": service.plan.second_aim},
        "surveys": surveys,
        "customers": [_customer(row) for row in rows],
    }


def _figures(result: SurveyResult) -> dict[str, Any]:
    shares = {"response_share": result.response_share, "csat": result.csat, "nps": result.nps}
    return {**asdict(result), **shares, "second_share": result.second_share}


def _customer(row: CustomerRecord) -> dict[str, Any]:
    return {
        "customer": row.customer,
        "contact": row.masked,
        "language": row.language,
        "time_zone": row.zone,
        "order_value": row.order_value / 100,
        "compensation": row.compensation / 100,
        "poor_service_30d": row.poor_service,
        "public_complaint": row.public,
        "questions": {
            "poor_history": row.poor_history,
            "harmed": row.harmed,
            "compensated": row.compensated,
        },
        "care": row.care,
        "owner": row.owner,
        "state": row.state,
        "reached": row.reached,
        "asked_at": iso_time(row.asked_at),
        "reminded_at": iso_time(row.reminded_at),
        "answered_at": iso_time(row.answered_at),
        "csat": row.csat,
        "nps": row.nps,
        "solved": row.solved,
        "suggestion": row.suggestion,
        "complaints": row.complaints,
        "reopened_at": iso_time(row.reopened_at),
        "callback": row.callback,
        "called_at": iso_time(row.called_at),
        "called_by": row.called_by,
        "called_note": row.called_note,
    }


@router.post("/api/incidents/{ref}/customers/called", responses=documented_responses("customers-done", command=True))
async def called(ref: str, form: CalledForm, context: RequestContextDep) -> JSONResponse:
    """Record that a customer was called."""

    def act(installation: Installation, by: str, now: DateTime) -> None:
        survey_answers.record_callback(installation.customers, ref, form.customer, now, by=by, note=form.note)

    await context.write(act, form.speaker)
    return JSONResponse({"ok": True})


@router.post("/api/incidents/{ref}/customers/again", responses=documented_responses("customers-done", command=True))
async def again(ref: str, form: RepeatComplaintForm, context: RequestContextDep) -> JSONResponse:
    """Record a repeat complaint: the customer's case opens again, and its owner is called."""

    def act(installation: Installation, _by: str, now: DateTime) -> None:
        survey_answers.record_complaint(installation.customers, ref, form.customer, now, command_id=form.id)

    await context.write(act)
    return JSONResponse({"ok": True})


@router.post("/api/customers/forget", responses=documented_responses("customers-forgotten", command=True))
async def forget(form: ForgetForm, context: RequestContextDep) -> JSONResponse:
    """Erase a customer from every incident: contact, number and words go; anonymous figures stay."""
    count = await context.write(
        lambda installation, _by, _now: survey_answers.forget_customer(installation.customers, form.customer),
        need="forget",
    )
    return JSONResponse({"forgotten": count})


def get_requested_service(request: Request) -> CustomerService:
    """Customer service of this process's installation."""
    return state_of(request).installation.customers
