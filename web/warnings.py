"""The API of warnings: what stands, and silences."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import Field
from sqlalchemy import Row

from domain.handle import Refused
from domain.warning.raised import Silence
from engine.asked import check_id, clean
from engine.house import House
from engine.warning import marks
from storage import board, warnings
from web.desk import AtDesk
from web.forms import Form, Moment
from web.schemas import answers

router = APIRouter(tags=["warnings"])
LONGEST_REASON = 400
MOST_LABELS = 20
MOST_DAYS = 90


@router.get("/api/warnings", responses=answers("warnings", "Warnings, the newest first"))
async def list_warnings(
    desk: AtDesk,
    status: Annotated[Literal["standing", "all"], Query(description="Only those that stand, or all.")] = "standing",
    lane: Annotated[str, Query(max_length=64, description="Of a replay; default: of live figures.")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> JSONResponse:
    """Warnings, the newest first, with what was made of each."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            rows = warnings.listed(connection, lane=lane, standing_only=status == "standing", limit=limit)
            evaluated = marks.marked(connection, lane)
            said = marks.said(connection)
        return {
            "now": now.isoformat(),
            "evaluated_to": board.iso(evaluated),
            "evaluated_by": said[0].get("engine") if said else None,
            "warnings": [document(row) for row in rows],
        }

    return JSONResponse(await desk.read(look))


def document(row: Row[Any]) -> dict[str, Any]:
    """A warning as programs and pages read it."""
    names = (
        "id", "ref", "rule", "tier", "worst", "course", "because", "value", "baseline", "service", "playbook", "lane",
        "link",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in names},
        "title": {"en": row.title["en"], "zh": row.title["zh"] or row.title["en"]},
        "labels": dict(warnings.series_of(row.series)),
        "began_at": board.iso(row.began_at),
        "ended_at": board.iso(row.ended_at),
        "status": "over" if row.ended_at else "standing",
    }


# --- silences ----------------------------------------------------------------------------------------------------


class SilenceForm(Form):
    """Nobody is called for warnings that match, until an end, for a reason."""

    rule: str = Field("", max_length=64, description="A rule by its id; empty: any.", examples=["tier-1-response-time"])
    labels: dict[str, str] = Field({}, description="Only warnings with these labels.", examples=[{"service": "web"}])
    until: Moment = Field(description="When it ends.", examples=["2026-03-02T18:00:00+08:00"])
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Why.", examples=["planned maintenance"])
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


@router.get("/api/silences", responses=answers("silences", "Silences in force"))
async def list_silences(desk: AtDesk) -> JSONResponse:
    """Silences in force, the first to end first."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            return {"now": now.isoformat(), "silences": [_silence(one) for one in warnings.silences(connection, now)]}

    return JSONResponse(await desk.read(look))


@router.post("/api/silences", status_code=201, responses=answers("silence", "In force", status=201, command=True))
async def silence(form: SilenceForm, desk: AtDesk) -> JSONResponse:
    """Silence: whatever matches calls nobody until the end, and then it does if it still stands."""

    def act(house: House, by: str, now: DateTime) -> Silence:
        wanted = checked(form, by, now)
        with house.database.write() as connection:
            warnings.add_silence(connection, wanted, now)
        return wanted

    return JSONResponse(_silence(await desk.write(act, form.speaker)), 201)


@router.post("/api/silences/{name}/end", responses=answers("silence-ended", "Over", command=True))
async def end_silence(name: str, desk: AtDesk) -> JSONResponse:
    """End a silence now."""

    def act(house: House, _by: str, now: DateTime) -> bool:
        with house.database.write() as connection:
            return warnings.end_silence(connection, name, now)

    return JSONResponse({"id": name, "changed": await desk.write(act)})


def checked(form: SilenceForm, by: str, now: DateTime) -> Silence:
    """The silence that is asked for; Refused where it cannot be."""
    check_id(form.id)
    until = form.until
    if until is None or until <= now:
        raise Refused("a silence ends later than now: give `until`, with its time zone")
    if until > now.add(days=MOST_DAYS):
        raise Refused(f"a silence ends within {MOST_DAYS} days: what is quiet for longer wants another rule")
    if len(form.labels) > MOST_LABELS:
        raise Refused(f"a silence names at most {MOST_LABELS} labels")
    reason = clean(form.reason, LONGEST_REASON, "reason")
    return Silence(id=form.id, until=until, reason=reason, by=by, rule=form.rule.strip(), labels=form.labels)


def _silence(one: Silence) -> dict[str, Any]:
    return {
        "id": one.id, "rule": one.rule, "labels": dict(one.labels), "until": one.until.isoformat(),
        "reason": one.reason, "by": one.by,
    }  # fmt: skip
