"""Webhooks for existing monitors and feeds, each in its own format: Alertmanager, Grafana, mentions."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from engine.samples.alerts import AlertSource, ParsedAlerts, UnreadableAlerts, parse_alerts
from engine.samples.conversation_texts import UnreadableTexts, parse_mentions
from engine.samples.intake import IntakeResult
from engine.samples.parser import RefusedSample
from storage.samples.sample_store import LIVE_FEED
from web.api.sample_service import SampleService
from web.api.samples import SampleServiceDep, intake_response
from web.app_state import state_of
from web.schemas import documented_responses

log = logging.getLogger("tocsin.webhooks")
router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])


@router.post("/alertmanager", responses=documented_responses("alerts", "Committed", command=True))
async def alertmanager(request: Request, service: SampleServiceDep) -> JSONResponse:
    """Alertmanager's webhook, version 4: each alert is a warning, its repeats the same one, `resolved` ends it.

    In `webhook_configs`: this address, and `http_config: {authorization: {credentials: TOKEN}}` with a token of
    `tocsin samples token alertmanager`.
    """
    return await _alerts(request, service, "alertmanager")


@router.post("/grafana", responses=documented_responses("alerts", "Committed", command=True))
async def grafana(request: Request, service: SampleServiceDep) -> JSONResponse:
    """The webhook contact point of Grafana's unified alerting, its authorization header `Bearer TOKEN`."""
    return await _alerts(request, service, "grafana")


@router.post(
    "/mentions", status_code=202, responses=documented_responses("samples", "Committed", status=202, command=True)
)
async def mentions(request: Request, service: SampleServiceDep) -> JSONResponse:
    """Mentions of an opinion-monitoring feed: `[{"mood", "channel", "time", "count", "labels"}]`.

    They become samples of `mentions` with the labels mood and channel, and of `negative_mentions`. The same post again
    counts once.
    """
    body = await request.body()

    def work() -> IntakeResult:
        now = service.clock()
        samples, faults, places = parse_mentions(body, now)
        outcome = service.intake.take_rows(samples, LIVE_FEED, now)
        refused = (RefusedSample(places[fault.index], fault.reason) for fault in outcome.faults)
        return replace(outcome, faults=(*(RefusedSample(*fault) for fault in faults), *refused))

    try:
        return intake_response(await service.run_in_store_thread(work))
    except UnreadableTexts as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)


async def _alerts(request: Request, service: SampleService, source: AlertSource) -> JSONResponse:
    handler = service.handler
    if handler is None:
        return JSONResponse({"error": "this Tocsin takes no alerts: nobody makes warnings of them"}, 503)
    try:
        heard = parse_alerts(source, _json(await request.body()))
    except UnreadableAlerts as unreadable:
        return JSONResponse({"error": str(unreadable)}, 422)
    if heard.alerts:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(state_of(request).writers, handler.alerts, heard.alerts, service.clock())
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


def _document(heard: ParsedAlerts) -> dict[str, Any]:
    return {
        "taken": len(heard.alerts),
        "refused": len(heard.faults),
        "errors": [{"index": place, "reason": reason} for place, reason in heard.faults[:100]],
    }
