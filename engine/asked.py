"""What is asked for, checked at the door: titles, times, figures; each refusal one line with what would be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from pendulum import DateTime

from domain.commands import Declare
from domain.handle import Refused, check_impact
from domain.playbook import CLOCKS, Playbook
from engine.house import House
from playbooks.library import UnknownPlaybook
from playbooks.roster import missing_roles

LONGEST_TITLE = 200
LONGEST_FIELD = 80
LONGEST_ID = 64
AHEAD = timedelta(minutes=5)  # clocks of two machines may differ by this much
BACK = timedelta(days=30)
FASTEST = 10_000.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command."""

    incident_id: str
    ref: str
    status: str
    changed: bool  # False: it had been carried out before, or there was nothing to change


def playbook_of(house: House, name: str) -> Playbook:
    """The playbook of that id, with every role it names held by someone; Refused otherwise."""
    try:
        playbook = house.library.get(name)
    except UnknownPlaybook as unknown:
        raise Refused(str(unknown)) from None
    missing = missing_roles(playbook, house.roster())
    if missing:
        raise Refused(str(missing[0]))
    return playbook


def checked(command: Declare, now: DateTime) -> Declare:
    """The declaration in its clean form; Refused where it cannot be."""
    check_id(command.id)
    check_impact(command.impact)
    for clock, factor in command.pace.items():
        if clock not in CLOCKS or not 1 <= factor <= FASTEST:
            raise Refused(f"a pace is 1 to {FASTEST:.0f} for a clock of {', '.join(CLOCKS)}")
    if command.pace and not command.drill:
        raise Refused("only a drill runs at another pace than real time")
    return replace(
        command,
        title=clean(command.title, LONGEST_TITLE, "title"),
        since=checked_since(command.since, now),
        severity=_word(command.severity, "severity"),
        origin=_word(command.origin, "origin"),
        service=_word(command.service, "service"),
        kind=_word(command.kind, "kind"),
    )


def check_id(command_id: str) -> None:
    """Refused where it cannot be an id."""
    if not command_id or len(command_id) > LONGEST_ID or not command_id.isprintable():
        raise Refused(f"the id of a command has 1 to {LONGEST_ID} printable characters, for example a UUID")


def _word(text: str, what: str) -> str:
    return clean(text, LONGEST_FIELD, what) if text.strip() else ""


def clean(text: str, longest: int, what: str) -> str:
    """One line without control characters. Refused when empty or longer than `longest` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    if not line:
        raise Refused(f"the {what} is empty: say in a few words what happened")
    if len(line) > longest or len(text) > longest * 4:
        raise Refused(f"the {what} has {len(text)} characters; at most {longest}: put the rest into a note")
    return line


def checked_since(since: DateTime | None, now: DateTime) -> DateTime | None:
    """A back-dated beginning in UTC; Refused where it is naive, in the future or a month ago."""
    if since is None:
        return None
    if since.tzinfo is None:
        raise Refused(f"{since.isoformat()} has no time zone: write for example {since.isoformat()}+08:00")
    if since > now + AHEAD:
        raise Refused(f"{since.isoformat()} is in the future: an incident begins now or earlier")
    if since < now - BACK:
        raise Refused(f"{since.isoformat()} is more than 30 days ago: check the date")
    return min(since.in_timezone("UTC"), now)
