"""`tocsin user`: accounts and their roles; login links, tokens, the audit log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.common import AsJson, CommandError, _, example, say, show_json, warn

if TYPE_CHECKING:
    from pendulum import DateTime

    from domain.access import AccessRole
    from engine.accounts.accounts import AuditActor
    from engine.installation import Installation

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, help="Accounts: who may log in, and with which role.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="An account; `tocsin user list` lists them.")]
RoleName = Annotated[str, typer.Option("--role", help="viewer, responder, approver, commander or admin.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command(epilog=example("tocsin user add alice --role commander"))
def add(
    name: Annotated[str, typer.Argument(help="Name of the account, for example alice.")],
    role: RoleName = "responder",
    person: Annotated[
        str, typer.Option(help="Person of the roster for whom it acts; - for none. Default: the same name.")
    ] = "",
    language: Annotated[str, typer.Option(help="en or zh. Default: the browser's language.")] = "",
    *,
    password_stdin: FromStdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="No password; the user logs in with the printed link.")
    ] = False,
    sso: Annotated[bool, typer.Option("--sso", help="The user logs in by single sign-on, under this name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Add an account. A terminal asks for a password; without one a single-use link is printed."""
    from engine.accounts import accounts
    from engine.accounts.single_sign_on import PENDING_PREFIX
    from locales import normalise
    from storage.accounts.user_accounts import Account

    wanted = _role(role)
    password = "" if no_password or sso else _password(name, stdin=password_stdin)
    spoken = normalise(language) if language else ""
    account = Account(name, person, wanted, spoken, subject=f"{PENDING_PREFIX}{name}" if sso else None)
    with _installation(lay_out=True) as (installation, way):
        made = _tried(lambda: accounts.add_account(installation, account, password, _now(), way))
        link = "" if password or sso else _tried(lambda: accounts.make_login_link(installation, name, _now(), way))
    if as_json:
        show_json({"name": name, "role": role, "person": made.person, "link": link or None})
        return
    say(_("{name} may log in, as {role}").format(name=name, role=role))
    if link:
        say(_("Lets in once, within half an hour: {link}").format(link=link))


@app.command("list", epilog=example("tocsin user list"))
def list_users(as_json: AsJson = False) -> None:
    """List accounts with role, person and login methods."""
    from storage.accounts import sessions_and_tokens, user_accounts

    with _installation() as (installation, _way), installation.database.read() as connection:
        found = user_accounts.list_accounts(connection)
        tokens = sessions_and_tokens.list_tokens(connection)
    rows = [
        {
            "name": one.name, "role": one.role.word, "person": one.person, "language": one.language,
            "disabled": one.disabled_at is not None, "password": bool(one.password),
            "single_sign_on": bool(one.subject),
            "tokens": [
                {"id": t.id, "label": t.label, "scopes": list(t.scopes), "ends_at": t.ends_at.isoformat(),
                 "used_at": t.used_at.isoformat() if t.used_at else None}
                for t in tokens if t.account == one.name
            ],
        }
        for one in found
    ]  # fmt: skip
    if as_json:
        show_json({"accounts": rows})
        return
    if not rows:
        say(_("there is no account yet: `tocsin user add NAME --role admin` adds one"))
    for row in rows:
        ways = [
            word
            for word, has in ((_("password"), row["password"]), (_("single sign-on"), row["single_sign_on"]))
            if has
        ]
        off = f"  {_('disabled')}" if row["disabled"] else ""
        say(f"{row['name']:<16} {row['role']:<10} {row['person'] or '-':<12} {', '.join(ways) or _('by a link')}{off}")


@app.command(epilog=example("tocsin user role alice admin"))
def role(
    name: Name,
    wanted: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, responder, approver, commander or admin.")],
    as_json: AsJson = False,
) -> None:
    """Change the role of an account at once."""
    from engine.accounts import accounts

    found = _role(wanted)
    with _installation() as (installation, way):
        _tried(lambda: accounts.set_role(installation, name, found, way))
    _changed(name, _("{name} is {role} now").format(name=name, role=wanted), as_json=as_json)


@app.command(epilog=example("tocsin user password alice"))
def password(name: Name, *, password_stdin: FromStdin = False, as_json: AsJson = False) -> None:
    """Set a new password for an account; its sessions end."""
    from engine.accounts import accounts

    new = _password(name, stdin=password_stdin)
    if not new:
        raise CommandError("there is no terminal to ask on: give the password with --password-stdin")
    with _installation() as (installation, way):
        _tried(lambda: accounts.set_password(installation, name, new, way))
    _changed(name, _("{name} has a new password, and is logged out everywhere").format(name=name), as_json=as_json)


@app.command(epilog=example("tocsin user disable alice"))
def disable(name: Name, as_json: AsJson = False) -> None:
    """Disable an account: its sessions, links and tokens end at once."""
    from engine.accounts import accounts

    with _installation() as (installation, way):
        _tried(lambda: accounts.disable_account(installation, name, _now(), way))
    _changed(name, _("{name} is out, and comes in no more").format(name=name), as_json=as_json)


@app.command(epilog=example("tocsin user enable alice"))
def enable(name: Name, as_json: AsJson = False) -> None:
    """Enable a disabled account."""
    from engine.accounts import accounts

    with _installation() as (installation, way):
        _tried(lambda: accounts.disable_account(installation, name, None, way))
    _changed(name, _("{name} may come in again").format(name=name), as_json=as_json)


