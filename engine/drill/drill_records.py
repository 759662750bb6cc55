"""Records of drills: the report in both languages, the call of its owner, the actions of a failed drill."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pendulum
from pendulum import DateTime

from channels.notice_wording import localize_reason
from domain.action import Action, ActionKind
from domain.drill.plan import DrillPlan
from domain.drill.verdict import DrillOutcome, DrillVerdict
from domain.playbook import Playbook, Stage, Step, StepKind
from domain.text import Text
from engine.drill import lifecycle
from engine.drill.comparison import compare_with_earlier
from engine.drill.folders import KIND, drills_dir
from engine.drill.record import DrillRecord
from engine.drill.report import build_report
from engine.installation import Installation
from engine.response.actions import open_actions
from engine.review import document_templates
from engine.review.run_review import LANGUAGES, open_review
from storage import documents
from storage.database import Connection
from storage.documents import Document

_MEND, _AGAIN = timedelta(days=14), timedelta(days=30)


@dataclass(frozen=True)
class DrillResult:
    """Result of a drill: its record, verdict, report, the case that calls its owner, and its actions."""

    record: DrillRecord
    verdict: DrillVerdict
    document: Document
    page: Path
    matter: str
    actions: tuple[str, ...]


def save_result(
    installation: Installation, plan: DrillPlan, record: DrillRecord, verdict: DrillVerdict, now: DateTime
) -> DrillResult:
    """Save the report and call its owner, in one transaction. Idempotent."""
    service = installation.reviews
    document = _document(installation, plan, record, verdict, now)
    folder = drills_dir(installation) / record.id
    folder.mkdir(parents=True, exist_ok=True)
    for language, page in document.pages.items():
        (folder / f"report.{language}.html").write_text(page, encoding="utf-8")
    procedure, roster = _procedure(plan, verdict), installation.roster()
    with installation.database.write() as connection:
        documents.save_document(connection, document)
        case = open_review(
            connection,
            service,
            procedure,
            f"drill:{record.id}",
            f"{document.title.en} · {document.title.zh}",
            document,
            now,
        )
        promised = open_actions(connection, roster, _promises(plan, record, verdict), now)
    actions = tuple(answer.ref for answer in promised)
    return DrillResult(record, verdict, document, folder / "report.en.html", case, actions)


def _document(
    installation: Installation, plan: DrillPlan, record: DrillRecord, verdict: DrillVerdict, now: DateTime
) -> Document:
    zone = installation.reviews.plan.zone
    comparisons = compare_with_earlier(list_earlier(installation, plan.id, record.id), record)
    sheets = {
        key: build_report(plan, record, verdict, language, zone, comparisons) for key, language in LANGUAGES.items()
    }
    return Document(
        id=f"{KIND}/{record.id}",
        title=Text(f"Drill {plan.id}: {verdict.outcome}", f"压测 {plan.id}：{verdict.outcome}"), made_at=now,
        from_at=pendulum.from_timestamp(record.begun), to_at=pendulum.from_timestamp(record.ended),
        pages={key: document_templates.render_html(one) for key, one in sheets.items()},
        texts={key: document_templates.render_markdown(one) for key, one in sheets.items()},
        data=summarise(record, verdict),
    )  # fmt: skip


def summarise(record: DrillRecord, verdict: DrillVerdict) -> dict[str, object]:
    """Summarise the drill in figures, as programs read it."""
    knee, recovery = verdict.knee, verdict.recovery
    return {
        "id": record.id, "plan": record.plan, "verdict": str(verdict.outcome), "peak": record.peak,
        "reasons": [{"en": localize_reason(one, "en"), "zh": localize_reason(one, "zh_CN")} for one in verdict.reasons],
        "knee": {"rate": knee.rate, "low": knee.low, "high": knee.high, "percent": knee.percent} if knee else None,
        "rto_seconds": recovery.rto if recovery else None,
        "rto_parts": recovery.parts() if recovery else None,
        "detected_by": record.moments.detected_by, "called": record.moments.matter,
        "acknowledged_by": record.moments.acknowledged_by, "not_called": record.moments.uncalled,
        "requests": record.requests, "made": record.cleaned.made, "gone": record.cleaned.gone,
        "doubtful": record.cleaned.doubtful,
    }  # fmt: skip


def list_earlier(installation: Installation, plan: str, but: str) -> list[DrillRecord]:
    """List the last three drills of a plan that are valid, the newest first."""
    with installation.database.read() as connection:
        found = [documents.load_document(connection, one.id) for one in _listed(connection)]
    wanted = [one for one in found if one and one.data["plan"] == plan and one.data["id"] != but]
    said = [str(one.data["id"]) for one in wanted if one.data["verdict"] != DrillOutcome.INVALID]
    return [
        record for name in said[:3] if (record := lifecycle.load_record(drills_dir(installation) / name)) is not None
    ]


def _listed(connection: Connection) -> list[Document]:
    return documents.list_documents(connection, kind=KIND, limit=50)


def _procedure(plan: DrillPlan, verdict: DrillVerdict) -> Playbook:
    failed = verdict.outcome is not DrillOutcome.PASS
    reasons = {
        language: "\n".join(f"- {localize_reason(one, language)}" for one in verdict.reasons)
        for language in ("en", "zh_CN")
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


def _promises(plan: DrillPlan, record: DrillRecord, verdict: DrillVerdict) -> dict[str, Action]:
    """What a failed drill asks for: each reason mended, and the drill again."""
    if verdict.outcome is DrillOutcome.PASS:
        return {}
    found = {}
    for place, reason in enumerate(verdict.reasons):
        title = Text(f"{localize_reason(reason, 'en')}"[:180], localize_reason(reason, "zh_CN")[:180])
        found[f"drill:{record.id}:{place}"] = Action(
            title, plan.owner, _MEND, ActionKind.DRILL, origin=f"{KIND}/{record.id}"
        )
    title = Text(f"Run the drill {plan.id} again", f"重新执行压测 {plan.id}")
    found[f"drill:{record.id}:again"] = Action(
        title, plan.owner, _AGAIN, ActionKind.DRILL, origin=f"{KIND}/{record.id}"
    )
    return found
