"""`tocsin roster`: people, roles and official channels; personal API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import oncall
from cli.common import AsJson, CommandError, _, example, home_folder, say, show_json

if TYPE_CHECKING:
    from domain.roster import Roster

app = typer.Typer(
    no_args_is_help=True, help="People, roles, on-call schedules and personal tokens.", rich_markup_mode=None
)
app.add_typer(oncall.app)  # its commands stand beside ours


@app.command(epilog=example("tocsin roster token alice"))
def token(person: Annotated[str, typer.Argument(help="A person of the roster.")], as_json: AsJson = False) -> None:
    """Create a person's token and revoke the earlier ones. The token is shown only once."""
    known = _roster().people
    if person not in known:
        raise CommandError(f"the roster does not know {person[:60]!r}: one of {', '.join(known)}")
    import pendulum

    from cli.database_access import open_installation
    from storage.database import StorageError
    from storage.incidents import person_tokens

    installation = open_installation()
    try:
        with installation.database.write() as connection:
            made = person_tokens.replace_person_token(connection, person, pendulum.now("UTC"))
    except StorageError as error:
        raise CommandError(str(error)) from None
    finally:
        installation.close()
    if as_json:
        show_json({"person": person, "token": made})
    else:
        say(made)
        typer.echo(
            _("{person}: use it as TOCSIN_TOKEN, or in a file with --token-file; it is not shown again").format(
                person=person
            ),
            err=True,
        )


@app.command("list", epilog=example("tocsin roster list"))
def list_roster(as_json: AsJson = False) -> None:
    """List people, roles and official channels."""
    roster = _roster()
    if as_json:
        from cli.oncall_view import roster_document

        show_json(roster_document(roster))
        return
    for person in roster.people.values():
        channels = ", ".join(person.channels)
        say(f"{person.id:<12} {person.name}  [{channels}] {person.language} {person.timezone}")
    say()
    for role in roster.roles.values():
        say(f"{role.id:<26} {role.primary:<12} {role.backup or '-':<12} {role.title}")
    say()
    for box in roster.public.values():
        sandbox = f" ({_('sandbox')})" if box.sandbox else ""
        say(f"{box.id:<26} {box.language}{sandbox}")


@app.command(epilog=example("tocsin roster lint"))
def lint(as_json: AsJson = False) -> None:
    """Check the roster; mistakes are reported with line, field and the correct form. Exit 1 if there is one."""
    from channels.directory import ChannelDirectory
    from channels.errors import ChannelConfigError
    from playbooks.errors import BadFile
    from playbooks.roster_file import parse_roster
    from playbooks.yaml_source import read_text

    found: list[str] = []
    tags = None
    try:
        tags = ChannelDirectory.load(home_folder() / "channels.yaml").tags()
    except (ChannelConfigError, OSError) as error:
        found.append(str(error))
    try:
        path = home_folder() / "roster.yaml"
        parse_roster(read_text(path), str(path), tags)
    except BadFile as bad:
        found += str(bad).splitlines()
    if as_json:
        show_json({"ok": not found, "findings": found})
    else:
        for line in found:
            typer.echo(line, err=True)
    if found:
        raise SystemExit(1)
    if not as_json:
        say(_("the roster is sound"))


def _roster() -> Roster:
    from playbooks.errors import BadFile
    from playbooks.roster_file import RosterFile

    path = home_folder() / "roster.yaml"
    if not path.exists():
        raise CommandError(f"there is no {path}: `tocsin up` lays one out, or set TOCSIN_HOME")
    try:
        return RosterFile(path).current()
    except BadFile as bad:
        raise CommandError(str(bad).splitlines()[0]) from None
