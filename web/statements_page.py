"""For PR: statements side by side by channel and language, and how people spoke before and after each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import pendulum
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from domain.incident import Nature
from engine import speaking
from engine.house import House
from storage import board, incidents
from storage.figures import Figures
from web.charts import course_with_marks
from web.desk import AtDesk
from web.incidents import whole
from web.live import shown

router = APIRouter(include_in_schema=False)


@router.get("/statements")
async def show_statements(
    request: Request, desk: AtDesk, incident: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """What was said of one incident; of the newest open one where none is named."""
    figures: Figures = request.app.state.figures.figures

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            heads = [
                one for drill in (False, True) for one in board.open_heads(connection, Nature.INCIDENT, drill=drill)
            ]
        ref = incident or (heads[0]["ref"] if heads else "")
        if not ref:
            return {"now": now, "heads": [], "incident": None, "said": [], "mood": None, "seen": 0, "people": {}}
        document = whole(house, ref, now)
        began = _moment(document["declared_at"])
        ends = _moment(document["closed_at"]).add(hours=6) if document["closed_at"] else now
        with house.database.read() as connection:
            seen = incidents.count_facts(connection, document["id"])
        return {
            "now": now, "heads": heads, "incident": document, "said": speaking.statements(document),
            "mood": speaking.mood(figures, began, min(now, ends)), "seen": seen, "people": document["people"],
        }  # fmt: skip

    return await shown(request, desk, "statements.html", look, plot=course_with_marks)


def _moment(written: str) -> DateTime:
    return pendulum.instance(datetime.fromisoformat(written))
