"""Rehearsal on a terminal: stage clocks while it runs, then a table and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.common import _, localized
from cli.incident_view import STEP_SIGNS, share_bar

if TYPE_CHECKING:
    from engine.rehearsal.request import RehearsalProgress, RehearsalResult

_LATEST = 8
_REASONS = 30  # on the screen; the report has all
_SIGN = {"done": "✓", "skipped": "-", "not done": "×", "not begun": "·"}


def progress_view(progress: RehearsalProgress) -> RenderableType:
    """Progress of the rehearsal."""
    from engine.rehearsal.expected_notices import format_clock

    share = min(1.0, max(0.0, progress.now / progress.closes_at))
    head = Text()
    head.append("DRILL 演练 ", style="bold magenta")
    head.append(f"{progress.ref} {progress.order.playbook.id}  ", style="bold")
    head.append(share_bar(share), style="cyan")
    head.append(f"  {format_clock(progress.now)} / {format_clock(progress.closes_at)}  (×{progress.order.speed:g})")
    return Group(head, _stages(progress), Text(), _latest(progress))


def _stages(progress: RehearsalProgress) -> Table:
    from engine.rehearsal.expected_notices import format_clock

    table = Table(box=None, show_header=False, padding=(0, 1))
    for stage in progress.shown.get("stages", []):
        if stage["state"] == "waiting" or not stage["due_at"]:
            continue
        opens, due = (progress.clock(stage[name]) for name in ("opens_at", "due_at"))
        share = min(1.0, max(0.0, (progress.now - opens) / (due - opens))) if due > opens else 1.0
        steps = [step for step in stage["steps"] if step["round"] == stage["round"]]
        signs = " ".join(f"{STEP_SIGNS.get(step['state'], '·')}{step['step']}" for step in steps)
        style = {"late": "bold red", "done": "green"}.get(stage["state"], "cyan")
        table.add_row(
            Text(localized(stage["title"])), Text(share_bar(share), style=style), Text(format_clock(due)), Text(signs)
        )
    return table


def _latest(progress: RehearsalProgress) -> Table:
    """The last messages that someone received."""
    from engine.rehearsal.expected_notices import format_clock

    table = Table(box=None, show_header=False, padding=(0, 1))
    for letter in progress.letters[-_LATEST:]:
        name = letter.person if letter.is_public else progress.roster.name(letter.person)
        loud = letter.purpose in ("backup", "commander", "last-resort", "overdue", "remind")
        style = "yellow" if loud else "green" if letter.is_public else "dim"
        table.add_row(
            Text(format_clock(letter.at)), Text(letter.purpose, style=style), Text(name), Text(letter.step), Text("")
        )
    return table


def result_view(held: RehearsalResult, found: Mapping[str, Any]) -> RenderableType:
    """Result: the steps with who acted and when, the verdict with its reasons, and the report's place."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for title in (_("step"), _("called"), _("acknowledged"), _("done"), _("due")):
        table.add_column(title, no_wrap=title == _("step"))
    for step in found["steps"]:
        table.add_row(*_row(held, step))
    notices = found["notices"]
    passed = found["verdict"] == "PASS"
    verdict = Text(found["verdict"], style="bold green" if passed else "bold red")
    counted = _("{due} due, {sent} received, {repeats} repeats, all marked DRILL").format(
        due=notices["due"], sent=notices["sent"], repeats=notices["marked_repeats"]
    )
    if not passed:
        counted = _("{due} due, {sent} received, {missing} missing, {late} late, {more} unexpected").format(
            due=notices["due"], sent=notices["sent"], missing=len(notices["missing"]),
            late=len(notices["late"]), more=len(notices["unexpected"]),
        )  # fmt: skip
    verdict.append(f"  {found['incident']} {found['playbook']}  {counted}", style="default not bold")
    if found["customers"]:
        verdict.append(f"\n{_customers(found['customers'])}", style="default not bold")
    reasons = [Text(f"  × {reason}", style="red") for reason in found["reasons"][:_REASONS]]
    if len(found["reasons"]) > _REASONS:
        reasons.append(
            Text("  " + _("and {count} more: see the report").format(count=len(found["reasons"]) - _REASONS))
        )
    return Group(
        table, Text(), verdict, *reasons,
        Text(_("incident: {page}").format(page=found["page"])),
        Text(_("report: {path}").format(path=found["report"])),
    )  # fmt: skip


def _customers(found: Mapping[str, Any]) -> str:
    callbacks, reopened = found["callbacks"], found["reopened"]
    return _(
        "customers: {asked} of {to_ask} asked, {reminded} reminded, {answered} answered, {called} of {to_call} called, "
        "{settled} of {reopened} settled that were open again"
    ).format(
        asked=found["asked"], to_ask=found["to_ask"], reminded=found["reminded"], answered=found["answered"],
        called=callbacks["listed"], to_call=callbacks["expected"], settled=reopened["settled"],
        reopened=reopened["expected"],
    )  # fmt: skip


def _row(held: RehearsalResult, step: Mapping[str, Any]) -> tuple[Text, ...]:
    def who(name: str | None, when: str | None) -> Text:
        return Text(f"{held.roster.name(name)} {when or ''}".strip() if name or when else "-")

    calls = Text(", ").join(
        Text(held.roster.name(call["person"]), style="" if call["why"] == "assign" else "yellow")
        for call in step["called"]
    )
    sign = Text(f"{_SIGN[step['state']]} {step['id']}", style="red" if step["state"] == "not done" else "")
    same = step["done_by"] == step["acknowledged_by"]
    done = who(None if same else step["done_by"], step["done_at"])
    if step["state"] == "done" and step["late"]:
        done.append(" " + _("late"), style="bold red")
    return (
        sign,
        calls,
        who(step["acknowledged_by"], step["acknowledged_at"]),
        done,
        Text(step["due_at"] or "-"),
    )