@app.command(epilog=example("tocsin user logout alice"))
def logout(name: Name, as_json: AsJson = False) -> None:
    """End every session of an account."""
    from engine.accounts import accounts

    with _installation() as (installation, way):
        count = _tried(lambda: accounts.log_out_everywhere(installation, name, way))
    _changed(name, _("{count} browsers of {name} are logged out").format(count=count, name=name), as_json=as_json)


@app.command(epilog=example("tocsin user link"))
def link(
    name: Annotated[str, typer.Argument(help="An account. Default: the first administrator.")] = "",
    as_json: AsJson = False,
) -> None:
    """Print a single-use login link, valid for half an hour, and revoke the account's earlier link."""
    from engine.accounts import accounts

    with _installation() as (installation, way):
        made = _tried(lambda: accounts.make_login_link(installation, name, _now(), way))
    if as_json:
        show_json(
            {
                "name": name or accounts.FIRST_ADMIN,
                "link": made,
                "minutes": int(accounts.LINK_LIFE.total_seconds() // 60),
            }
        )
        return
    say(made)


@app.command(epilog=example("tocsin user token alice --scope read --days 30 --label wallboard"))
def token(
    name: Name,
    scope: Annotated[
        list[str] | None, typer.Option(help="Limit the token: samples, read, respond, approve, command, admin.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until the token expires.")] = 90,
    label: Annotated[str, typer.Option(help="Purpose of the token.")] = "",
    end: Annotated[str, typer.Option(metavar="ID", help="Revoke the token with this id instead.")] = "",
    as_json: AsJson = False,
) -> None:
    """Create an API token of an account, with scopes and an expiry date. It is shown only once."""
    from engine.accounts import accounts

    with _installation() as (installation, way):
        if end:
            _end(installation, name, end, way)
            _changed(name, _("the token {id} is worth nothing from now on").format(id=end), as_json=as_json)
            return
        known, made, ends = _tried(
            lambda: accounts.make_api_token(installation, name, scope or [], days, _now(), way, label)
        )
    if as_json:
        show_json({"id": known, "account": name, "token": made, "scopes": scope or [], "ends_at": ends.isoformat()})
        return
    say(made)
    warn(_("{id}: use it as TOCSIN_TOKEN until {day}; it is not shown again").format(id=known, day=f"{ends:%Y-%m-%d}"))


@app.command(epilog=example("tocsin user audit --refused"))
def audit(
    who: Annotated[str, typer.Option(help="Only entries of this account.")] = "",
    *,
    refused: Annotated[bool, typer.Option("--refused", help="Only refusals.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Number of newest entries.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show changes and refusals from the audit log, the newest last."""
    from storage import audit as log

    with _installation() as (installation, _way), installation.database.read() as connection:
        rows = log.read_entries(connection, who=who, outcome="refused" if refused else "", limit=limit)
    entries = [{**asdict(row), "at": row.at.isoformat()} for row in reversed(rows)]
    if as_json:
        show_json({"entries": entries})
        return
    for one in entries:
        times = f" x{one['times']}" if one["times"] > 1 else ""
        told = f"  {one['detail']}" if one["detail"] else ""
        whose = f"{one['who'] or '-':<16} {one['way']:<14} {one['address']:<15}"
        say(f"{one['at'][:19]}  {one['outcome']:<8} {whose} {one['deed']}{times}{told}")


# --- shared --------------------------------------------------------------------------------------------------------


@contextmanager
def _installation(*, lay_out: bool = False) -> Iterator[tuple[Installation, AuditActor]]:
    """Open the installation of this home for the user who types. `lay_out`: a missing home is created."""
    import getpass

    from cli.database_access import open_installation
    from engine.accounts.accounts import AuditActor
    from storage.database import StorageError

    if lay_out:
        _lay_out()
    try:
        typing = getpass.getuser()
    except (OSError, KeyError):
        typing = ""
    installation = open_installation()
    try:
        yield installation, AuditActor(who=typing, role="admin", way="console")
    except StorageError as error:
        raise CommandError(str(error)) from None
    finally:
        installation.close()


def _lay_out() -> None:
    """Create a missing home: no open address is served before it has an administrator."""
    from engine.process.supervisor import StartError, prepare_home_in_subprocess
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings()
        if not settings.home.exists() or (settings.is_sqlite and not (settings.home / "tocsin.db").exists()):
            for line in prepare_home_in_subprocess(settings, starts=False):
                warn(line)
    except (StartError, SettingsError) as error:
        raise CommandError(str(error)) from None


def _role(word: str) -> AccessRole:
    from domain.access import AccessRole

    try:
        return AccessRole.named(word)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _password(name: str, *, stdin: bool) -> str:
    """Password from standard input, or asked for at the terminal; empty where there is neither."""
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        return ""
    typed: str = typer.prompt(_("Password of {name}").format(name=name), hide_input=True, confirmation_prompt=True)
    return typed


def _tried(act: Callable[[], T]) -> T:
    from engine.accounts.accounts import BadAccount

    try:
        return act()
    except BadAccount as bad:
        raise CommandError(str(bad)) from None


def _end(installation: Installation, name: str, token_id: str, way: AuditActor) -> None:
    from storage import audit as log
    from storage.accounts import sessions_and_tokens

    with installation.database.write() as connection:
        mine = any(one.id == token_id for one in sessions_and_tokens.list_tokens(connection, name))
        if not mine:
            raise CommandError(f"{name} has no token {token_id[:20]!r}: `tocsin user list --json` names them")
        sessions_and_tokens.revoke_token(connection, token_id)
        log.add_entries(connection, way.entry("end a token", f"{token_id} of {name}"))


def _now() -> DateTime:
    import pendulum

    return pendulum.now("UTC")


def _changed(name: str, line: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"name": name, "changed": True})
    else:
        say(line)
