"""Tabletop report: a document for programs, a page for people, kept among the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pendulum
from pendulum import DateTime

from domain.tabletop.scenario import MAX_ANSWER, ObserverQuestion, ScoringScale
from domain.tabletop.scoring import ScenarioScore, ScoredItem, score_answers, score_items
from domain.text import N_, Text
from engine.installation import Installation
from engine.process.clock import now
from engine.rehearsal.expected_notices import format_clock
from engine.rehearsal.tabletop import TabletopRun
from engine.review import document_templates
from engine.review.blocks import Block, Cell, DocumentSheet, Heading, Paragraph, TableBlock, Tile, Tiles
from engine.review.run_review import LANGUAGES
from locales import Translator, translator
from storage import documents
from storage.documents import Document

KIND = "tabletop"
SCALES = {
    ScoringScale.ADAPTABILITY: N_("Adaptability"),
    ScoringScale.MANNER: N_("Manner"),
    ScoringScale.SKILL: N_("Skill"),
}


def save_report(
    installation: Installation,
    played: TabletopRun,
    found: Sequence[ScoredItem],
    answers: Mapping[str, int],
    observer: str,
    remarks: str,
) -> dict[str, Any]:
    """Save what was measured with the observer's answers; the document as its schema has it.

    Raises:
        ValueError: an answer that fits no question.
    """
    order, scenario = played.order, played.order.scenario
    items = [*found, *score_answers(scenario.asked, answers)]
    happened = [
        {
            "id": one.injection.id, "effect": str(one.injection.effect), "text": _both(one.injection.text),
            "at": format_clock((one.at - played.began).total_seconds() * order.speed), "person": one.person,
            "matter": one.matter,
        }
        for one in played.happened
    ]  # fmt: skip
    data = {
        "id": played.ref, "scenario": scenario.id, "category": str(scenario.category), "title": _both(scenario.title),
        "story": _both(scenario.story), "playbook": order.playbook.id, "speed": order.speed, "auto": order.auto,
        "seed": order.seed, "began_at": played.began.isoformat(), "ended_at": played.ended.isoformat(),
        "observer": observer, "remarks": remarks, "happened": happened,
    }  # fmt: skip
    return _kept(installation, data, items)


def score_again(
    installation: Installation, ref: str, answers: Mapping[str, int], observer: str, remarks: str
) -> dict[str, Any]:
    """Add an observer's answers to a tabletop on record: what was measured stays.

    Raises:
        KeyError: there is none of that reference.
        ValueError: an answer that fits no question.
    """
    data = dict(load_report(installation, ref))
    rows = data.pop("items")
    asked = [
        ObserverQuestion(row["id"], ScoringScale(row["scale"]), _text(row["text"]))
        for row in rows
        if not row["measured"]
    ]
    before = {
        row["id"]: round(row["share"] * MAX_ANSWER) for row in rows if not row["measured"] and row["share"] is not None
    }
    items = [_item(row) for row in rows if row["measured"]] + score_answers(asked, {**before, **answers})
    data |= {"observer": observer or data["observer"], "remarks": remarks or data["remarks"]}
    for name in ("score", "report"):
        data.pop(name, None)
    return _kept(installation, data, items)


def load_report(installation: Installation, ref: str) -> Mapping[str, Any]:
    """Load a tabletop on record; KeyError where there is none."""
    with installation.database.read() as connection:
        found = documents.load_document(connection, f"{KIND}/{ref}")
    if found is None:
        raise KeyError(ref)
    return found.data


def list_reports(installation: Installation, limit: int = 50) -> list[dict[str, Any]]:
    """List tabletops, the newest first: reference, scenario, time, and score."""
    with installation.database.read() as connection:
        names = [one.id.partition("/")[2] for one in documents.list_documents(connection, kind=KIND, limit=limit)]
    rows = [load_report(installation, name) for name in names]
    return [{name: row[name] for name in ("id", "scenario", "category", "title", "began_at", "score")} for row in rows]


def _kept(installation: Installation, data: Mapping[str, Any], items: Sequence[ScoredItem]) -> dict[str, Any]:
    found = score_items(items)
    whole = {
        **data, "score": _score(found), "items": [_row(item) for item in items], "report": f"{KIND}/{data['id']}",
    }  # fmt: skip
    sheets = {key: _sheet(whole, items, found, language) for key, language in LANGUAGES.items()}
    title = _text(data["title"])
    points = f"{found.points:g} / {found.of}" if found.of else "-"
    document = Document(
        id=f"{KIND}/{data['id']}", title=Text(f"Tabletop {title.en}: {points}", f"桌面推演 {title.zh}：{points}"),
        made_at=now(), about=str(data["id"]), from_at=_moment(data["began_at"]), to_at=_moment(data["ended_at"]),
        pages={key: document_templates.render_html(one) for key, one in sheets.items()},
        texts={key: document_templates.render_markdown(one) for key, one in sheets.items()}, data=whole,
    )  # fmt: skip
    with installation.database.write() as connection:
        documents.save_document(connection, document)
    return whole


def _score(found: ScenarioScore) -> dict[str, Any]:
    parts = [
        {"scale": str(part.scale), "weight": part.weight, "points": part.points, "known": part.known,
         "items": part.items}
        for part in found.parts
    ]  # fmt: skip
    return {"points": found.points, "of": found.of, "parts": parts}


def _row(item: ScoredItem) -> dict[str, Any]:
    return {
        "id": item.id, "scale": str(item.scale), "text": _both(item.text), "share": item.share,
        "measured": item.measured, "because": item.because,
    }  # fmt: skip


def _item(row: Mapping[str, Any]) -> ScoredItem:
    return ScoredItem(
        row["id"], ScoringScale(row["scale"]), _text(row["text"]), row["share"], measured=row["measured"],
        because=row["because"],
    )  # fmt: skip


# --- for people ---


def _sheet(data: Mapping[str, Any], items: Sequence[ScoredItem], found: ScenarioScore, language: str) -> DocumentSheet:
    _ = translator(language)
    return DocumentSheet(
        language=language, title=_text(data["title"]).in_(language), badges=(_("DRILL"), _("Tabletop")),
        subtitle=f"{data['id']} · {data['playbook']} · {data['began_at'][:16].replace('T', ' ')}",
        blocks=[*_scores(found, _), *_story(data, language, _), *_items(items, language, _)],
        foot=_("What nobody measured and no observer answered is not scored."),
    )  # fmt: skip


def _scores(found: ScenarioScore, _: Translator) -> Iterator[Block]:
    whole = Tile(_("Score"), f"{found.points:g}" if found.of else _("not scored"), _("of {of}").format(of=found.of))
    yield Tiles([
        whole,
        *(
            Tile(
                _(SCALES[part.scale]), _("not scored") if part.points is None else f"{part.points:g}",
                _("of {of}; {known} of {items} known").format(of=part.weight, known=part.known, items=part.items),
                tone="soft" if part.points is None else "",
            )
            for part in found.parts
        ),
    ])  # fmt: skip


def _story(data: Mapping[str, Any], language: str, _: Translator) -> Iterator[Block]:
    yield Paragraph(_text(data["story"]).in_(language))
    yield Heading(_("What happened"))
    rows = [[one["at"], _text(one["text"]).in_(language), one["person"], one["matter"]] for one in data["happened"]]
    yield TableBlock([_("At"), _("What"), _("Whom"), _("On record as")], rows, steady=frozenset({0, 3}))
    if data["remarks"]:
        yield Paragraph(f"{data['observer']}: {data['remarks']}".strip(": "))


def _items(items: Sequence[ScoredItem], language: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("How it was met"))
    rows: list[list[str | Cell]] = []
    for item in items:
        share = Cell(_("not scored"), "soft") if item.share is None else Cell(f"{item.share:.0%}", _tone(item.share))
        how = item.because if item.measured else _("observer")
        rows.append([_(SCALES[item.scale]), item.text.in_(language), how, share])
    yield TableBlock([_("Scale"), _("What"), _("Evidence"), _("Met")], rows, numbers=frozenset({3}))


def _tone(share: float) -> Any:
    return "good" if share >= 0.75 else "bad" if share < 0.5 else ""  # noqa: PLR2004 - as an observer's 3 and 2 of 4


def _both(text: Text) -> dict[str, str]:
    return {"en": text.en, "zh": text.zh or text.en}


def _text(both: Mapping[str, str]) -> Text:
    return Text(both["en"], both["zh"])


def _moment(iso: str) -> DateTime:
    found = pendulum.parse(iso)
    assert isinstance(found, DateTime)  # noqa: S101 - we wrote it
    return found
