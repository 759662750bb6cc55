"""`tocsin roster who | days | override | overrides | end-override | handover`: who is on duty when."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.common import (
    As,
    AsJson,
    CommandError,
    CommandId,
    TokenFile,
    _,
    example,
    read_token,
    say,
    show_json,
    terminal_texts,
    warn,
)

if TYPE_CHECKING:
    from engine.installation import Installation

app = typer.Typer()
Role = Annotated[str, typer.Argument(help="A role. Default: all roles.")]
MOST_DAYS = 31


@contextmanager
def _open(*, database: bool = True) -> Iterator[Installation]:
    """Open the installation; without `database` also before one exists. A refusal is one clear line."""
    from cli.database_access import open_installation
    from domain.command_handlers import CommandRefused
    from engine.installation import Installation
    from playbooks.errors import BadFile
    from storage.database import StorageError
    from storage.settings import SettingsError, load_settings

    try:
        installation = open_installation() if database else Installation(load_settings(), sends=False, checks=False)
        try:
            yield installation
        finally:
            installation.close()
    except (CommandRefused, StorageError, SettingsError, OSError) as error:
        raise CommandError(str(error)) from None
    except BadFile as bad:
        raise CommandError(str(bad).splitlines()[0]) from None


def _current(installation: Installation, role: str) -> None:
    """Fetch the calendars if nobody else does; refuse a role that there is none of."""
    from engine.oncall.poll import fetch_calendars
    from engine.process.clock import now

    roster = installation.written_roster()
    if role and role not in roster.roles:
        raise CommandError(f"the roster has no role {role[:60]!r}: one of {', '.join(roster.roles)}")
    if fetch_calendars(installation, now()):
        installation.on_duty.forget()
    for line in installation.on_duty.findings(roster):
        warn(line)


@app.command(epilog=example("tocsin roster who pr-lead --at 2026-12-24T03:00:00+08:00"))
def who(
    role: Role = "",
    at: Annotated[str, typer.Option("--at", help="Time, ISO 8601 with offset. Default: now.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who is called for a role, who is called next, and until when."""
    from cli.database_access import parse_moment
    from cli.oncall_view import roster_document
    from engine.oncall import read_model
    from engine.process.clock import now

    with _open(database=False) as installation:
        _current(installation, role)
        when = parse_moment(at, "--at") or now()
        found = read_model.list_on_duty(installation, when, role=role)
        roster = installation.written_roster()
        if as_json:
            show_json({**roster_document(roster), "roles": found})
            return
        for one in found:
            backup = f" ({_('backup')} {roster.name(one['backup'])})" if one["backup"] else ""
            until = ", " + _("until {when}").format(when=_clock(one["until"])) if one["until"] else ""
            say(f"{one['id']}: {roster.name(one['primary'])}{backup}{_why(one)}{until}")


def _why(one: dict[str, Any]) -> str:
    if one["gap"]:
        return " [" + _("nobody is on shift: the named holder") + "]"
    if one["source"] == "override":
        return " [" + _("by hand") + "]"
    return " [" + _("by calendar") + "]" if one["source"] == "calendar" else ""


def _clock(text: str) -> str:
    """A moment in the terminal's own time."""
    from datetime import datetime

    return datetime.fromisoformat(text).astimezone().strftime("%a %Y-%m-%d %H:%M")


