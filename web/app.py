"""FastAPI application over one installation: API, pages, acknowledge links and the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from engine.installation import Installation
from engine.process.gc import freeze_startup_objects
from web.api import (
    conversation_texts,
    customers,
    documents,
    health,
    incident_commands,
    incidents,
    installation_status,
    learning,
    metrics,
    reports,
    rules,
    samples,
    warnings,
    webhooks,
)
from web.app_state import attach_state, open_state
from web.auth import accounts_page, login, sso
from web.http import errors
from web.http.request_guard import RequestGuard
from web.pages import (
    acknowledge_page,
    board_page,
    declare_page,
    draft_page,
    drills_page,
    executive_page,
    follow_ups_page,
    form_actions,
    health_page,
    history_page,
    inbox_page,
    incident_export,
    incident_page,
    oncall_page,
    statements_page,
    status_page,
    survey_page,
    warnings_page,
)

# Those that must be quick in a storm first: each request is matched against them in this order.
ROUTERS = (
    inbox_page,
    samples,
    conversation_texts,
    webhooks,
    acknowledge_page,
    incidents,
    incident_commands,
    warnings,
    rules,
    health,
    customers,
    survey_page,
    learning,
    documents,
    reports,
    installation_status,
    metrics,
    form_actions,
    declare_page,
    draft_page,
    incident_export,
    incident_page,
    board_page,
    warnings_page,
    health_page,
    follow_ups_page,
    statements_page,
    executive_page,
    history_page,
    oncall_page,
    drills_page,
)
ACCESS_ROUTERS = (login, sso, accounts_page, status_page)  # how people come in, and what is open to all
STATIC = Path(__file__).parent / "static"
_ABOUT = (
    "Declare incidents and move them on. Send `Authorization: Bearer TOKEN` (`tocsin roster token YOU`); the "
    "console of the machine itself needs none. Every command takes an `id` of the caller's making: "
    'the same id again changes nothing. Every error is `{"error": one line}`.'
)


def create_app(installation: Installation) -> FastAPI:
    """Create the application over an open installation."""
    state = open_state(installation)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Playbooks and roster are read and checked: half a second that no declaration should pay.
        asyncio.get_running_loop().run_in_executor(state.readers, _load, installation)
        yield
        state.close()

    app = FastAPI(
        title="Tocsin",
        version="1",
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    attach_state(app, state)
    errors.install_error_handlers(app)
    for module in (*ROUTERS, *ACCESS_ROUTERS):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(RequestGuard, installation=installation)
    return app


def _load(installation: Installation) -> None:
    installation.findings()
    freeze_startup_objects()
