"""Validation of commands: ids, titles, times, figures. Each refusal says in one line what would be right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from pendulum import DateTime

from domain.command_handlers import CommandRefused, check_impact
from domain.commands import Declare
from domain.playbook import CLOCKS, Playbook
from engine.installation import Installation
from playbooks.playbook_library import UnknownPlaybook
from playbooks.roster_file import find_missing_roles

LONGEST_TITLE = 200
LONGEST_FIELD = 80
LONGEST_ID = 64
MAX_CLOCK_SKEW = timedelta(minutes=5)  # clocks of two machines may differ by this much
MAX_BACKDATING = timedelta(days=30)
MAX_PACE = 10_000.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """Result of a command: the incident's id, reference and status, and whether anything changed."""

    incident_id: str
    ref: str
    status: str
    changed: bool  # False: it had been carried out before, or there was nothing to change


def require_playbook(installation: Installation, name: str) -> Playbook:
    """Return the playbook of that id; refuse where it is unknown or nobody holds a role that it names."""
    try:
        playbook = installation.library.get(name)
    except UnknownPlaybook as unknown:
        raise CommandRefused(str(unknown)) from None
    missing = find_missing_roles(playbook, installation.roster())
    if missing:
        raise CommandRefused(str(missing[0]))
    return playbook


def validate_declaration(command: Declare, now: DateTime) -> Declare:
    """Return the declaration in its clean form; Refused where it cannot be."""
    check_command_id(command.id)
    check_impact(command.impact)
    for clock, factor in command.pace.items():
        if clock not in CLOCKS or not 1 <= factor <= MAX_PACE:
            raise CommandRefused(f"a pace is 1 to {MAX_PACE:.0f} for a clock of {', '.join(CLOCKS)}")
    if command.pace and not command.drill:
        raise CommandRefused("only a drill runs at another pace than real time")
    return replace(
        command,
        title=clean_line(command.title, LONGEST_TITLE, "title"),
        since=validate_since(command.since, now),
        severity=_word(command.severity, "severity"),
        origin=_word(command.origin, "origin"),
        service=_word(command.service, "service"),
        kind=_word(command.kind, "kind"),
    )


def check_command_id(command_id: str) -> None:
    """Refuse a command id that is empty, too long or not printable."""
    if not command_id or len(command_id) > LONGEST_ID or not command_id.isprintable():
        raise CommandRefused(f"the id of a command has 1 to {LONGEST_ID} printable characters, for example a UUID")


def _word(text: str, what: str) -> str:
    return clean_line(text, LONGEST_FIELD, what) if text.strip() else ""


def clean_line(text: str, longest: int, what: str) -> str:
    """Return one line without control characters. Refused when empty or longer than `longest` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    if not line:
        raise CommandRefused(f"the {what} is empty: say in a few words what happened")
    if len(line) > longest or len(text) > longest * 4:
        raise CommandRefused(f"the {what} has {len(text)} characters; at most {longest}: put the rest into a note")
    return line


def validate_since(since: DateTime | None, now: DateTime) -> DateTime | None:
    """Return a back-dated beginning in UTC; Refused where it is naive, in the future or a month ago."""
    if since is None:
        return None
    if since.tzinfo is None:
        raise CommandRefused(f"{since.isoformat()} has no time zone: write for example {since.isoformat()}+08:00")
    if since > now + MAX_CLOCK_SKEW:
        raise CommandRefused(f"{since.isoformat()} is in the future: an incident begins now or earlier")
    if since < now - MAX_BACKDATING:
        raise CommandRefused(f"{since.isoformat()} is more than 30 days ago: check the date")
    return min(since.in_timezone("UTC"), now)
