"""What came of a drill on record: its report in both languages, its owner called, what a failed one asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pendulum
from pendulum import DateTime
from sqlalchemy import Connection

from channels.wording import reason_in
from domain.action import Action, ActionKind
from domain.drill.plan import Plan
from domain.drill.verdict import Outcome, Verdict
from domain.playbook import Playbook, Stage, Step, StepKind
from domain.text import Text
from engine.actions import promise
from engine.drill import running
from engine.drill.comparing import against
from engine.drill.places import KIND, drills_dir
from engine.drill.record import Record
from engine.drill.report import sheet
from engine.house import House
from engine.review import html, markdown
from engine.review.desk import desk_of
from engine.review.holding import LANGUAGES, open_review
from storage import documents
from storage.documents import Document

_MEND, _AGAIN = timedelta(days=14), timedelta(days=30)


@dataclass(frozen=True)
class Held:
    """A drill that was held: its record, what it says, where its report is, who was called by which matter."""

    record: Record
    verdict: Verdict
    document: Document
    page: Path
    matter: str
    actions: tuple[str, ...]


def keep(house: House, plan: Plan, record: Record, verdict: Verdict, now: DateTime) -> Held:
    """Its report on record, and its owner called, in one transaction; done twice it is done once."""
    desk = desk_of(house)
    document = _document(house, plan, record, verdict, now)
    folder = drills_dir(house) / record.id
    folder.mkdir(parents=True, exist_ok=True)
    for language, page in document.pages.items():
        (folder / f"report.{language}.html").write_text(page, encoding="utf-8")
    procedure, roster = _procedure(plan, verdict), house.roster()
    with house.database.write() as connection:
        documents.keep(connection, document)
        matter = open_review(
            connection,
            desk,
            procedure,
            f"drill:{record.id}",
            f"{document.title.en} · {document.title.zh}",
            document,
            now,
        )
        promised = promise(connection, roster, _promises(plan, record, verdict), now)
    actions = tuple(answer.ref for answer in promised)
    return Held(record, verdict, document, folder / "report.en.html", matter, actions)


def _document(house: House, plan: Plan, record: Record, verdict: Verdict, now: DateTime) -> Document:
    zone = desk_of(house).plan.zone
    comparisons = against(earlier(house, plan.id, record.id), record)
    sheets = {key: sheet(plan, record, verdict, language, zone, comparisons) for key, language in LANGUAGES.items()}
    return Document(
        id=f"{KIND}/{record.id}",
        title=Text(f"Drill {plan.id}: {verdict.outcome}", f"压测 {plan.id}：{verdict.outcome}"), made_at=now,
        from_at=pendulum.from_timestamp(record.begun), to_at=pendulum.from_timestamp(record.ended),
        pages={key: html.page(one) for key, one in sheets.items()},
        texts={key: markdown.markdown(one) for key, one in sheets.items()},
        data=summary(record, verdict),
    )  # fmt: skip


def summary(record: Record, verdict: Verdict) -> dict[str, object]:
    """The drill in figures, as programs read it."""
    knee, recovery = verdict.knee, verdict.recovery
    return {
        "id": record.id, "plan": record.plan, "verdict": str(verdict.outcome), "peak": record.peak,
        "reasons": [{"en": reason_in(one, "en"), "zh": reason_in(one, "zh_CN")} for one in verdict.reasons],
        "knee": {"rate": knee.rate, "low": knee.low, "high": knee.high, "percent": knee.percent} if knee else None,
        "rto_seconds": recovery.rto if recovery else None,
        "rto_parts": recovery.parts() if recovery else None,
        "detected_by": record.moments.detected_by, "called": record.moments.matter,
        "acknowledged_by": record.moments.acknowledged_by, "not_called": record.moments.uncalled,
        "requests": record.requests, "made": record.cleaned.made, "gone": record.cleaned.gone,
        "doubtful": record.cleaned.doubtful,
    }  # fmt: skip


def earlier(house: House, plan: str, but: str) -> list[Record]:
    """The last three drills of a plan that say something, the newest first."""
    with house.database.read() as connection:
        found = [documents.load(connection, one.id) for one in _listed(connection)]
    wanted = [one for one in found if one and one.data["plan"] == plan and one.data["id"] != but]
    said = [str(one.data["id"]) for one in wanted if one.data["verdict"] != Outcome.INVALID]
    return [record for name in said[:3] if (record := running.read(drills_dir(house) / name)) is not None]


def _listed(connection: Connection) -> list[Document]:
    return documents.listing(connection, kind=KIND, limit=50)


def _procedure(plan: Plan, verdict: Verdict) -> Playbook:
    failed = verdict.outcome is not Outcome.PASS
    reasons = {
        language: "\n".join(f"- {reason_in(one, language)}" for one in verdict.reasons) for language in ("en", "zh_CN")
    }
    title = Text(f"Read the report of drill {plan.id}: {verdict.outcome}", f"阅读压测报告 {plan.id}：{verdict.outcome}")
    step = Step(
        id="read", kind=StepKind.ACT if failed else StepKind.TELL, title=title, owner=plan.owner, tell=plan.tell,
        instruction=Text(reasons["en"] or "Every figure was in band.", reasons["zh_CN"] or "各项指标均在范围内。"),
        due=timedelta(days=3),
        ack_within=timedelta(days=1) if failed else None, remind=timedelta(days=1) if failed else None,
    )  # fmt: skip
    stage = Stage(id="report", title=title, steps=(step,), ends=timedelta(days=3))
    return Playbook(
        id="drill-report", title=title, stages=(stage,), flow="hold_review", severity="minor", commander=plan.owner
    )


def _promises(plan: Plan, record: Record, verdict: Verdict) -> dict[str, Action]:
    """What a failed drill asks for: each reason mended, and the drill again."""
    if verdict.outcome is Outcome.PASS:
        return {}
    found = {}
    for place, reason in enumerate(verdict.reasons):
        title = Text(f"{reason_in(reason, 'en')}"[:180], reason_in(reason, "zh_CN")[:180])
        found[f"drill:{record.id}:{place}"] = Action(
            title, plan.owner, _MEND, ActionKind.DRILL, origin=f"{KIND}/{record.id}"
        )
    title = Text(f"Run the drill {plan.id} again", f"重新执行压测 {plan.id}")
    found[f"drill:{record.id}:again"] = Action(
        title, plan.owner, _AGAIN, ActionKind.DRILL, origin=f"{KIND}/{record.id}"
    )
    return found
