"""Report of a rehearsal: a document for programs, a page in Markdown for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.rehearsal.expected_notices import format_clock
from engine.rehearsal.expected_step import ExpectedStep
from engine.rehearsal.personas import PersonaManner
from engine.rehearsal.received_messages import ReceivedMessage
from engine.rehearsal.request import RehearsalResult
from engine.rehearsal.time_bounds import NEVER
from engine.rehearsal.verdict import RehearsalFault, RehearsalFinding

CALLS = ("assign", "backup", "commander", "last-resort", "overdue")


def build_document(held: RehearsalResult, path: str) -> dict[str, Any]:
    """Build the answer of `tocsin rehearse --json`, described by its schema."""
    verdict, order = held.verdict, held.order
    return {
        "verdict": "PASS" if verdict.passed else "FAIL",
        "incident": held.shown["ref"],
        "playbook": order.playbook.id,
        "speed": order.speed,
        "auto": order.auto,
        "seed": order.seed,
        "tolerance_seconds": order.tolerance,
        "lasted_seconds": round(held.lasted, 1),
        "absent": held.cast.people_with(PersonaManner.ABSENT) if held.cast else [],
        "late_owners": held.cast.people_with(PersonaManner.LATE) if held.cast else [],
        "steps": [_step(held, course) for course in held.expectation.courses.values()],
        "notices": {
            "due": verdict.due,
            "sent": verdict.sent,
            "marked_repeats": verdict.marked_repeats,
            "missing": [_named(finding) for finding in verdict.findings_of(RehearsalFault.MISSING) if finding.purpose],
            "late": [_named(finding) for finding in verdict.findings_of(RehearsalFault.LATE)],
            "unexpected": [
                _named(one)
                for one in verdict.findings_of(RehearsalFault.UNEXPECTED, RehearsalFault.EARLY)
                if one.purpose
            ],
        },
        "customers": _customers(held),
        "reasons": [finding.says for finding in verdict.findings],
        "page": held.shown["links"]["page"],
        "report": path,
    }


def _customers(held: RehearsalResult) -> dict[str, Any] | None:
    """What became of the affected customers; None where there were none."""
    followed, asked = held.followed, held.order.customers
    if followed is None or asked is None:
        return None
    return {
        "file": asked.name, **followed.figures, "closed_speed": held.order.speed_closed,
        "missing": list(followed.missing), "extra": list(followed.extra),
    }  # fmt: skip


def _step(held: RehearsalResult, course: ExpectedStep) -> dict[str, Any]:
    calls = _calls(held.letters, course.laid.id)
    return {
        "id": course.laid.id,
        "title": {
            "en": course.laid.plan.title.en,
            "zh": course.laid.plan.title.zh or course.laid.plan.title.en,
        },
        "kind": str(course.laid.plan.kind),
        "state": _state(course),
        "owner": course.owner,
        "called": [{"person": letter.person, "why": letter.purpose, "at": format_clock(letter.at)} for letter in calls],
        "acknowledged_by": course.taken_by or None,
        "done_by": course.done_by or None,
        "opens_at": _when(course.opens.lo),
        "acknowledged_at": _when(course.acknowledged.hi),
        "done_at": _when(course.done.lo),
        "due_at": _when(course.laid.due.lo),
        "late": not course.skipped and course.opens.lo < NEVER and course.done.lo > course.laid.due.hi,
    }


def _state(course: ExpectedStep) -> str:
    if course.skipped:
        return "skipped"
    if course.done.lo < NEVER:
        return "done"
    return "not done" if course.opens.lo < NEVER else "not begun"


def _calls(letters: tuple[ReceivedMessage, ...], step: str) -> list[ReceivedMessage]:
    return [letter for letter in letters if letter.step == step and letter.purpose in CALLS]


def _when(seconds: float) -> str | None:
    return None if seconds == NEVER else format_clock(seconds)


def _named(finding: RehearsalFinding) -> dict[str, Any]:
    return {
        "step": finding.step,
        "purpose": finding.purpose,
        "person": finding.person,
        "due_by": _when(finding.due_by),
        "says": finding.says,
    }


def save_report(held: RehearsalResult, folder: Path) -> dict[str, Any]:
    """Write the report into `folder`; the document that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"rehearsal-{held.shown['ref']}.md"
    found = build_document(held, str(path))
    path.write_text(render_markdown(held, found), encoding="utf-8")
    return found


