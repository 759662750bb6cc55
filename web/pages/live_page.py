"""Live page: one template over one look, sent as a page or as the stream of its later versions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pendulum import DateTime

from engine.installation import Installation
from engine.process import clock
from web.app_state import state_of
from web.http.page_rendering import negotiate_language, negotiate_time_zone, render_page, render_template
from web.http.request_context import RequestContext
from web.pages.live_updates import QUIET_SECONDS

LoadView = Callable[[Installation, DateTime], dict[str, Any]]


def main_html(html: str) -> str:
    """HTML inside the `main` element of one of our pages."""
    return html[html.index(">", html.index("<main")) + 1 : html.rindex("</main>")]


async def render_live_page(
    request: Request,
    context: RequestContext,
    template: str,
    look: LoadView,
    *,
    every: float = QUIET_SECONDS,
    **values: Any,
) -> Response:
    """Render a live page: the page itself or, for a client that asks for a stream, its later versions.

    Args:
        look: what the page shows, looked up in a thread: the same for the page and for each later state of it.
        every: seconds after which what only time changes is seen.
        values: of the template, the same for ever.
    """
    if "text/event-stream" not in request.headers.get("accept", ""):
        found = await context.read(look)
        return render_page(request, template, live=True, **found, **values)
    language, zone = negotiate_language(request), negotiate_time_zone(request)
    live = state_of(request).live

    async def check() -> None:
        await context.read(lambda _installation, _now: None)

    async def make() -> str:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(state_of(request).readers, lambda: look(context.installation, clock.now()))
        return main_html(render_template(request, template, language=language, zone=zone, live=True, **found, **values))

    await check()  # who may not look is told so by a status, not by a stream that ends
    # What a page shows depends on who looks by their role and by in whose name they act, on nothing else of them.
    key = (request.url.path, request.url.query, language, zone, context.principal.role.word, context.principal.by)
    seen = request.query_params.get("seen", request.headers.get("last-event-id", ""))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        live.stream(key, make, check, seen, every), media_type="text/event-stream", headers=headers
    )
