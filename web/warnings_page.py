"""Warnings as pages: what stands and why, how each rule stands, silences."""

from __future__ import annotations

import uuid
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pendulum import DateTime

from engine.house import House
from engine.warning import marks
from playbooks.rulebook import Rulebook
from storage import board, warnings
from web.acting import fields_of
from web.desk import AtDesk
from web.live import shown
from web.rules import standings
from web.warnings import SilenceForm, checked, document

router = APIRouter(include_in_schema=False)
_ENDED: Final = 20
HOURS: Final = (1, 2, 4, 8, 24, 72)
_WORST: Final = ("firing", "recovering", "pending", "no_data", "ok")


@router.get("/warnings")
async def show_warnings(request: Request, desk: AtDesk) -> Response:
    """Warnings that stand, the last that ended, every rule with its worst state, silences in force."""
    book: Rulebook = request.app.state.rulebook

    def look(house: House, now: DateTime) -> dict[str, Any]:
        rules = list(book.all())
        with house.database.read() as connection:
            standing = [document(row) for row in warnings.listed(connection)]
            recent = [document(row) for row in warnings.listed(connection, standing_only=False, limit=_ENDED * 3)]
            known = warnings.known_rules(connection, [rule.id for rule in rules])
            silences = warnings.silences(connection, now)
            evaluated = marks.marked(connection, "")
        return {
            "now": now, "standing": standing, "ended": [one for one in recent if one["ended_at"]][:_ENDED],
            "rules": [_rule(rule, known[rule.id]) for rule in rules], "silences": silences, "hours": HOURS,
            "evaluated": board.iso(evaluated),
        }  # fmt: skip

    return await shown(request, desk, "warnings.html", look)


@router.get("/warnings/rules/{name}")
async def show_rule(request: Request, name: str, desk: AtDesk) -> Response:
    """A rule on each of its series, with a sentence that says why it is in its state."""
    book: Rulebook = request.app.state.rulebook

    def look(house: House, now: DateTime) -> dict[str, Any]:
        return {"now": now, "found": standings(request, house, book, book.get(name), now)}

    return await shown(request, desk, "rule.html", look)


@router.post("/warnings/silences")
async def silence(request: Request, desk: AtDesk) -> Response:
    """A silence from the page: of a rule, for some hours, for a reason."""
    given = await fields_of(request)

    def act(_house: House, by: str, now: DateTime) -> None:
        hours = given.get("hours", "")
        until = now.add(hours=int(hours) if hours.isdecimal() and int(hours) in HOURS else 1)
        service = given.get("service", "").strip()
        form = SilenceForm(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, repr((by, sorted(given.items()), now.format("YYYYMMDDHHmm"))))),
            rule=given.get("rule", "")[:64], labels={"service": service[:80]} if service else {}, until=until,
            reason=given.get("reason", "")[:400] or "-",
        )  # fmt: skip
        wanted = checked(form, by, now)
        with desk.house.database.write() as connection:
            warnings.add_silence(connection, wanted, now)

    await desk.write(act, need="silence")
    return RedirectResponse("/warnings#silences", 303)


@router.post("/warnings/silences/{name}/end")
async def end(name: str, desk: AtDesk) -> Response:
    """End a silence now."""

    def act(house: House, _by: str, now: DateTime) -> None:
        with house.database.write() as connection:
            warnings.end_silence(connection, name, now)

    await desk.write(act, need="silence")
    return RedirectResponse("/warnings#silences", 303)


def _rule(rule: Any, rows: list[Any]) -> dict[str, Any]:
    phases = [str(row.standing.get("phase", "ok")) for row in rows]
    worst = next((phase for phase in _WORST if phase in phases), "ok")
    return {"id": rule.id, "title": board.both(rule.title), "phase": worst, "series": len(rows)}
