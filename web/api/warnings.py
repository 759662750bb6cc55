"""API of warnings and silences."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pendulum import DateTime
from pydantic import Field

from domain.command_handlers import CommandRefused
from domain.warning.disposition import Silence
from engine.installation import Installation
from engine.response.validation import check_command_id, clean_line
from engine.warning import checkpoints
from storage.incidents import board, warnings
from web.api.request_models import CommandForm, Moment
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(tags=["warnings"])
LONGEST_REASON = 400
MOST_LABELS = 20
MOST_DAYS = 90


@router.get("/api/warnings", responses=documented_responses("warnings", "Warnings, the newest first"))
async def list_warnings(
    context: RequestContextDep,
    status: Annotated[Literal["standing", "all"], Query(description="Only those that stand, or all.")] = "standing",
    lane: Annotated[str, Query(max_length=64, description="Of a replay; default: of live figures.")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> JSONResponse:
    """List warnings, newest first, with the response to each."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            rows = warnings.list_warnings(connection, feed=lane, standing_only=status == "standing", limit=limit)
            evaluated = checkpoints.load_checkpoint(connection, lane)
            said = checkpoints.load_evaluator_facts(connection)
        return {
            "now": now.isoformat(),
            "evaluated_to": board.iso_time(evaluated),
            "evaluated_by": said[0].get("engine") if said else None,
            "warnings": [warning_document(row) for row in rows],
        }

    return JSONResponse(await context.read(look))


def warning_document(row: warnings.ListedWarning) -> dict[str, Any]:
    """Document of a warning for programs and pages."""
    names = (
        "id", "ref", "rule", "tier", "worst", "course", "because", "value", "baseline", "service", "playbook", "lane",
        "link",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in names},
        "title": {"en": row.title["en"], "zh": row.title["zh"] or row.title["en"]},
        "labels": dict(warnings.parse_series(row.series)),
        "began_at": board.iso_time(row.began_at),
        "ended_at": board.iso_time(row.ended_at),
        "status": "over" if row.ended_at else "standing",
    }


# --- silences ----------------------------------------------------------------------------------------------------


class SilenceForm(CommandForm):
    """Silence to create: matching warnings call nobody until an end, for a reason."""

    rule: str = Field("", max_length=64, description="A rule by its id; empty: any.", examples=["tier-1-response-time"])
    labels: dict[str, str] = Field({}, description="Only warnings with these labels.", examples=[{"service": "web"}])
    until: Moment = Field(description="When it ends.", examples=["2026-03-02T18:00:00+08:00"])
    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Why.", examples=["planned maintenance"])
    speaker: str = Field("", alias="as", max_length=100, description="From the console only: in whose name.")


@router.get("/api/silences", responses=documented_responses("silences", "Silences in force"))
async def list_silences(context: RequestContextDep) -> JSONResponse:
    """List the silences in force, the first to end first."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            return {
                "now": now.isoformat(),
                "silences": [_silence(one) for one in warnings.list_silences(connection, now)],
            }

    return JSONResponse(await context.read(look))


@router.post(
    "/api/silences", status_code=201, responses=documented_responses("silence", "In force", status=201, command=True)
)
async def silence(form: SilenceForm, context: RequestContextDep) -> JSONResponse:
    """Create a silence: matching warnings call nobody until its end, and then do if they still stand."""

    def act(installation: Installation, by: str, now: DateTime) -> Silence:
        wanted = build_silence(form, by, now)
        with installation.database.write() as connection:
            warnings.add_silence(connection, wanted, now)
        return wanted

    return JSONResponse(_silence(await context.write(act, form.speaker)), 201)


@router.post("/api/silences/{name}/end", responses=documented_responses("silence-ended", "Over", command=True))
async def end_silence(name: str, context: RequestContextDep) -> JSONResponse:
    """End a silence now."""

    def act(installation: Installation, _by: str, now: DateTime) -> bool:
        with installation.database.write() as connection:
            return warnings.end_silence(connection, name, now)

    return JSONResponse({"id": name, "changed": await context.write(act)})


def build_silence(form: SilenceForm, by: str, now: DateTime) -> Silence:
    """Silence from a form; raises `Refused` where it is not valid."""
    check_command_id(form.id)
    until = form.until
    if until is None or until <= now:
        raise CommandRefused("a silence ends later than now: give `until`, with its time zone")
    if until > now.add(days=MOST_DAYS):
        raise CommandRefused(f"a silence ends within {MOST_DAYS} days: what is quiet for longer wants another rule")
    if len(form.labels) > MOST_LABELS:
        raise CommandRefused(f"a silence names at most {MOST_LABELS} labels")
    reason = clean_line(form.reason, LONGEST_REASON, "reason")
    return Silence(id=form.id, until=until, reason=reason, by=by, rule=form.rule.strip(), labels=form.labels)


def _silence(one: Silence) -> dict[str, Any]:
    return {
        "id": one.id, "rule": one.rule, "labels": dict(one.labels), "until": one.until.isoformat(),
        "reason": one.reason, "by": one.by,
    }  # fmt: skip
