"""Roster as a document, and the on-call schedule as a picture: a row a role, four marks a day, a letter a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from locales import Translator

if TYPE_CHECKING:
    from domain.roster import Roster

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
GAP = "!"
PER_DAY = 4  # marks
_CELL = timedelta(hours=24 / PER_DAY)
_NAME = 24


def draw_schedule(found: dict[str, Any], _: Translator) -> Iterator[str]:
    """Lines of a picture of an on-call schedule (the document of `roster days`), in the terminal's own time.

    A mark is the person on duty when its six hours begin; a gap anywhere within them shows as one.
    """
    start = datetime.fromisoformat(found["from"]).astimezone()
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    until = datetime.fromisoformat(found["until"]).astimezone()
    names = sorted({(span["person"], span["name"]) for row in found["roles"] for span in row["spans"]})
    letters = {person: _LETTERS[number % len(_LETTERS)] for number, (person, _name) in enumerate(names)}
    count = (until.date() - midnight.date()).days + 1
    days = [(midnight + timedelta(days=n)).strftime("%d") for n in range(count)]
    yield f"{start:%Y-%m}".ljust(_NAME) + " ".join(day.ljust(PER_DAY) for day in days)
    for row in found["roles"]:
        cells = [_cell(row["spans"], midnight + _CELL * n, letters) for n in range(count * PER_DAY)]
        groups = ["".join(cells[n : n + PER_DAY]) for n in range(0, len(cells), PER_DAY)]
        yield f"{row['role'][: _NAME - 1]:<{_NAME}}" + " ".join(groups)
    yield ""
    for person, name in names:
        yield f"  {letters[person]} {name}"
    if not found["gaps"]:
        yield "  " + _("no gaps")
    for gap in found["gaps"]:
        line = _("{mark} {role}: nobody is on shift from {start} to {end}; {name} is called instead")
        yield "  " + line.format(
            mark=GAP, role=gap["role"], start=_shown(gap["from"]), end=_shown(gap["to"]), name=gap["name"]
        )


def _cell(spans: list[dict[str, Any]], start: datetime, letters: dict[str, str]) -> str:
    end = start + _CELL
    within = [
        span
        for span in spans
        if datetime.fromisoformat(span["from"]) < end and start < datetime.fromisoformat(span["to"])
    ]
    if not within:
        return " "
    return GAP if any(span["gap"] for span in within) else letters[within[0]["person"]]


def _shown(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%a %m-%d %H:%M")


def roster_document(roster: Roster) -> dict[str, object]:
    """Roster as it is written in its file."""
    return {
        "currency": roster.currency,
        "people": [
            {
                "id": person.id,
                "name": person.name,
                "channels": list(person.channels),
                "language": person.language,
                "timezone": person.timezone,
                "approval_limit": person.approval_limit,
            }
            for person in roster.people.values()
        ],
        "roles": [
            {"id": role.id, "title": role.title, "primary": role.primary, "backup": role.backup}
            for role in roster.roles.values()
        ],
        "public_channels": [
            {"id": box.id, "language": box.language, "limit": box.limit, "sandbox": box.sandbox}
            for box in roster.public.values()
        ],
    }