@app.command(epilog=example("tocsin roster days pr-lead --count 7"))
def days(
    role: Role = "",
    count: Annotated[int, typer.Option("--count", min=1, max=MOST_DAYS, help="Number of days.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Draw the on-call schedule of the next days with gaps in calendars. Exit 1 if there is a gap."""
    from cli.oncall_view import draw_schedule
    from engine.oncall import read_model
    from engine.process.clock import now

    with _open(database=False) as installation:
        _current(installation, role)
        found = read_model.list_shifts(installation, now(), role=role, count=count)
    if as_json:
        show_json(found)
    else:
        for line in draw_schedule(found, terminal_texts()):
            say(line)
    if found["gaps"]:
        raise SystemExit(1)


@app.command(
    epilog=example(
        "tocsin roster override pr-lead dora --from 2026-12-24T18:00:00+08:00 --until 2026-12-25T08:00:00+08:00 "
        '--reason "swapped with Chen Yu"'
    )
)
def override(
    role: Annotated[str, typer.Argument(help="A role.")],
    person: Annotated[str, typer.Argument(help="The person who takes it over; `tocsin roster list` lists people.")],
    *,
    until: Annotated[str, typer.Option("--until", help="When it ends, ISO 8601 with offset.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="The reason.")],
    start: Annotated[str, typer.Option("--from", help="When it begins. Default: now.")] = "",
    speaker: As = "",
    command_id: CommandId = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """Put a person on duty by an override, which precedes calendar and roster within a second."""
    import uuid

    from cli import database_access
    from domain.oncall import DutyOverride
    from engine.oncall import overrides, read_model
    from engine.process.clock import now

    with _open() as installation:
        made = now()
        ends = database_access.parse_moment(until, "--until")
        if ends is None:
            raise CommandError("--until is empty: write for example 2026-12-25T08:00:00+08:00")
        wanted = DutyOverride(
            id=command_id or str(uuid.uuid4()), role=role, person=person,
            start=database_access.parse_moment(start, "--from") or made, end=ends, reason=reason,
            by=_by(installation, read_token(token_file), speaker), made_at=made,
        )  # fmt: skip
        changed = overrides.add_override(installation, wanted)
        if as_json:
            show_json({**read_model.override_row(wanted, made), "changed": changed})
        else:
            name = installation.written_roster().name(person)
            line = _("{role}: {name} until {when}; end it with `tocsin roster end-override {id}`")
            say(line.format(role=role, name=name, when=_clock(ends.isoformat()), id=wanted.id))


def _by(installation: Installation, given: str, speaker: str) -> str:
    """Who decides: of the token; else as they say on this machine; else its user."""
    from cli import database_access

    if given:
        return database_access.speaker_of_token(installation, given)
    if speaker and speaker not in installation.written_roster().people:
        raise CommandError(f"the roster does not know {speaker[:60]!r}: `tocsin roster list` names everybody")
    return speaker or getpass.getuser()


@app.command(epilog=example("tocsin roster overrides --past"))
def overrides(
    past: Annotated[bool, typer.Option("--past", help="Include overrides that ended in the last 92 days.")] = False,
    as_json: AsJson = False,
) -> None:
    """List overrides with their author and reason."""
    from engine.oncall import read_model
    from engine.process.clock import now

    with _open() as installation:
        found = read_model.list_overrides(installation, now(), past=past)
    if as_json:
        show_json({"overrides": found})
        return
    if not found:
        say(_("nobody was put on duty by hand"))
    for one in found:
        span = f"{_clock(one['from'])} - {_clock(one['until'])}"
        say(f"{one['id']}  {one['role']}  {one['person']}  {span}  {one['reason']} ({one['by']})")


@app.command("end-override", epilog=example("tocsin roster end-override 5c0e2f4e-1f5e-4ed2-9a55-1c1f0f0a7a10"))
def end_override(
    name: Annotated[str, typer.Argument(metavar="ID", help="Id from `tocsin roster overrides`.")],
    speaker: As = "",
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> None:
    """End an override now; it stays on record."""
    from engine.oncall import overrides
    from engine.process.clock import now

    with _open() as installation:
        changed = overrides.end_override(installation, name, _by(installation, read_token(token_file), speaker), now())
    if as_json:
        show_json({"id": name, "changed": changed})
    elif changed:
        say(_("{id} is over").format(id=name))
    else:
        say(_("nothing to change: it was so already"))


@app.command(epilog=example("tocsin roster handover pr-lead"))
def handover(role: Annotated[str, typer.Argument(help="A role.")], as_json: AsJson = False) -> None:
    """List what is open for a role, as the incoming person is told at a handover."""
    from cli.common import terminal_language
    from domain.roster import Person
    from engine.oncall import handover
    from engine.process.clock import now
    from storage.incidents import open_steps

    with _open() as installation:
        _current(installation, role)
        roster, at = installation.roster(), now()
        holder = roster.people.get(roster.primary(role) or "") or Person("", "", ())
        with installation.database.read() as connection:
            steps = open_steps.list_open_steps(connection, role)
            reader = Person(holder.id, holder.name, (), language=terminal_language(), timezone=holder.timezone)
            lines = handover.summarise_open_work(connection, roster, role, reader, at)
            warnings = open_steps.list_open_warnings(connection)
    if as_json:
        show_json(
            {
                "role": role,
                "person": holder.id,
                "steps": [
                    {
                        "ref": one.ref,
                        "step": one.id,
                        "title": one.plan.title.en,
                        "state": one.status,
                        "holder": one.holder,
                        "due_at": one.due_at.isoformat(),
                        "late": one.due_at <= at,
                        "drill": one.drill,
                    }
                    for one in steps
                ],
                "warnings": warnings,
            }
        )
        return
    say(_("{role} is with {name}").format(role=role, name=holder.name))
    for line in lines:
        say(line)
