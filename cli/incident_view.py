"""Incidents drawn by Rich: stages and clocks as bars, with words that say the same without colour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.common import _, localized, terminal_language, terminal_texts
from locales import elapsed_share, format_span, format_when
from locales.state_words import state_label

_BAR = 24
_STYLE = {
    "late": "bold red",
    "running": "cyan",
    "done": "green",
    "waiting": "dim",
    "abandoned": "dim",
    "open": "bold yellow",
    "acknowledged": "cyan",
    "skipped": "dim",
    "superseded": "dim",
    "mitigated": "green",
    "closed": "dim",
    "completed": "green",
    "cancelled": "dim",
    "published": "green",
    "sent": "green",
    "unknown": "bold yellow",
    "failed": "bold red",
    "dead": "bold red",
}
# Each state has a sign of its own, so that nothing depends on colour.
STEP_SIGNS = {
    "done": "✓",
    "open": "●",
    "acknowledged": "◐",
    "waiting": "·",
    "skipped": "-",
    "abandoned": "×",
    "superseded": "-",
}


def state_text(name: str) -> Text:
    """State in words and colour."""
    return Text(state_label(name, terminal_language()), style=_STYLE.get(name, ""))


def clock_text(time: str | None, *, seconds: bool = False) -> str:
    """Time of day in the user's zone, with its date where it is another day's."""
    if not time:
        return ""
    local = datetime.fromisoformat(time).astimezone()
    day = "" if local.date() == datetime.now().astimezone().date() else f"{local:%Y-%m-%d} "
    return day + (f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}")


def time_text(time: str | None, now: datetime) -> str:
    """Time in the user's zone, and its distance from now."""
    if not time:
        return ""
    zone = now.astimezone().tzinfo
    return format_when(datetime.fromisoformat(time), zone or "UTC", terminal_language(), now)


def time_left_text(due: str | None, now: datetime) -> str:
    """Time left, or lateness."""
    if not due:
        return ""
    span = datetime.fromisoformat(due) - now
    words = _("{span} left") if span >= timedelta(0) else _("late by {span}")
    return words.format(span=format_span(span, terminal_language()))


def clock_bar(opens: str | None, due: str | None, now: datetime, condition: str) -> Text:
    """Bar of a clock: the elapsed part of its window."""
    passed = 1.0 if condition in ("done", "abandoned") else elapsed_share(opens, due, now)
    return Text(share_bar(passed), style=_STYLE.get(condition, ""))


def share_bar(share: float) -> str:
    """Bar of a share, 0.0 to 1.0."""
    full = round(share * _BAR)
    return "█" * full + "░" * (_BAR - full)


def _title(document: dict[str, Any]) -> Text:
    line = Text()
    if document["drill"]:
        line.append("[DRILL 演练] ", style="bold black on yellow")
    line.append(f"{document['ref']} ", style="bold")
    line.append(_plain(document["title"]))
    line.append("  ").append_text(state_text(document["status"]))
    return line


