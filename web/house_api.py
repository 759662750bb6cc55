"""The API of the house itself: playbooks, figures, health."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pendulum import DateTime

from domain.playbook import Playbook
from engine.customers.desk import desk_of
from engine.house import House
from engine.learning.desk import learning_of
from engine.review.desk import desk_of as review_desk
from playbooks.loader import to_document
from storage import board
from storage.database import ping
from web.desk import AtDesk
from web.schemas import answers

router = APIRouter(tags=["house"])


@router.get("/api/playbooks", responses=answers("playbooks", "Every playbook in force"))
async def playbooks(desk: AtDesk) -> JSONResponse:
    """Every playbook in force, by id."""

    def look(house: House, _now: DateTime) -> dict[str, Any]:
        return {"playbooks": [_in_short(playbook) for playbook in house.library.all()]}

    return JSONResponse(await desk.read(look))


@router.get("/api/playbooks/{name}", responses=answers("playbook", "The playbook, as a file would have it"))
async def playbook(name: str, desk: AtDesk) -> JSONResponse:
    """One playbook whole."""
    return JSONResponse(await desk.read(lambda house, _now: to_document(house.library.get(name))))


@router.get("/api/figures", responses=answers("figures", "Figures"))
async def figures(request: Request, desk: AtDesk) -> JSONResponse:
    """The outbox by state, the turns of the last hour and Prefect's share, what is wrong with files."""

    def look(house: House, now: DateTime) -> dict[str, Any]:
        with house.database.read() as connection:
            found = board.figures(connection, now)
        return {**found, "findings": findings(request, house)}

    return JSONResponse(await desk.read(look))


def findings(request: Request, house: House) -> list[str]:
    """What is wrong with any file of the home, a line each; the last good versions are in force."""
    state = request.app.state
    mine = (state.rulebook, state.figures.sources, state.figures.words)
    desks = (desk_of(house).file, review_desk(house).file, learning_of(house).file)
    others = (finding for file in (*mine, *desks) for finding in file.findings())
    return [*house.findings(), *(str(finding) for finding in others)]


@router.get("/healthz", responses=answers("health", "The database answers"))
def healthz(request: Request) -> JSONResponse:
    """Whether this process answers and reaches the database. Needs no token and tells nothing."""
    ping(request.app.state.house.database)
    return JSONResponse({"ok": True})


def _in_short(playbook: Playbook) -> dict[str, Any]:
    return {
        "id": playbook.id,
        "version": playbook.version,
        "title": board.both(playbook.title),
        "summary": board.both(playbook.summary),
        "severity": playbook.severity,
        "flow": playbook.flow,
        "stages": len(playbook.stages),
        "steps": sum(1 for _ in playbook.each_step()),
    }
