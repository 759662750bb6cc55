"""FastAPI application over one installation: API, pages, acknowledge links and the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from engine.clock import now
from engine.house import Installation
from engine.links import AcknowledgeLinks
from engine.tidying import freeze_startup_objects
from engine.warning.monitors import MonitorAlerts
from playbooks.rulebook import Rulebook
from web import (
    accounts,
    acknowledge,
    acting,
    board_page,
    commands,
    customers,
    declare_page,
    documents,
    drills_page,
    duty_page,
    errors,
    executive_page,
    export,
    follow_ups_page,
    health,
    health_page,
    history_page,
    house_api,
    inbox,
    incident_page,
    incidents,
    learning,
    login,
    login_sso,
    metrics,
    reports,
    rules,
    samples,
    statements_page,
    status,
    survey,
    text_page,
    texts,
    warnings,
    warnings_page,
    webhooks,
)
from web.gathering import DeclareBatcher
from web.guard import RequestGuard
from web.letterbox import InboxStore
from web.live import LiveUpdates
from web.trail import AuditWriter

# Those that must be quick in a storm first: each request is matched against them in this order.
ROUTERS = (
    inbox, samples, texts, webhooks, acknowledge, incidents, commands, warnings, rules, health, customers, survey,
    learning, documents, reports, house_api, metrics, acting, declare_page, text_page, export, incident_page,
    board_page, warnings_page, health_page, follow_ups_page, statements_page,
    executive_page, history_page, duty_page, drills_page,
)  # fmt: skip
ACCESS_ROUTERS = (login, login_sso, accounts, status)  # how people come in, and what is open to all
STATIC = Path(__file__).parent / "static"
_ABOUT = (
    "Declare incidents and move them on. Send `Authorization: Bearer TOKEN` (`tocsin roster token YOU`); the "
    "console of the machine itself needs none. Every command takes an `id` of the caller's making: "
    'the same id again changes nothing. Every error is `{"error": one line}`.'
)


def create_app(house: Installation) -> FastAPI:
    """Create the application over an open installation."""
    app = FastAPI(
        title="Tocsin",
        version="1",
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.house = house
    app.state.links = AcknowledgeLinks(house.settings.secret_key(), house.settings.links_url)
    # SQLite has one writer: more threads would only wait for its lock instead of in line here.
    app.state.writers = ThreadPoolExecutor(2 if house.database.is_sqlite else 6, thread_name_prefix="command")
    app.state.readers = ThreadPoolExecutor(4, thread_name_prefix="look")
    # A password takes a core for a moment, and one at a time is enough: nobody slows the house down by trying.
    app.state.logins = ThreadPoolExecutor(1, thread_name_prefix="login")
    app.state.status = status.StatusPageCache(house, now)
    app.state.trail = AuditWriter(house.database)
    app.state.gathering = DeclareBatcher(house, app.state.writers, now)
    app.state.live = LiveUpdates(house)
    app.state.months = history_page.MonthlyHistory(house)
    app.state.letterbox = InboxStore(house.settings.home / "inbox.db")
    app.state.rulebook = Rulebook(
        house.settings.home, playbooks=lambda: [playbook.id for playbook in house.library.all()]
    )
    samples.install_sample_service(app, house)
    app.state.figures.handler = MonitorAlerts(house)
    errors.install_error_handlers(app)
    for module in (*ROUTERS, *ACCESS_ROUTERS):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(RequestGuard, house=house)
    return app


def _load(house: Installation) -> None:
    house.findings()
    freeze_startup_objects()


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    # Playbooks and roster are read and checked: half a second that no declaration should pay.
    asyncio.get_running_loop().run_in_executor(app.state.readers, _load, app.state.house)
    yield
    app.state.writers.shutdown(wait=True, cancel_futures=True)
    app.state.readers.shutdown(wait=False, cancel_futures=True)
    app.state.status.close()
    app.state.logins.shutdown(wait=False, cancel_futures=True)
    app.state.trail.close()
    app.state.letterbox.close()
    app.state.figures.close()
