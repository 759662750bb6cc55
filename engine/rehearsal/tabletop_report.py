"""What a sudden situation found: a document for programs, a page for people, kept among the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pendulum
from pendulum import DateTime

from domain.tabletop.scenario import MOST, Question, Scale
from domain.tabletop.scoring import Item, Score, answered, score
from domain.text import N_, Text
from engine.clock import now
from engine.house import House
from engine.rehearsal.due import clock
from engine.rehearsal.tabletop import Played
from engine.review import html, markdown
from engine.review.blocks import Block, Cell, Heading, Sheet, Table, Tile, Tiles, Words
from engine.review.holding import LANGUAGES
from locales import Translator, translator
from storage import documents
from storage.documents import Document

KIND = "tabletop"
SCALES = {Scale.ADAPTABILITY: N_("Adaptability"), Scale.MANNER: N_("Manner"), Scale.SKILL: N_("Skill")}


def keep(
    house: House, played: Played, found: Sequence[Item], answers: Mapping[str, int], observer: str, remarks: str
) -> dict[str, Any]:
    """What was measured with what the observer says, on record; the document as its schema has it.

    Raises:
        ValueError: an answer that fits no question.
    """
    order, scenario = played.order, played.order.scenario
    items = [*found, *answered(scenario.asked, answers)]
    happened = [
        {
            "id": one.injection.id, "effect": str(one.injection.effect), "text": _both(one.injection.text),
            "at": clock((one.at - played.began).total_seconds() * order.speed), "person": one.person,
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
    return _kept(house, data, items)


def score_again(house: House, ref: str, answers: Mapping[str, int], observer: str, remarks: str) -> dict[str, Any]:
    """Add an observer's answers to one that was held: what was measured stays.

    Raises:
        KeyError: there is none of that reference.
        ValueError: an answer that fits no question.
    """
    data = dict(load(house, ref))
    rows = data.pop("items")
    asked = [Question(row["id"], Scale(row["scale"]), _text(row["text"])) for row in rows if not row["measured"]]
    before = {row["id"]: round(row["share"] * MOST) for row in rows if not row["measured"] and row["share"] is not None}
    items = [_item(row) for row in rows if row["measured"]] + answered(asked, {**before, **answers})
    data |= {"observer": observer or data["observer"], "remarks": remarks or data["remarks"]}
    for name in ("score", "report"):
        data.pop(name, None)
    return _kept(house, data, items)


def load(house: House, ref: str) -> Mapping[str, Any]:
    """One that was held; KeyError where there is none."""
    with house.database.read() as connection:
        found = documents.load(connection, f"{KIND}/{ref}")
    if found is None:
        raise KeyError(ref)
    return found.data


def listed(house: House, limit: int = 50) -> list[dict[str, Any]]:
    """Those that were held, the newest first: their reference, scenario, when, and score."""
    with house.database.read() as connection:
        names = [one.id.partition("/")[2] for one in documents.listing(connection, kind=KIND, limit=limit)]
    rows = [load(house, name) for name in names]
    return [{name: row[name] for name in ("id", "scenario", "category", "title", "began_at", "score")} for row in rows]


def _kept(house: House, data: Mapping[str, Any], items: Sequence[Item]) -> dict[str, Any]:
    found = score(items)
    whole = {
        **data, "score": _score(found), "items": [_row(item) for item in items], "report": f"{KIND}/{data['id']}",
    }  # fmt: skip
    sheets = {key: _sheet(whole, items, found, language) for key, language in LANGUAGES.items()}
    title = _text(data["title"])
    points = f"{found.points:g} / {found.of}" if found.of else "-"
    document = Document(
        id=f"{KIND}/{data['id']}", title=Text(f"Tabletop {title.en}: {points}", f"桌面推演 {title.zh}：{points}"),
        made_at=now(), about=str(data["id"]), from_at=_moment(data["began_at"]), to_at=_moment(data["ended_at"]),
        pages={key: html.page(one) for key, one in sheets.items()},
        texts={key: markdown.markdown(one) for key, one in sheets.items()}, data=whole,
    )  # fmt: skip
    with house.database.write() as connection:
        documents.keep(connection, document)
    return whole


def _score(found: Score) -> dict[str, Any]:
    parts = [
        {"scale": str(part.scale), "weight": part.weight, "points": part.points, "known": part.known,
         "items": part.items}
        for part in found.parts
    ]  # fmt: skip
    return {"points": found.points, "of": found.of, "parts": parts}


def _row(item: Item) -> dict[str, Any]:
    return {
        "id": item.id, "scale": str(item.scale), "text": _both(item.text), "share": item.share,
        "measured": item.measured, "because": item.because,
    }  # fmt: skip


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        row["id"], Scale(row["scale"]), _text(row["text"]), row["share"], measured=row["measured"],
        because=row["because"],
    )  # fmt: skip


# --- for people ---


def _sheet(data: Mapping[str, Any], items: Sequence[Item], found: Score, language: str) -> Sheet:
    _ = translator(language)
    return Sheet(
        language=language, title=_text(data["title"]).in_(language), badges=(_("DRILL"), _("Tabletop")),
        subtitle=f"{data['id']} · {data['playbook']} · {data['began_at'][:16].replace('T', ' ')}",
        blocks=[*_scores(found, _), *_story(data, language, _), *_items(items, language, _)],
        foot=_("What nobody measured and no observer answered is not scored."),
    )  # fmt: skip


def _scores(found: Score, _: Translator) -> Iterator[Block]:
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
    yield Words(_text(data["story"]).in_(language))
    yield Heading(_("What happened"))
    rows = [[one["at"], _text(one["text"]).in_(language), one["person"], one["matter"]] for one in data["happened"]]
    yield Table([_("At"), _("What"), _("Whom"), _("On record as")], rows, steady=frozenset({0, 3}))
    if data["remarks"]:
        yield Words(f"{data['observer']}: {data['remarks']}".strip(": "))


def _items(items: Sequence[Item], language: str, _: Translator) -> Iterator[Block]:
    yield Heading(_("How it was met"))
    rows: list[list[str | Cell]] = []
    for item in items:
        share = Cell(_("not scored"), "soft") if item.share is None else Cell(f"{item.share:.0%}", _tone(item.share))
        how = item.because if item.measured else _("observer")
        rows.append([_(SCALES[item.scale]), item.text.in_(language), how, share])
    yield Table([_("Scale"), _("What"), _("Evidence"), _("Met")], rows, numbers=frozenset({3}))


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
