"""`tocsin doctor`: check the installation, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.common import AsJson, say, show_json

if TYPE_CHECKING:
    from storage.settings import Settings

Finding = dict[str, object]
_PATIENCE_SECONDS = 3.0
_LOCAL = ("127.0.0.1", "localhost", "::1")


def doctor(as_json: AsJson = False) -> None:
    """Examine database, clocks, disk, files, Prefect, links and versions. Exit 1 if anything is wrong."""
    from storage.settings import SettingsError, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        findings = [_finding("settings", ok=False, reason=str(error))]
    else:
        findings = [
            _finding("settings", ok=True, reason=f"home {settings.home}"),
            _database(settings),
            *_machine(settings),
            *_files(settings),
            _answers("web", f"{settings.local_url}/healthz", "start it with `tocsin up`"),
            *_prefect(settings),
            _links(settings),
            _versions(settings),
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
    from storage.schema import require_current_schema

    if not settings.database_url and not settings.home.exists():
        return _finding("database", ok=False, reason="there is none yet: start Tocsin once with `tocsin up`")
    database = Database(settings.database)
    try:
        require_current_schema(database)
        if database.is_sqlite:
            with database.write():
                pass
    except StorageError as error:
        return _finding("database", ok=False, reason=str(error))
    finally:
        database.close()
    return _finding("database", ok=True, reason="SQLite" if database.is_sqlite else "PostgreSQL")


def _files(settings: Settings) -> list[Finding]:
    from engine.installation import Installation
    from playbooks.errors import BadFile

    installation = Installation(settings)
    try:
        try:
            installation.roster()
            found = installation.findings()
        except BadFile as bad:
            found = str(bad).splitlines()
    finally:
        installation.close()
    if not found:
        return [_finding("files", ok=True, reason="roster, channels and playbooks are sound")]
    return [_finding("files", ok=False, reason=line) for line in dict.fromkeys(found)]


def _machine(settings: Settings) -> list[Finding]:
    """Clock, disk, what is stuck; nothing where the database cannot be used, which is said already."""
    from engine.check.infrastructure import check_storage
    from engine.installation import Installation
    from engine.process.clock import now
    from storage.database import Database, StorageError
    from storage.schema import require_current_schema

    if settings.is_sqlite and not (settings.home / "tocsin.db").exists():
        return []
    database = Database(settings.database)
    try:
        require_current_schema(database)
    except StorageError:
        return []
    finally:
        database.close()
    installation = Installation(settings, sends=False, checks=False)
    try:
        found = [one for one in check_storage(installation, now()) if one.what != "database"]
    finally:
        installation.close()
    return [_finding(one.what, ok=one.ok, reason=one.reason.en) for one in found]


def _prefect(settings: Settings) -> list[Finding]:
    """Whether its server answers; whether its pool has a worker; whether our schedules are there and fire."""
    from engine.check import prefect_schedules
    from engine.process.clock import now

    api = _api(settings)
    answers = _answers("prefect", f"{api}/health", "nothing is late without it; `tocsin up` starts it")
    if not answers["ok"]:
        return [answers]
    broken = [one for one in prefect_schedules.check_schedules(api, now()) if not one.ok]
    schedule = _finding("schedules", ok=not broken, reason="all are there, and fire")
    if broken:
        schedule["reason"] = f"{broken[0].what}: {broken[0].reason.en}" + (
            f" (and {len(broken) - 1} more: `tocsin check`)" if len(broken) > 1 else ""
        )
    return [answers, schedule]


def _api(settings: Settings) -> str:
    import os

    url = os.environ.get("PREFECT_API_URL", "").strip() or f"http://127.0.0.1:{settings.prefect_port}/api"
    return url.rstrip("/")


def _versions(settings: Settings) -> Finding:
    """What works together, for a report of what does not."""
    import json
    import platform
    from importlib.metadata import PackageNotFoundError, version
    from urllib.error import URLError
    from urllib.request import ProxyHandler, build_opener

    found = [f"Python {platform.python_version()}"]
    for name in ("tocsin", "prefect", "apprise", "fastapi"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    try:
        with build_opener(ProxyHandler({})).open(f"{_api(settings)}/admin/version", timeout=_PATIENCE_SECONDS) as said:
            server = str(json.loads(said.read()))
    except (URLError, OSError, ValueError):
        return _finding("versions", ok=True, reason=", ".join(found))
    own = next((one.split()[1] for one in found if one.startswith("prefect ")), server)
    if own.split(".")[:2] != server.split(".")[:2]:
        reason = f"Prefect's server is {server}, this program has {own}: install the same"
        return _finding("versions", ok=False, reason=reason)
    return _finding("versions", ok=True, reason=", ".join([*found, f"Prefect's server {server}"]))


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
