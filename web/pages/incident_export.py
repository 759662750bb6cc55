"""Incident export: Markdown and HTML for people, JSON and CSV for programs; CSV holds no formulas."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pendulum import DateTime

from domain.spreadsheet import escape_formula
from engine.installation import Installation
from web.api.incidents import incident_document, timeline_document
from web.http.page_rendering import render_template
from web.http.request_context import RequestContextDep

router = APIRouter(include_in_schema=False)
Kind = Literal["md", "html", "json", "csv"]
_TYPES: Final = {"md": "text/markdown", "html": "text/html", "json": "application/json", "csv": "text/csv"}
_MOST: Final = 100_000
_COLUMNS: Final = ("seq", "at", "kind", "step", "by", "by_name", "says")


@router.get("/incidents/{ref}/export.{kind}")
async def export_incident(request: Request, ref: str, kind: Kind, context: RequestContextDep) -> Response:
    """Export an incident with its whole timeline as a file."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        return {
            "now": now,
            "incident": incident_document(installation, ref, now),
            **timeline_document(installation, ref, limit=_MOST),
        }

    found = await context.read(look)
    if kind == "json":
        body = json.dumps({"incident": found["incident"], "timeline": found["entries"]}, ensure_ascii=False, indent=1)
    elif kind == "csv":
        body = _csv(found["entries"])
    else:
        body = render_template(request, f"export.{kind}", **found)
    headers = {"content-disposition": f'attachment; filename="{found["incident"]["ref"]}.{kind}"'}
    return Response(body, media_type=f"{_TYPES[kind]}; charset=utf-8", headers=headers)


def _csv(entries: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for entry in entries:
        row = {**entry, "says": entry["says"]["en"]}
        writer.writerow([escape_formula(row[name]) for name in _COLUMNS])
    return "\ufeff" + file.getvalue()  # spreadsheets know by this that it is UTF-8
