"""API of reviews: reports on demand, retrospectives, and the three levels of handling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import BaseModel, ConfigDict, Field

from domain.command_handlers import CommandRefused
from domain.durations import later, parse_duration
from domain.review.period import REVIEW_LENGTHS, BadPeriod, Period, ReviewKind, period_at, previous_period
from engine.installation import Installation
from engine.process.clock import now
from engine.review.service import ReviewService
from storage import documents
from storage.documents import Document
from storage.incidents import incidents
from storage.incidents.board import iso_time
from storage.reviews import review_records
from web.api.documents import UnknownDocument, document_detail, document_summary
from web.http.request_context import RequestContext, RequestContextDep
from web.schemas import documented_responses

router = APIRouter(tags=["documents"])
T = TypeVar("T")


class ReportForm(BaseModel):
    """Report to make."""

    model_config = ConfigDict(extra="forbid")

    kind: ReviewKind = Field(description="Such as monthly-service-report.")
    period: str = Field(default="", max_length=20, description="Such as 2026-10; left out: the last one that is over.")


class RetrospectiveActionForm(BaseModel):
    """Action that a retrospective decided."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=64, description="Of your making: the same id again changes nothing.")
    title: str = Field(min_length=1, max_length=200, description="What is done.")
    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(max_length=20, description="From now, such as 14d.")


class RetrospectiveUpdateForm(BaseModel):
    """People's additions to a retrospective; without any the draft is written anew."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    words: dict[str, str] = Field(default_factory=dict, description="By section: cause, well, badly, luck.")
    action: RetrospectiveActionForm | None = Field(default=None, description="An action that was decided.")
    speaker: str = Field(default="", alias="as", max_length=60, description="From the console: in whose name.")


async def _write(context: RequestContext, act: Callable[[ReviewService, str, DateTime], T], said: str = "") -> T:
    """Carry out in a thread of its own: a report takes seconds, and commands wait for nobody."""
    by = await context.write(lambda _installation, by, _now: by, said)
    return await asyncio.to_thread(lambda: act(context.installation.reviews, by, now()))


@router.get("/api/reports", responses=documented_responses("reports", "Reviews of the calendar"))
async def listing(context: RequestContextDep, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> JSONResponse:
    """List every kind of review, the next period to review, and the past reviews."""

    def look(installation: Installation, at: DateTime) -> dict[str, Any]:
        zone = installation.reviews.plan.zone
        with installation.database.read() as connection:
            found = review_records.list_runs(connection, limit=limit)
        kinds = [
            {"kind": str(kind), "span": str(span), "next": _next(period_at(span, at, zone))}
            for kind, span in REVIEW_LENGTHS.items()
        ]
        runs = [
            {"kind": row.kind, "period": row.period, "made_at": iso_time(row.made_at), "late": row.late,
             "document": row.document, "matter": row.matter, "trouble": row.trouble}
            for row in found
        ]  # fmt: skip
        return {"zone": zone, "kinds": kinds, "runs": runs}

    return JSONResponse(await context.read(look))


def _next(period: Period) -> dict[str, Any]:
    return {"period": period.name, "ends_at": iso_time(period.ends)}


@router.post("/api/reports", responses=documented_responses("document", "The document", command=True))
async def make(form: ReportForm, context: RequestContextDep) -> JSONResponse:
    """Make a report now, of a finished period or of the current one so far. Nobody is called."""

    def act(reviewing: ReviewService, _by: str, at: DateTime) -> Document:
        from engine.review.run_review import remake_document as work  # noqa: PLC0415 - loads what draws, for whoever needs it

        zone, span = reviewing.plan.zone, REVIEW_LENGTHS[form.kind]
        name = form.period or previous_period(period_at(span, at, zone), zone).name
        try:
            work(reviewing, form.kind, name, at)
        except BadPeriod as bad:
            raise CommandRefused(str(bad)) from None
        return _kept(reviewing.installation, f"{form.kind}/{name}")

    return JSONResponse(document_detail(await _write(context, act)))


@router.get("/api/incidents/{ref}/retrospective", responses=documented_responses("document", "The retrospective"))
async def retrospective(ref: str, context: RequestContextDep) -> JSONResponse:
    """Show the newest retrospective of a case."""

    def look(installation: Installation, _now: DateTime) -> Document:
        with installation.database.read() as connection:
            known = incidents.load_incident(connection, incidents.find_incident_id(connection, ref)).ref
        return _kept(installation, f"retrospective/{known}")

    return JSONResponse(document_detail(await context.read(look)))


@router.post(
    "/api/incidents/{ref}/retrospective", responses=documented_responses("retrospective", "Written", command=True)
)
async def write_retrospective(ref: str, form: RetrospectiveUpdateForm, context: RequestContextDep) -> JSONResponse:
    """Write the draft anew with people's additions; record an action with its owner and date."""

    def act(reviewing: ReviewService, by: str, at: DateTime) -> dict[str, Any]:
        from engine.review import retrospective as work  # noqa: PLC0415 - as above

        action = None
        if form.action is not None:
            try:
                due = parse_duration(form.action.due)
            except ValueError as wrong:
                raise CommandRefused(f"due: {wrong}") from None
            asked = form.action
            action = work.add_action(reviewing, ref, asked.id, asked.title, asked.owner, due, at, by=by)
        found = (
            work.write_sections(reviewing, ref, form.words, at)
            if form.words
            else work.draft_retrospective(reviewing, ref, at)
        )
        with reviewing.installation.database.read() as connection:
            row = review_records.get_retrospective(connection, incidents.find_incident_id(connection, ref))
        kept = _kept(reviewing.installation, found.id)
        return {**document_summary(kept), "review": row.matter if row else "", "action": action.ref if action else "",
                "page": f"/documents/{kept.id}", "texts": dict(kept.texts)}  # fmt: skip

    return JSONResponse(await _write(context, act, form.speaker))


@router.get("/api/levels", responses=documented_responses("levels", "The three levels"))
async def levels(
    context: RequestContextDep, days: Annotated[int, Query(ge=1, le=63, description="Of the last so many days.")] = 7
) -> JSONResponse:
    """Show the three levels of handling: contacts, and the share closed in time against the objective."""

    def look(installation: Installation, at: DateTime) -> dict[str, Any]:
        from engine.review.monthly_report import level_figures as work  # noqa: PLC0415
        from engine.review.period_metrics import PeriodMetrics  # noqa: PLC0415

        reviewing = installation.reviews
        begins = at.in_timezone(reviewing.plan.zone).start_of("day").subtract(days=days - 1)
        period = Period(
            REVIEW_LENGTHS[ReviewKind.DAILY], "", begins, later(at.in_timezone(reviewing.plan.zone), _MINUTE)
        )
        with installation.database.read() as connection:
            measured = PeriodMetrics(reviewing.figures, connection, reviewing.metrics(), period)
            return {"from": begins.isoformat(), "to": at.isoformat(), "levels": work(measured, reviewing.plan)}

    return JSONResponse(await context.read(look))


_MINUTE = parse_duration("1m")


def _kept(installation: Installation, document_id: str) -> Document:
    with installation.database.read() as connection:
        found = documents.load_document(connection, document_id)
    if found is None:
        raise UnknownDocument(f"there is no {document_id[:80]} yet: `tocsin retrospective` or `report make` writes it")
    return found
