"""Fallback application while no database answers at start: the public status page from its last copy."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from engine.installation import Installation
from storage.database import StorageError
from web.app_state import attach_state, open_public_state
from web.http import errors
from web.http.request_guard import RequestGuard
from web.pages import status_page

log = logging.getLogger("tocsin.web")
_AGAIN = 2.0  # seconds between two tries to reach the database
_WHY = (
    "the database cannot be reached: it is tried again every two seconds, and the rest of the pages comes back with it"
)


def is_outage(error: StorageError) -> bool:
    """Whether a storage error is an outage that may pass by itself."""
    return "cannot be reached" in str(error)


def create_fallback_app(installation: Installation) -> FastAPI:
    """Create the application that needs no database."""
    state = open_public_state(installation)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        state.close()

    app = FastAPI(title="Tocsin", openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan)
    attach_state(app, state)
    errors.install_error_handlers(app)
    app.include_router(status_page.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parents[1] / "static"), name="static")
    app.add_api_route("/{path:path}", _not_now, methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
    app.add_middleware(RequestGuard, installation=installation)
    return app


async def _not_now(request: Request) -> Response:
    """Everything else."""
    return errors.error_response(request, 503, _WHY)


def serve_until_database_answers(installation: Installation, config: uvicorn.Config) -> None:
    """Serve the fallback application until the database answers, or the process is told to end."""
    server = uvicorn.Server(config)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_AGAIN):
            try:
                installation.open()
            except StorageError as error:
                if is_outage(error):
                    continue
            log.warning("the database answers: the pages start")
            server.should_exit = True
            return

    log.warning("%s", _WHY)
    threading.Thread(target=look, name="database", daemon=True).start()
    try:
        server.run()
    finally:
        ended.set()
