"""Suggestions, actions and recurrences on the screen and as CSV."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Any

from cli.common import _, localized, say
from cli.incident_view import clock_text
from domain.spreadsheet import escape_formula

EXPORTED = (
    "id", "voices", "wording", "language", "after", "first_at", "last_at", "agenda", "answer", "answered_at",
    "answered_by", "action",
)  # fmt: skip


def print_suggestions(found: dict[str, Any], *, as_csv: bool) -> None:
    """Print groups of suggestions for a person, or as CSV whose fields no spreadsheet runs as a formula."""
    rows = found["suggestions"]
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(EXPORTED)
        writer.writerows([escape_formula(one[name]) for name in EXPORTED] for one in rows)
        return
    drill, forgotten = _("DRILL"), _("(forgotten)")
    for one in rows:
        mark = f"[{drill}] " if one["drill"] else ""
        say(f"{mark}{one['id']}  {one['voices']:>4} ×  {one['wording'] or forgotten}")
        if one["answer"]:
            said = _("answered: {answer}").format(answer=one["answer"])
            say(f"      {said}  {one['action']}".rstrip())
        if one["tracker"] and one["tracker"]["state"] != "sent":
            said = _("issue tracker: {state} {detail}").format(**one["tracker"])
            say(f"      {said}".rstrip())
    if not rows:
        say(_("no suggestion is without an answer"))
    say(_("next product meeting: {when}").format(when=clock_text(found["next_meeting"])))


def print_improvement_share(found: dict[str, Any]) -> None:
    """Print the share of complaints that became an improvement."""
    shown = "-" if found["share"] is None else f"{found['share'] * 100:.1f} %"
    say(
        _("{improved} of {complaints} complaints became a recorded improvement: {share} (aim {aim})").format(
            improved=found["improved"], complaints=found["complaints"], share=shown, aim=f"{found['aim'] * 100:.0f} %"
        )
    )
    say(
        "  "
        + _("by an answered suggestion {by_suggestion}, by a measure after the incident {by_incident}").format(**found)
    )
    say("  " + _("done already: {done}").format(done=found["done"]))


def print_actions(found: Sequence[dict[str, Any]]) -> None:
    """Print promised actions, a line each."""
    for one in found:
        parts = [
            one["ref"],
            clock_text(one["due_at"]),
            _state(one),
            one["owner_name"],
            localized(one["title"]),
            one["origin"],
        ]
        say("  ".join(part for part in parts if part))
    if not found:
        say(_("nothing is promised"))


def print_action(one: dict[str, Any]) -> None:
    """Print one promised action."""
    say(f"{one['ref']}  {localized(one['title'])}  {_state(one)}")
    lines = [
        (_("owner"), f"{one['owner_name']} ({one['role']})"),
        (_("due"), clock_text(one["due_at"])),
        (_("from"), one["origin"]),
        (_("why"), localized(one["because"])),
        (_("done"), clock_text(one["done_at"]) if one["done_at"] else ""),
        (_("evidence"), one["evidence"]),
    ]
    for name, value in lines:
        if value:
            say(f"  {name}: {value}")


def print_recurrences(found: Sequence[dict[str, Any]]) -> None:
    """Print recurrences, a line each."""
    for one in found:
        parts = [one["warning"] or "-", localized(one["title"]), one["status"], one["document"]]
        say("  ".join(parts))
    if not found:
        say(_("nothing came again so often"))


def _state(one: dict[str, Any]) -> str:
    if one["state"] == "done":
        return _("done")
    if one["state"] in ("abandoned", "skipped") or one["status"] == "cancelled":
        return _("given up")
    return _("late") if one["late"] else _("open")