def _plain(text: str) -> str:
    """Without anything that a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


# --- the list -------------------------------------------------------------------------------------


def board_table(document: dict[str, Any]) -> RenderableType:
    """Table of incidents, the most urgent first."""
    now = datetime.fromisoformat(document["now"])
    rows: list[RenderableType] = []
    for row in document["incidents"]:
        rows += [*_board_row(row, now), Text()]
    if rows:
        return Group(*rows)
    return Text(
        _("Nothing is open. To declare an incident:") + "\n  tocsin declare --title ... --playbook four-hour-response"
    )


def _board_row(row: dict[str, Any], now: datetime) -> list[RenderableType]:
    rows: list[RenderableType] = [_title(row)]
    stage, following = row["stage"], row["next"]
    if stage:
        condition = "late" if row["late_steps"] else "running"
        line = Text("  ").append_text(clock_bar(stage["opens_at"], stage["due_at"], now, condition))
        line.append(f"  {localized(stage['title'])}  {time_left_text(stage['due_at'], now)}")
        if row["late_steps"]:
            late = terminal_texts().ngettext("%d step late", "%d steps late", row["late_steps"]) % row["late_steps"]
            line.append(f"  ! {late}", style="bold red")
        rows.append(line)
    if following:
        parts = [localized(following["title"]), _plain(following["owner"]["name"]), time_text(following["due_at"], now)]
        rows.append(Text(f"  {_('Next')}: " + " · ".join(part for part in parts if part)))
    for name, label in (("called", _("Called, no answer yet")), ("acknowledged", _("Acknowledged by"))):
        if row[name]:
            rows.append(Text(f"  {label}: " + ", ".join(_plain(person["name"]) for person in row[name])))
    return rows


# --- one incident ---------------------------------------------------------------------------------


def incident_panel(document: dict[str, Any]) -> RenderableType:
    """Panel of one incident with its stages."""
    now = datetime.fromisoformat(document["now"])
    impact = _("Impact: {customers} customers, {orders} orders, {money} {currency}.").format(
        **{name: document["impact"][name] for name in ("customers", "orders", "money")},
        currency=document["currency"],
    )
    said = time_text(document["last_public_at"], now) or _("none yet")
    rows: list[RenderableType] = [
        _title(document),
        Text(f"{_('Declared')} {time_text(document['declared_at'], now)} · {impact}"),
        Text(f"{_('Last public word')}: {said}"),
    ]
    for stage in document["stages"]:
        rows += [Text(), *_stage(stage, document["people"], now)]
    rows += _messages(document)
    rows.append(Text(f"\n{document['links']['page']}", style="dim"))
    return Group(*rows)


def _stage(stage: dict[str, Any], people: dict[str, str], now: datetime) -> list[RenderableType]:
    line = Text().append_text(clock_bar(stage["opens_at"], stage["due_at"], now, stage["state"]))
    line.append(f"  {localized(stage['title'])}", style="bold")
    if stage["repeats"]:
        line.append(f" #{stage['round']}")
    line.append("  ").append_text(state_text(stage["state"]))
    if stage["state"] in ("running", "late", "waiting") and stage["due_at"]:
        line.append(f"  {clock_text(stage['due_at'])} · {time_left_text(stage['due_at'], now)}")
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for wraps in (False, False, True, False, True, False):  # a name that is to be typed is never broken
        table.add_column(no_wrap=not wraps, overflow="fold")
    shown = [
        s for s in stage["steps"] if s["round"] == stage["round"] or s["state"] in ("waiting", "open", "acknowledged")
    ]
    for step in shown:
        table.add_row(*_step(step, people, now))
    return [line, table] if shown else [line]


def _step(step: dict[str, Any], people: dict[str, str], now: datetime) -> list[RenderableType]:
    name = step["state"]
    style = "bold red" if step["late"] else _STYLE.get(name, "")
    who = _plain(people.get(step["holder"] or step["owner"], step["holder"] or step["owner"]))
    if name in ("done", "skipped", "abandoned", "superseded"):
        note = clock_text(step["done_at"])
    else:
        note = time_text(step["due_at"], now)
    sign = ("!" if step["late"] else " ") + STEP_SIGNS.get(name, " ")
    title = Text(localized(step["title"]), style="dim" if name in ("waiting", "skipped", "superseded") else "")
    words = state_text(name)
    if step["late"]:
        words.append(f", {_('late')}", style="bold red")
    return [
        Text(f"  {sign}", style=style),
        Text(step["id"], style="dim"),
        title,
        words,
        Text(who),
        Text(note),
    ]


def _messages(document: dict[str, Any]) -> list[RenderableType]:
    rows: list[RenderableType] = []
    for row in document["publications"]:
        words = Text(f"  {row['channel']}  ").append_text(state_text(row["state"]))
        rows.append(words.append(f"  {clock_text(row['sent_at'])}  {_plain(row['receipt'])}"))
    if rows:
        rows = [Text(), Text(_("Publications"), style="bold"), *rows]
    counts: dict[str, int] = {}
    for row in document["notices"]:
        counts[row["state"]] = counts.get(row["state"], 0) + 1
    told = ", ".join(f"{count} {state_label(name, terminal_language())}" for name, count in sorted(counts.items()))
    return [*rows, Text(), Text(f"{_('Notices')}: {told or '0'}")]
