"""Statements page for PR: statements by channel and language, with mentions before and after each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import pendulum
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from domain.incident import CaseType
from engine.installation import Installation
from engine.response import statements
from storage.incidents import board, incidents
from storage.samples.sample_store import SampleStore
from web.api.incidents import incident_document
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.pages.charts import incident_trend
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)


@router.get("/statements")
async def show_statements(
    request: Request, context: RequestContextDep, incident: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """Show the statements of one incident; by default of the newest open one."""
    figures: SampleStore = state_of(request).samples.figures

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            heads = [
                one
                for drill in (False, True)
                for one in board.list_open_cases(connection, CaseType.INCIDENT, drill=drill)
            ]
        ref = incident or (heads[0]["ref"] if heads else "")
        if not ref:
            return {"now": now, "heads": [], "incident": None, "said": [], "mood": None, "seen": 0, "people": {}}
        document = incident_document(installation, ref, now)
        began = _moment(document["declared_at"])
        ends = _moment(document["closed_at"]).add(hours=6) if document["closed_at"] else now
        with installation.database.read() as connection:
            seen = incidents.count_facts(connection, document["id"])
        return {
            "now": now,
            "heads": heads,
            "incident": document,
            "said": statements.list_statements(document),
            "mood": statements.build_mention_series(figures, began, min(now, ends)),
            "seen": seen,
            "people": document["people"],
        }

    return await render_live_page(request, context, "statements.html", look, plot=incident_trend)


def _moment(written: str) -> DateTime:
    return pendulum.instance(datetime.fromisoformat(written))
