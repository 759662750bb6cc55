"""Draft page: one text as it would be posted, its versions compared, an editor, and the approval."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pendulum import DateTime

from domain.command_handlers import CommandRefused
from engine.installation import Installation
from storage.incidents import incidents, timeline
from web.api.incidents import incident_document
from web.http.request_context import RequestContextDep
from web.pages.live_page import render_live_page

router = APIRouter(include_in_schema=False)
_PIECES: Final = re.compile(r"[\u2e80-\uffef]|\w+|\s+|.", re.DOTALL)  # a character where words are not spaced
_LONGEST: Final = 4_000


@router.get("/incidents/{ref}/text")
async def show_draft(
    request: Request,
    ref: str,
    context: RequestContextDep,
    step: Annotated[str, Query(max_length=200)],
    old: Annotated[int, Query(ge=0)] = 0,
    new: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Show a draft with its approval, its versions and the text boxes."""

    def look(installation: Installation, now: DateTime) -> dict[str, Any]:
        document = incident_document(installation, ref, now)
        playbook, found, approval, published = _find(document, step)
        with installation.database.read() as connection:
            incident_id = incidents.find_incident_id(connection, ref)
            versions = timeline.list_draft_versions(connection, incident_id, found["id"])
            seen = incidents.count_facts(connection, incident_id)
        later = new or max(versions, default=0)
        earlier = old or max((one for one in versions if one < later), default=later)
        return {
            "now": now, "incident": document, "people": document["people"], "step": found, "seen": seen,
            "name": f"{playbook}:{found['id']}", "approval": approval, "locked": published,
            "versions": list(versions), "old": earlier, "new": later,
            "changes": text_changes(versions.get(earlier, {}), versions.get(later, {})) if earlier != later else {},
            "boxes": _boxes(found),
        }  # fmt: skip

    return await render_live_page(request, context, "text.html", look)


def _find(document: Mapping[str, Any], name: str) -> tuple[str, dict[str, Any], dict[str, Any] | None, bool]:
    """The draft, its approval where there is one, and whether it is ordered or public already.

    Raises:
        Refused: there is no such draft.
    """
    playbook, colon, rest = name.partition(":")
    rest = rest if colon else name
    for stage in document["stages"]:
        for one in stage["steps"]:
            if one["id"] != rest or one["kind"] != "draft" or (colon and stage["playbook"] != playbook):
                continue
            beside = [
                step for other in document["stages"] if other["playbook"] == stage["playbook"]
                for step in other["steps"] if step.get("of") == one["id"]
            ]  # fmt: skip
            approval = next(
                ({**step, "name": f"{stage['playbook']}:{step['id']}"} for step in beside if step["kind"] == "approve"),
                None,
            )
            public = any(step.get("postings") for step in beside if step["kind"] == "publish")
            return stage["playbook"], one, approval, public
    raise CommandRefused(f"{document['ref']} has no text {name[:80]!r}: open it from the page of the incident")


def _boxes(step: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What there is to write in: one text a language, and one of its own for each channel that takes little."""
    texts, template = step["texts"], step.get("template") or {}
    languages = list(dict.fromkeys(channel["language"] for channel in step["goes_to"].values())) or ["en", "zh_CN"]
    drafted = {"en": template.get("en", ""), "zh_CN": template.get("zh", "")}
    boxes = {
        name: {"language": name, "limit": None, "text": texts.get(name, "" if texts else drafted.get(name, ""))}
        for name in languages
    }
    for name, channel in step["goes_to"].items():
        if channel["limit"] or name in texts:
            limit = channel["limit"]
            boxes[name] = {"language": channel["language"], "limit": limit, "text": texts.get(name, "")}
    return boxes


def text_changes(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Differences of each text between two versions: pieces that are `same`, `gone` or `new`."""
    return {
        name: _pieces(old.get(name, "")[:_LONGEST], new.get(name, "")[:_LONGEST])
        for name in dict.fromkeys((*old, *new))
    }


def _pieces(old: str, new: str) -> list[tuple[str, str]]:
    before, after = _PIECES.findall(old), _PIECES.findall(new)
    found = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(("same", "".join(before[a:b])))
            continue
        found += [
            (name, words) for name, words in (("gone", "".join(before[a:b])), ("new", "".join(after[c:d]))) if words
        ]
    return found
