"""Webhooks: what monitors and feeds that people already have post here, in their own formats."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from engine.figures.alerts import Heard, Source, UnreadableAlerts, read
from engine.figures.intake import Outcome
from engine.figures.reading import Fault
from engine.figures.texts import UnreadableTexts, read_mentions
from storage.figures import LIVE
from web.samples import AtFigures, FiguresDesk, told
from web.schemas import answers

log = logging.getLogger("tocsin.webhooks")
router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@router.post("/alertmanager", responses=answers("alerts", "Committed", command=True))
async def alertmanager(request: Request, desk: AtFigures) -> JSONResponse:
    """Alertmanager's webhook, version 4: each alert is a warning, its repeats the same one, `resolved` ends it.

    In `webhook_configs`: this address, and `http_config: {authorization: {credentials: TOKEN}}` with a token of
    `tocsin samples token alertmanager`.
    """
    return await _alerts(request, desk, "alertmanager")


@router.post("/grafana", responses=answers("alerts", "Committed", command=True))
async def grafana(request: Request, desk: AtFigures) -> JSONResponse:
    """The webhook contact point of Grafana's unified alerting, its authorization header `Bearer TOKEN`."""
    return await _alerts(request, desk, "grafana")


@router.post("/mentions", status_code=202, responses=answers("samples", "Committed", status=202, command=True))
async def mentions(request: Request, desk: AtFigures) -> JSONResponse:
    """Mentions of an opinion-monitoring feed: `[{"mood", "channel", "time", "count", "labels"}]`.

    They become samples of `mentions` with the labels mood and channel, and of `negative_mentions`. The same post again
    counts once.
    """
    body = await request.body()

    def work() -> Outcome:
        now = desk.clock()
        samples, faults, places = read_mentions(body, now)
        outcome = desk.intake.take_rows(samples, LIVE, now)
        refused = (Fault(places[fault.index], fault.reason) for fault in outcome.faults)
        return replace(outcome, faults=(*(Fault(*fault) for fault in faults), *refused))

    try:
        return told(await desk.run(work))
    except UnreadableTexts as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)


async def _alerts(request: Request, desk: FiguresDesk, source: Source) -> JSONResponse:
    handler = desk.handler
    if handler is None:
        return JSONResponse({"error": "this Tocsin takes no alerts: nobody makes warnings of them"}, 503)
    try:
        heard = read(source, _json(await request.body()))
    except UnreadableAlerts as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)
    if heard.alerts:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(request.app.state.writers, handler.alerts, heard.alerts, desk.clock())
    document = _document(heard)
    if heard.faults and not heard.alerts:
        place, reason = heard.faults[0]
        return JSONResponse({"error": f"none was taken; alert {place}: {reason}", **document}, 422)
    if heard.truncated:
        log.warning("%s left %d alerts out of a post: set its max_alerts to 0", source, heard.truncated)
    return JSONResponse(document)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableAlerts("this is not JSON") from None


def _document(heard: Heard) -> dict[str, Any]:
    return {
        "taken": len(heard.alerts),
        "refused": len(heard.faults),
        "errors": [{"index": place, "reason": reason} for place, reason in heard.faults[:100]],
    }
