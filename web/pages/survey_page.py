"""Survey page, without login or script, one answer a link. GET changes nothing, POST answers.

It stands below /a/, as acknowledge links do: there the token in the address is the right to it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from domain.customers.survey import BadSurveyAnswer, SurveyAnswer, score_nps
from engine.customers import survey_answers
from engine.customers.survey_answers import SurveyPage
from engine.delivery.links import BadLink
from engine.process import clock
from storage.database import StorageError
from web.api.customers import get_requested_service
from web.app_state import state_of
from web.http.page_rendering import render_page

router = APIRouter(tags=["survey"], include_in_schema=False)
log = logging.getLogger("tocsin.web")
LONGEST_TOKEN = 500
MOST_BYTES = 20_000
_FIELDS = ("csat", "nps", "solved", "suggestion")


@router.get("/a/s/{token}")
async def show_survey(token: str, request: Request) -> HTMLResponse:
    """Show the questions, or why they are not asked."""
    try:
        _check(token)
        found = await asyncio.to_thread(
            survey_answers.find_survey_page, get_requested_service(request), token, clock.now()
        )
    except BadLink as bad:
        return _bad(request, bad)
    return _page(request, found)


@router.post("/a/s/{token}")
async def submit_survey(token: str, request: Request) -> HTMLResponse:
    """Submit the answers. A second submission by the same link changes nothing, and says so."""
    body = await request.body()
    fields = _fields(body[:MOST_BYTES])
    service, loop = get_requested_service(request), asyncio.get_running_loop()
    try:
        _check(token)
        found, said = await loop.run_in_executor(
            state_of(request).writers, lambda: survey_answers.record_answer(service, token, fields, clock.now())
        )
    except BadLink as bad:
        return _bad(request, bad)
    except BadSurveyAnswer as bad:
        found = await asyncio.to_thread(survey_answers.find_survey_page, service, token, clock.now())
        return _page(request, found, 422, wrong=str(bad), given=fields)
    except StorageError as error:
        return render_page(request, "survey_closed.html", 503, error=str(error), found=None)
    if said is not None and not found.drill:
        await _as_samples(request, said)
    return _page(request, found, thanks=said is not None)


def _fields(body: bytes) -> dict[str, str]:
    given = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: given.get(name, [""])[0] for name in _FIELDS}


def _check(token: str) -> None:
    if len(token) > LONGEST_TOKEN:
        raise BadLink("this link is not whole: open it from the message itself, all of it")


async def _as_samples(request: Request, said: SurveyAnswer) -> None:
    """An answer is a figure of satisfaction as any other; the answer itself stands already."""
    samples, at = state_of(request).samples, clock.now()
    rows: list[dict[str, Any]] = [_sample("csat", said.csat, at.isoformat())]
    if said.nps is not None:
        rows.append(_sample("nps", score_nps(said.nps), at.isoformat()))
    try:
        await samples.run_in_store_thread(lambda: samples.intake.take_rows(rows, "", at))
    except Exception as error:  # noqa: BLE001 - a lost figure is no lost answer
        log.warning("an answer could not be kept as a figure: %s", type(error).__name__)


def _sample(metric: str, value: float, at: str) -> dict[str, Any]:
    return {"metric": metric, "value": value, "time": at, "labels": {"source": "survey"}}


def _page(
    request: Request,
    found: SurveyPage,
    status: int = 200,
    *,
    wrong: str = "",
    given: dict[str, str] | None = None,
    thanks: bool = False,
) -> HTMLResponse:
    language = request.query_params.get("lang") or found.language
    if found.state == "open":
        given = given or dict.fromkeys(_FIELDS, "")
        return render_page(
            request, "survey.html", status, language=language, drill=found.drill, wrong=wrong, given=given
        )
    status = 410 if found.state == "expired" else 200 if thanks or request.method == "GET" else 409
    return render_page(request, "survey_closed.html", status, language=language, found=found, thanks=thanks, error="")


def _bad(request: Request, bad: BadLink) -> HTMLResponse:
    return render_page(request, "survey_closed.html", 400, found=None, thanks=False, error=str(bad))
