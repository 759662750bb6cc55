"""API of the installation: playbooks, operating figures, liveness."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.playbook import Playbook
from engine.installation import Installation
from playbooks.playbook_loader import to_document
from storage.database import check_database
from storage.incidents import board
from web.app_state import state_of
from web.http.request_context import RequestContextDep
from web.schemas import documented_responses

router = APIRouter(tags=["installation"])


@router.get("/api/playbooks", responses=documented_responses("playbooks", "Every playbook in force"))
async def playbooks(context: RequestContextDep) -> JSONResponse:
    """List every playbook in force, by id."""

    def look(installation: Installation, _now: DateTime) -> dict[str, Any]:
        return {"playbooks": [_in_short(playbook) for playbook in installation.library.all()]}

    return JSONResponse(await context.read(look))


@router.get(
    "/api/playbooks/{name}", responses=documented_responses("playbook", "The playbook, as a file would have it")
)
async def playbook(name: str, context: RequestContextDep) -> JSONResponse:
    """Show one whole playbook."""
    return JSONResponse(await context.read(lambda installation, _now: to_document(installation.library.get(name))))


@router.get("/api/figures", responses=documented_responses("figures", "Figures"))
async def figures(request: Request, context: RequestContextDep) -> JSONResponse:
    """Show the outbox by state, the turns of the last hour, Prefect's share, and findings in files."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        with installation.database.read() as connection:
            found = board.delivery_figures(connection, now)
        return {**found, "findings": file_findings(request, installation)}

    return JSONResponse(await context.read(look))


def file_findings(request: Request, installation: Installation) -> list[str]:
    """Findings in any file of the home, a line each; the last good versions are in force."""
    state = state_of(request)
    mine = (state.rulebook, state.samples.sources, state.samples.words)
    services = (
        installation.customers.file,
        installation.reviews.file,
        installation.learning.file,
    )
    others = (finding for file in (*mine, *services) for finding in file.findings())
    return [*installation.findings(), *(str(finding) for finding in others)]


@router.get("/healthz", responses=documented_responses("health", "The database answers"))
def healthz(request: Request) -> JSONResponse:
    """Show whether this process answers and reaches the database. Needs no token and reveals nothing."""
    check_database(state_of(request).installation.database)
    return JSONResponse({"ok": True})


def _in_short(playbook: Playbook) -> dict[str, Any]:
    return {
        "id": playbook.id,
        "version": playbook.version,
        "title": board.both_languages(playbook.title),
        "summary": board.both_languages(playbook.summary),
        "severity": playbook.severity,
        "flow": playbook.flow,
        "stages": len(playbook.stages),
        "steps": sum(1 for _ in playbook.each_step()),
    }
