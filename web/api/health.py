"""Health board API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from web.api.health_board import HealthBoardService
from web.api.samples import SampleServiceDep
from web.app_state import state_of
from web.schemas import documented_responses

router = APIRouter(tags=["installation"])


async def _health_board_service(request: Request, _service: SampleServiceDep) -> HealthBoardService:
    return state_of(request).health


HealthBoardServiceDep = Annotated[HealthBoardService, Depends(_health_board_service)]


@router.get("/api/health", responses=documented_responses("health-board", "The health board"))
async def health(
    board: HealthBoardServiceDep,
    service: Annotated[str, Query(max_length=200, description="Of one service; default: of all together.")] = "",
    lane: Annotated[str, Query(max_length=64, description="Of a replay, where it is; default: live, now.")] = "",
) -> JSONResponse:
    """The six core figures now, over the last day and against target; the indices; staffing; 48 hours ahead; findings.

    A figure that is not known is null, never 0.
    """
    found = await board.board_document(lane, service)
    if found is None:
        return JSONResponse({"error": f"there is no replay {lane[:60]}"}, 404)
    return JSONResponse(found)
