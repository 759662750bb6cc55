"""Reviews and reports: which there are, made on demand; retrospectives; the three levels of handling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import BaseModel, ConfigDict, Field

from domain.durations import later, parse_duration
from domain.handle import Refused
from domain.review.period import SPANS, BadPeriod, Period, ReviewKind, before, period_at
from engine.clock import now
from engine.house import House
from engine.review.desk import ReviewDesk, desk_of
from storage import documents, incidents, reviews
from storage.board import iso
from storage.documents import Document
from web.desk import AtDesk, Desk
from web.documents import UnknownDocument, in_short, whole
from web.schemas import answers

router = APIRouter(tags=["documents"])
T = TypeVar("T")


class ReportForm(BaseModel):
    """Which report is made."""

    model_config = ConfigDict(extra="forbid")

    kind: ReviewKind = Field(description="Such as monthly-service-report.")
    period: str = Field(default="", max_length=20, description="Such as 2026-10; left out: the last one that is over.")


class ActionForm(BaseModel):
    """An action that a retrospective decided."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=64, description="Of your making: the same id again changes nothing.")
    title: str = Field(min_length=1, max_length=200, description="What is done.")
    owner: str = Field(min_length=1, max_length=60, description="A role of the roster, or a person's id.")
    due: str = Field(max_length=20, description="From now, such as 14d.")


class RetrospectiveForm(BaseModel):
    """What people add to a retrospective; with nothing in it the draft is written anew."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    words: dict[str, str] = Field(default_factory=dict, description="By section: cause, well, badly, luck.")
    action: ActionForm | None = Field(default=None, description="An action that was decided.")
    speaker: str = Field(default="", alias="as", max_length=60, description="From the console: in whose name.")


async def _write(desk: Desk, act: Callable[[ReviewDesk, str, DateTime], T], said: str = "") -> T:
    """Carry out in a thread of its own: a report takes seconds, and commands wait for nobody."""
    by = await desk.write(lambda _house, by, _now: by, said)
    return await asyncio.to_thread(lambda: act(desk_of(desk.house), by, now()))


@router.get("/api/reports", responses=answers("reports", "Reviews of the calendar"))
async def listing(desk: AtDesk, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> JSONResponse:
    """Every kind of review, the period that is next to be reviewed, and those that were."""

    def look(house: House, at: DateTime) -> dict[str, Any]:
        zone = desk_of(house).plan.zone
        with house.database.read() as connection:
            found = reviews.runs(connection, limit=limit)
        kinds = [
            {"kind": str(kind), "span": str(span), "next": _next(period_at(span, at, zone))}
            for kind, span in SPANS.items()
        ]
        runs = [
            {"kind": row.kind, "period": row.period, "made_at": iso(row.made_at), "late": row.late,
             "document": row.document, "matter": row.matter, "trouble": row.trouble}
            for row in found
        ]  # fmt: skip
        return {"zone": zone, "kinds": kinds, "runs": runs}

    return JSONResponse(await desk.read(look))


def _next(period: Period) -> dict[str, Any]:
    return {"period": period.name, "ends_at": iso(period.ends)}


@router.post("/api/reports", responses=answers("document", "The document", command=True))
async def make(form: ReportForm, desk: AtDesk) -> JSONResponse:
    """Make a report now, of a period that is over or of the one that runs, as far as it is. Nobody is called."""

    def act(reviewing: ReviewDesk, _by: str, at: DateTime) -> Document:
        from engine.review.holding import make as work  # noqa: PLC0415 - loads what draws, for whoever needs it

        zone, span = reviewing.plan.zone, SPANS[form.kind]
        name = form.period or before(period_at(span, at, zone), zone).name
        try:
            work(reviewing, form.kind, name, at)
        except BadPeriod as bad:
            raise Refused(str(bad)) from None
        return _kept(reviewing.house, f"{form.kind}/{name}")

    return JSONResponse(whole(await _write(desk, act)))


@router.get("/api/incidents/{ref}/retrospective", responses=answers("document", "The retrospective"))
async def retrospective(ref: str, desk: AtDesk) -> JSONResponse:
    """The retrospective of a matter as it was written last."""

    def look(house: House, _now: DateTime) -> Document:
        with house.database.read() as connection:
            known = incidents.load_incident(connection, incidents.find(connection, ref)).ref
        return _kept(house, f"retrospective/{known}")

    return JSONResponse(whole(await desk.read(look)))


@router.post("/api/incidents/{ref}/retrospective", responses=answers("retrospective", "Written", command=True))
async def write_retrospective(ref: str, form: RetrospectiveForm, desk: AtDesk) -> JSONResponse:
    """Write the draft anew, with what people add to it; put an action on record with its owner and date."""

    def act(reviewing: ReviewDesk, by: str, at: DateTime) -> dict[str, Any]:
        from engine.review import retrospective as work  # noqa: PLC0415 - as above

        action = None
        if form.action is not None:
            try:
                due = parse_duration(form.action.due)
            except ValueError as wrong:
                raise Refused(f"due: {wrong}") from None
            asked = form.action
            action = work.act(reviewing, ref, asked.id, asked.title, asked.owner, due, at, by=by)
        found = work.write(reviewing, ref, form.words, at) if form.words else work.draft(reviewing, ref, at)
        with reviewing.house.database.read() as connection:
            row = reviews.retrospective(connection, incidents.find(connection, ref))
        kept = _kept(reviewing.house, found.id)
        return {**in_short(kept), "review": row.matter if row else "", "action": action.ref if action else "",
                "page": f"/documents/{kept.id}", "texts": dict(kept.texts)}  # fmt: skip

    return JSONResponse(await _write(desk, act, form.speaker))


@router.get("/api/levels", responses=answers("levels", "The three levels"))
async def levels(
    desk: AtDesk, days: Annotated[int, Query(ge=1, le=63, description="Of the last so many days.")] = 7
) -> JSONResponse:
    """The three levels of handling: contacts, and the share closed within its time against the objective."""

    def look(house: House, at: DateTime) -> dict[str, Any]:
        from engine.review.measuring import Measured  # noqa: PLC0415
        from engine.review.monthly import levels as work  # noqa: PLC0415

        reviewing = desk_of(house)
        begins = at.in_timezone(reviewing.plan.zone).start_of("day").subtract(days=days - 1)
        period = Period(SPANS[ReviewKind.DAILY], "", begins, later(at.in_timezone(reviewing.plan.zone), _MINUTE))
        with house.database.read() as connection:
            measured = Measured(reviewing.figures, connection, reviewing.metrics(), period)
            return {"from": begins.isoformat(), "to": at.isoformat(), "levels": work(measured, reviewing.plan)}

    return JSONResponse(await desk.read(look))


_MINUTE = parse_duration("1m")


def _kept(house: House, document_id: str) -> Document:
    with house.database.read() as connection:
        found = documents.load(connection, document_id)
    if found is None:
        raise UnknownDocument(f"there is no {document_id[:80]} yet: `tocsin retrospective` or `report make` writes it")
    return found
