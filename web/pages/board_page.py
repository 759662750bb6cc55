"""Incident board page: open incidents, the most urgent first."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pendulum import DateTime
from starlette.requests import Request

from engine.installation import Installation
from storage.incidents import board, warnings
from web.api.installation_status import file_findings
from web.api.warnings import warning_document
from web.http.request_context import RequestContextDep
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
_SHOWN = 50
_SILENT = frozenset({"held", "shown"})  # warnings that nobody was called for


@router.get("/")
async def show_board(request: Request, context: RequestContextDep, all: Annotated[bool, Query()] = False) -> Response:  # noqa: A002
    """Open incidents, the most urgent first."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            status = "all" if all else "open"
            found = board.list_board_rows(
                connection, installation.roster(), now, status=status, limit=_SHOWN, urgent_first=not all
            )
            figures = board.board_figures(connection, now)
            held = [warning_document(row) for row in warnings.list_warnings(connection) if row.course in _SILENT]
        wrong = file_findings(request, installation)
        return {"now": now, "rows": found, "held": held, "figures": figures, "findings": wrong, "all": all}

    return await render_live_page(request, context, "board.html", look)
