"""Rehearsal report among the documents: on the console's pages, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pendulum import DateTime

from domain.text import N_, Text
from engine.review.blocks import Block, Cell, DocumentSheet, Heading, Paragraph, TableBlock, Tile, Tiles
from engine.review.document_templates import render_html, render_markdown
from locales import translator
from storage.documents import Document

KIND = "rehearsal"
STATES = {
    "done": N_("done"), "late": N_("late"), "skipped": N_("skipped"), "not done": N_("not done"),
    "not begun": N_("not begun"),
}  # fmt: skip


def make_document(found: Mapping[str, Any], now: DateTime) -> Document:
    """Make the document of a rehearsal from the answer of `tocsin rehearse --json`."""
    sheets = {"en": _sheet(found, "en"), "zh": _sheet(found, "zh_CN")}
    return Document(
        id=f"{KIND}/{found['incident']}",
        title=Text(sheets["en"].title, sheets["zh"].title),
        about=found["incident"],
        made_at=now,
        pages={name: render_html(sheet) for name, sheet in sheets.items()},
        texts={name: render_markdown(sheet) for name, sheet in sheets.items()},
        data=dict(found),
    )


def _sheet(found: Mapping[str, Any], language: str) -> DocumentSheet:
    _ = translator(language)
    notices, passed = found["notices"], found["verdict"] == "PASS"
    title = _("{verdict}: rehearsal of {playbook}, {ref}").format(
        verdict=found["verdict"], playbook=found["playbook"], ref=found["incident"]
    )
    tiles = Tiles([
        Tile(_("Verdict"), found["verdict"], tone="good" if passed else "bad"),
        Tile(_("Messages due, sent"), f"{notices['due']}, {notices['sent']}"),
        Tile(_("Missing"), str(len(notices["missing"])), tone="bad" if notices["missing"] else "good"),
        Tile(_("Times real speed"), f"{found['speed']:g}"),
    ])  # fmt: skip
    blocks: list[Block] = [tiles]
    if found["reasons"]:
        blocks += [Heading(_("Why it failed")), *(Paragraph(reason, "bad") for reason in found["reasons"])]
    blocks += [Heading(_("Steps")), _steps(found, language)]
    return DocumentSheet(language, title, _("DRILL: nothing of it was real"), blocks, badges=["DRILL 演练"])


def _steps(found: Mapping[str, Any], language: str) -> TableBlock:
    _ = translator(language)
    rows = []
    for step in found["steps"]:
        state = "late" if step["late"] else str(step["state"])
        title = step["title"]["zh" if language == "zh_CN" else "en"]
        people = [step[name] or "-" for name in ("owner", "acknowledged_by", "done_by")]
        rows.append([title, *people, Cell(_(STATES.get(state, state)), "bad" if step["late"] else "")])
    return TableBlock([_("Step"), _("Owner"), _("Acknowledged by"), _("Done by"), _("State")], rows)
