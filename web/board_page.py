"""The board: what is open, the most urgent first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pendulum import DateTime
from starlette.requests import Request

from engine.house import House
from storage import board, warnings
from web.desk import AtDesk
from web.house_api import findings
from web.live import shown
from web.warnings import document

router = APIRouter(include_in_schema=False)
_SHOWN = 50
_SILENT = frozenset({"held", "shown"})  # warnings that nobody was called for


@router.get("/")
async def show_board(request: Request, desk: AtDesk, all: Annotated[bool, Query()] = False) -> Response:  # noqa: A002
    """Open incidents, the most urgent first."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            status = "all" if all else "open"
            found = board.rows(connection, house.roster(), now, status=status, limit=_SHOWN, urgent_first=not all)
            figures = board.figures_of_board(connection, now)
            held = [document(row) for row in warnings.listed(connection) if row.course in _SILENT]
        wrong = findings(request, house)
        return {"now": now, "rows": found, "held": held, "figures": figures, "findings": wrong, "all": all}

    return await shown(request, desk, "board.html", look)
