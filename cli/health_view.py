"""Health board drawn by Rich: tables and sparklines, with words that say the same without colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.common import _, localized, terminal_language
from locales import format_span, format_when

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 32  # of a small line
_HOURS = 3  # of the forecast, a row
_GOOD, _FAIR = 80, 60  # of an index


def health_board_view(document: dict[str, Any]) -> RenderableType:
    """Health board, section by section."""
    return Group(*_sections(document))


def _sections(document: dict[str, Any]) -> Iterator[RenderableType]:
    zone = ZoneInfo(document["zone"])
    at = datetime.fromisoformat(document["at"]).astimezone(zone)
    where = " · ".join(filter(None, (document["service"], document["lane"])))
    yield Text(f"{_('Health')}  {at:%Y-%m-%d %H:%M} {document['zone']}  {where}".rstrip(), style="bold")
    yield Text()
    yield _core(document["core"])
    yield Text()
    yield _indices(document["indices"])
    yield Text()
    yield _staffing(document["staffing"])
    yield from _coming(document, zone)
    yield Text()
    yield from _findings(document)


def sparkline(points: Sequence[float | None], width: int = _WIDTH) -> str:
    """Sparkline from the least to the most; a gap where no value is known. Neighbours are averaged to fit."""
    size = max(1, -(-len(points) // width))
    chunks = [[one for one in points[at : at + size] if one is not None] for at in range(0, len(points), size)]
    means = [sum(chunk) / len(chunk) if chunk else None for chunk in chunks]
    known = [one for one in means if one is not None]
    if not known:
        return " " * len(means)
    low, span = min(known), max(known) - min(known)
    # Without any change the line lies in the middle: neither low nor high.
    return "".join(
        " " if one is None else _BARS[3 if span == 0 else min(7, int((one - low) / span * 8))] for one in means
    )


def _core(figures: Sequence[dict[str, Any]]) -> Table:
    table = _table(_("Figure"), _("now"), _("target"), "", _("last 24 hours"))
    for one in figures:
        sign, style = {True: ("✓", "green"), False: ("!", "bold red"), None: ("", "")}[one["met"]]
        unit = localized(one["unit"]) if one["shown"] and not one["shown"].endswith(("s", "%")) else ""
        now = Text(f"{one['shown']} {unit}".strip(), style=style) if one["shown"] else _none()
        limit = f"{'≤' if one['side'] == 'at_most' else '≥'} {one['target_shown']}" if one["target_shown"] else ""
        table.add_row(localized(one["title"]), now, limit, Text(sign, style=style), sparkline(one["points"]))
    return table


def _indices(indices: Sequence[dict[str, Any]]) -> Table:
    table = _table(_("Index, of 100"), _("last hour"), _("last 24 hours"), _("made of"))
    for one in indices:
        parts = ", ".join(
            f"{localized(part['title'])} {part['shown']}" for part in one["parts"] if part["score"] is not None
        )
        table.add_row(localized(one["title"]), _points(one["value"]), _points(one["day"]), parts)
    return table


def _points(value: float | None) -> Text:
    if value is None:
        return _none()
    style = "green" if value >= _GOOD else "yellow" if value >= _FAIR else "bold red"
    return Text(f"{value:.0f}", style=style)


def _staffing(found: dict[str, Any]) -> Table:
    table = _table(_("Staffing"), "")
    contacts, level, answer = (found[name] for name in ("contacts_an_hour", "service_level", "answer_seconds"))
    rows = [
        (_("contacts an hour"), None if contacts is None else f"{contacts:,.0f}"),
        (_("handle time"), _span(found["handle_time_seconds"])),
        (_("agents on shift"), found["agents"]),
        (_("agents needed now"), found["agents_needed"]),
        (_("on the roster for that"), found["rostered"]),
        (_("on standby"), found["standby"]),
        (_("answered in time, expected"), None if level is None else f"{level * 100:.0f} %"),
        (_("seconds until an answer, expected"), None if answer is None else f"{answer:,.0f}"),
    ]
    for name, value in rows:
        table.add_row(name, _none() if value is None else str(value))
    return table


def _span(seconds: float) -> str:
    from datetime import timedelta

    return format_span(timedelta(seconds=seconds), terminal_language())


def _coming(document: dict[str, Any], zone: ZoneInfo) -> Iterator[RenderableType]:
    risk, slots = document["risk_ahead"], document["forecast"]["slots"]
    if risk:
        style = "bold red" if risk["ratio"] > 1 else ""
        yield Text(
            _("Risk of the next two hours: {share} % of what can be borne").format(share=round(risk["ratio"] * 100)),
            style=style,
        )
    if all(slot["contacts"] is None for slot in slots):
        return
    yield Text()
    yield Text(f"{_('Contacts, the next 48 hours')}  {sparkline([slot['contacts'] for slot in slots], 48)}")
    table = _table(_("from"), _("contacts"), _("between"), _("agents needed"), _("on the roster"), _("on shift"))
    step = max(1, _HOURS * 3600 // document["forecast"]["slot_seconds"])
    now = datetime.fromisoformat(document["at"])
    for begin in range(0, len(slots), step):
        table.add_row(*_row(slots[begin : begin + step], zone, now))
    yield table


def _row(slots: Sequence[dict[str, Any]], zone: ZoneInfo, now: datetime) -> Iterator[RenderableType]:
    """Some slots in one: contacts added up, people of the hardest slot."""
    known = [slot for slot in slots if slot["contacts"] is not None]
    yield (
        format_when(datetime.fromisoformat(slots[0]["start"]), zone, terminal_language(), now)
        .partition("（")[0]
        .partition(" (")[0]
    )
    if not known:
        yield _none()
        return
    yield f"{sum(slot['contacts'] for slot in known):,.0f}"
    yield f"{sum(slot['low'] for slot in known):,.0f} - {sum(slot['high'] for slot in known):,.0f}"
    peak = max(known, key=lambda slot: slot["agents_needed"] or 0)
    for name in ("agents_needed", "rostered", "agents"):
        yield Text("" if peak[name] is None else str(peak[name]))


def _findings(document: dict[str, Any]) -> Iterator[RenderableType]:
    for one in document["findings"]:
        yield Text(f"! {localized(one['what'])}", style="bold yellow")
        yield Text(f"  → {localized(one['next'])}")
    for line in document["file_findings"]:
        yield Text(f"! {line}", style="bold red")
    if not document["findings"] and not document["file_findings"]:
        yield Text(_("Nothing to do."), style="green")


def _none() -> Text:
    return Text(_("no data"), style="dim")


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
