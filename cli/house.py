"""`tocsin up` and `tocsin doctor`: the installation itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.frame import AsJson, Trouble, _, language, say, show_json

if TYPE_CHECKING:
    from storage.settings import Settings

Finding = dict[str, object]
_PATIENCE_SECONDS = 3.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


def up(
    port: Annotated[int | None, typer.Option(help="Of the pages and the API; default 7700.")] = None,
    prefect_port: Annotated[int | None, typer.Option(help="Of the embedded Prefect; default 7701.")] = None,
    host: Annotated[str | None, typer.Option(help="0.0.0.0 opens the pages to the network.")] = None,
    only: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these processes: `engine,runner` on a second machine.")
    ] = "",
) -> None:
    """Start Tocsin and keep it running. Prints a line that begins with `ready`; Ctrl-C stops everything."""
    from engine.children import chosen, default_children
    from engine.supervisor import StartError, Supervisor, prepare
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings(port=port, prefect_port=prefect_port, host=host)
        children = chosen(default_children(settings), only)
        for line in prepare(settings):
            say(_told(line))
        Supervisor(settings, children, language=language()).run()
    except (StartError, SettingsError, ValueError) as error:
        raise Trouble(str(error)) from None


def _told(line: str) -> str:
    """A line of what was laid out; the link by which the first one comes in is said in the terminal's language."""
    _begins, found, link = line.partition("login link: ")
    return _("Log in once, within half an hour, by this link: {link}").format(link=link) if found else line


def doctor(as_json: AsJson = False) -> None:
    """Look at the installation: settings, database, Prefect, files, links. Exit 1 if something is wrong."""
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        findings = [_finding("settings", ok=False, reason=str(error))]
    else:
        findings = [
            _finding("settings", ok=True, reason=f"home {settings.home}"),
            _database(settings),
            *_files(settings),
            _answers("web", f"{settings.local_url}/healthz", "start it with `tocsin up`"),
            _prefect(settings),
            _links(settings),
        ]
    ok = all(finding["ok"] for finding in findings)
    if as_json:
        show_json({"ok": ok, "findings": findings})
    else:
        for finding in findings:
            say(f"{'ok ' if finding['ok'] else '!! '} {finding['what']:<10} {finding['reason']}")
    if not ok:
        raise SystemExit(1)


def _finding(what: str, *, ok: bool, reason: str) -> Finding:
    return {"what": what, "ok": ok, "reason": reason}


def _database(settings: Settings) -> Finding:
    from storage.database import Database, StorageError
    from storage.schema import require_current

    if not settings.database_url and not settings.home.exists():
        return _finding("database", ok=False, reason="there is none yet: start Tocsin once with `tocsin up`")
    database = Database(settings.database)
    try:
        require_current(database)
        if database.is_sqlite:
            with database.write():
                pass
    except StorageError as error:
        return _finding("database", ok=False, reason=str(error))
    finally:
        database.close()
    return _finding("database", ok=True, reason="SQLite" if database.is_sqlite else "PostgreSQL")


def _files(settings: Settings) -> list[Finding]:
    from engine.house import House
    from playbooks.errors import BadFile

    house = House(settings)
    try:
        try:
            house.roster()
            found = house.findings()
        except BadFile as bad:
            found = str(bad).splitlines()
    finally:
        house.close()
    if not found:
        return [_finding("files", ok=True, reason="roster, channels and playbooks are sound")]
    return [_finding("files", ok=False, reason=line) for line in dict.fromkeys(found)]


def _prefect(settings: Settings) -> Finding:
    import os

    url = os.environ.get("PREFECT_API_URL", "").strip() or f"http://127.0.0.1:{settings.prefect_port}/api"
    return _answers("prefect", f"{url.rstrip('/')}/health", "nothing is late without it; `tocsin up` starts it")


def _answers(what: str, url: str, remedy: str) -> Finding:
    from urllib.error import URLError
    from urllib.parse import urlsplit
    from urllib.request import ProxyHandler, build_opener

    shown = urlsplit(url).netloc.rpartition("@")[2]  # an address may carry a password
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_PATIENCE_SECONDS):
            return _finding(what, ok=True, reason=f"answers on {shown}")
    except (URLError, OSError, ValueError):
        return _finding(what, ok=False, reason=f"does not answer on {shown}: {remedy}")


def _links(settings: Settings) -> Finding:
    from urllib.parse import urlsplit

    if urlsplit(settings.links_url).hostname in _LOCAL:
        reason = f"links begin with {settings.links_url} and are dead on a phone: set TOCSIN_PUBLIC_URL"
    else:
        reason = f"links begin with {settings.links_url}"
    return _finding("links", ok=True, reason=reason)