def render_markdown(held: RehearsalResult, found: Mapping[str, Any]) -> str:
    """Render the report as a page."""
    notices = found["notices"]
    lines = [
        f"# {found['verdict']}: rehearsal of {found['playbook']} ({found['incident']}, DRILL 演练)",
        "",
        f"- declared {held.shown['declared_at']}, {found['speed']:g} times real speed, {found['lasted_seconds']} s",
        f"- absent: {_names(held, found['absent'])}; late: {_names(held, found['late_owners'])} (seed {found['seed']})",
        _counted(notices),
        f"- a message counts as in time within {found['tolerance_seconds']:g} real seconds",
        f"- incident page: {found['page']}",
        "",
    ]
    if found["reasons"]:
        lines += ["## Why it failed", "", *(f"- {reason}" for reason in found["reasons"]), ""]
    if found["customers"]:
        lines += _followed(found["customers"])
    lines += [
        "## Steps",
        "",
        "| step | called | acknowledged | done | due |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [_row(held, step) for step in found["steps"]]
    lines += ["", "Times are of the rehearsed clock: hours, minutes and seconds since the declaration.", ""]
    return "\n".join(lines)


def _followed(found: Mapping[str, Any]) -> list[str]:
    callbacks, reopened, second = found["callbacks"], found["reopened"], found["second_complaints"]
    lines = [
        "## Affected customers",
        "",
        f"- {found['file']}: {found['rows']} rows, {found['good']} good, {found['bad']} bad, "
        f"{found['without_channel']} without a channel; {found['closed_speed']:g} times real speed after the close",
        f"- asked {found['asked']} of {found['to_ask']}, reminded {found['reminded']}, answered {found['answered']}, "
        f"silent {found['silent']}; {found['suggestions']} with a suggestion, "
        f"{found['on_agenda']} on the agenda of the product meeting",
        f"- to be called by a person {callbacks['expected']}, on the lists {callbacks['listed']}; "
        f"open again {reopened['expected']}, settled {reopened['settled']}",
        f"- second complaints {second['count']} ({_share(second['share'])}, aim below {_share(second['aim'])})",
        "",
    ]
    for title, those in (("Missing", found["missing"]), ("Too much", found["extra"])):
        if those:
            lines += [f"### {title}", "", *(f"- {one}" for one in those), ""]
    return lines


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _counted(notices: Mapping[str, Any]) -> str:
    return (
        f"- {notices['due']} notices and publications due, {notices['sent']} received, "
        f"{notices['marked_repeats']} repeats (marked), {len(notices['missing'])} missing, "
        f"{len(notices['late'])} late, {len(notices['unexpected'])} that nothing asked for"
    )


def _names(held: RehearsalResult, people: list[str]) -> str:
    return ", ".join(held.roster.name(person) for person in people) or "nobody"


def _row(held: RehearsalResult, step: Mapping[str, Any]) -> str:
    called = ", ".join(f"{held.roster.name(call['person'])} ({call['why']} {call['at']})" for call in step["called"])
    if step["state"] == "skipped":
        return f"| {step['id']} | - | - | skipped | - |"
    taken = f"{held.roster.name(step['acknowledged_by'])} {step['acknowledged_at']}" if step["acknowledged_by"] else "-"
    done = f"{held.roster.name(step['done_by'])} {step['done_at'] or 'not done'}".strip()
    late = " **late**" if step["late"] and step["done_at"] else ""
    return f"| {step['id']} | {called or '-'} | {taken} | {done}{late} | {step['due_at']} |"
