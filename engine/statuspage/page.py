"""Status page of this moment as a document, and its last good copy for when the database does not answer."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pendulum import DateTime

from domain.roster import Roster
from domain.service_status import (
    PostedText,
    PublicService,
    StatusPlan,
    find_overall_state,
    find_service_status,
    group_statements,
)
from engine.installation import Installation
from playbooks.errors import BadFile
from playbooks.playbook_library import UnknownPlaybook
from storage.files import AS_USUAL, write_atomically
from storage.statuspage import publications
from storage.statuspage.publications import PublishedFact

FILE = "status.yaml"
COPY = "status-page.json"  # of the home: the last good copy
MAX_STATEMENTS = 50
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})


def build_page(installation: Installation, plan: StatusPlan, now: DateTime) -> dict[str, Any]:
    """Build the page: services and statements; of an incident only its publications and its beginning.

    Raises:
        StorageError: the database does not answer.
    """
    try:
        roster = installation.roster()
    except BadFile:
        roster = Roster()
    with installation.database.read() as connection:
        troubles = publications.list_public_incidents(connection)
        facts = publications.list_publications(connection, now - plan.shown_for)
        texts = publications.list_published_texts(connection, list({row.incident_id for row in facts}))
    standings = [find_service_status(service, troubles, plan.outage) for service in plan.services]
    posted = [one for row in facts if (one := _posted(installation, roster, row, texts)) is not None]
    return {
        "at": now.isoformat(),
        "overall": str(find_overall_state(standings)),
        "services": [
            _service(one.service, str(one.state), one.since.isoformat() if one.since else None) for one in standings
        ],
        "statements": [
            {
                "id": _id(one.incident, one.step),
                "at": one.at.isoformat(),
                "texts": one.texts,
                "link": one.link,
                "withdrawn": one.withdrawn,
            }
            for one in group_statements(posted)[:MAX_STATEMENTS]
        ],
    }


def build_unknown_page(plan: StatusPlan, now: DateTime) -> dict[str, Any]:
    """Build the page where nothing was ever known."""
    services = [_service(one, "unknown", None) for one in plan.services]
    return {"at": now.isoformat(), "overall": "unknown", "services": services, "statements": []}


def _service(service: PublicService, state: str, since: str | None) -> dict[str, Any]:
    title = {"en": service.title.en, "zh": service.title.zh or service.title.en}
    return {"id": service.id, "title": title, "state": state, "since": since}


def _id(incident: str, step: str) -> str:
    """A name for a statement that says nothing of the incident behind it, the same for ever."""
    return hashlib.sha256(f"statement {incident} {step}".encode()).hexdigest()[:24]


def _posted(
    installation: Installation, roster: Roster, row: PublishedFact, texts: dict[tuple[str, str, str], str]
) -> PostedText | None:
    channel = str(row.data.get("channel", ""))
    text = texts.get((row.incident_id, row.step, channel))
    known = roster.public.get(channel)
    if text is None:
        return None
    language = known.language if known else ("zh_CN" if _CHINESE.search(text) else "en")
    return PostedText(
        row.incident_id, row.step, channel, language, row.at, text, _link(str(row.data.get("receipt", ""))),
        withdraws=_withdraws(installation, row.playbook, row.step),
    )  # fmt: skip


def _link(receipt: str) -> str:
    """Where the public can see it; a receipt that is only ours, or leads to this very machine, is none."""
    parts = urlsplit(receipt if len(receipt) < 2_000 and receipt.isprintable() else "")  # noqa: PLR2004 - no longer one
    public = (
        parts.scheme in ("http", "https") and parts.hostname and parts.hostname not in _LOCAL and not parts.username
    )
    return receipt if public and " " not in receipt else ""


def _withdraws(installation: Installation, playbook: str | None, step: str) -> bool:
    try:
        plan = installation.library.get(playbook or "")
    except UnknownPlaybook:
        return False
    return any(one.withdraws and step.startswith(f"{stage.id}/{one.id}") for stage, one in plan.each_step())


# --- the last good copy --------------------------------------------------------------------------------------------


def save_copy(home: Path, found: dict[str, Any]) -> None:
    """Save a copy on disk, whole or not at all. A disk that is full is no reason to show nothing."""
    with suppress(OSError):
        write_atomically(home / COPY, json.dumps(found, ensure_ascii=False), mode=AS_USUAL)


def load_copy(home: Path) -> dict[str, Any] | None:
    """Load the saved copy; None where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads((home / COPY).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"at", "overall", "services", "statements"} <= set(found) else None
