"""SVG charts for pages, styled by classes only, since the content policy forbids inline style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

WIDTH: Final = 300
HEIGHT: Final = 64
_PAD: Final = 4


def sparkline(points: Sequence[float | None], target: float | None, label: str) -> Markup:
    """Sparkline of a metric, its target a dashed line. `label` says the same in words. Gaps stay gaps."""
    known = [point for point in points if point is not None]
    if not known:
        return Markup("")
    scale = _Range([*known, *([target] if target is not None else [])])
    step = (WIDTH - 2 * _PAD) / max(1, len(points) - 1)
    lines = "".join(
        f"M{' L'.join(f'{_PAD + place * step:.1f} {scale.y(value):.1f}' for place, value in run)}"
        for run in _runs(points)
    )
    aim = ""
    if target is not None:
        y = scale.y(target)
        aim = Markup('<line class="aim" x1="0" x2="{w}" y1="{y:.1f}" y2="{y:.1f}"/>').format(w=WIDTH, y=y)
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{label}">{aim}'
        '<path class="course" d="{lines}"/></svg>'
    ).format(w=WIDTH, h=HEIGHT, label=label, aim=aim, lines=lines)


def forecast_chart(slots: Sequence[Mapping[str, Any]], zone: str, label: str) -> Markup:
    """Forecast chart, slot by slot, with the band of the most likely values."""
    if not slots:
        return Markup("")
    width, height, base = 900, 220, 190
    top = max(slot["high"] or slot["contacts"] or 0.0 for slot in slots) or 1.0
    step = (width - 50) / len(slots)

    def y(value: float | None) -> float:
        return base - (value or 0.0) / top * (base - 14)

    def x(place: int) -> float:
        return 44 + (place + 0.5) * step

    upper = [f"{x(place):.1f} {y(slot['high']):.1f}" for place, slot in enumerate(slots)]
    lower = [f"{x(place):.1f} {y(slot['low']):.1f}" for place, slot in reversed(list(enumerate(slots)))]
    line = " L".join(f"{x(place):.1f} {y(slot['contacts']):.1f}" for place, slot in enumerate(slots))
    where, ticks = ZoneInfo(zone), []
    for place, slot in enumerate(slots):
        start = datetime.fromisoformat(slot["start"]).astimezone(where)
        if start.minute == 0 and start.hour % 6 == 0:
            words = f"{start:%m-%d}" if start.hour == 0 else f"{start:%H:%M}"
            ticks.append(Markup('<text class="tick" x="{x:.1f}" y="{y}">{words}</text>').format(
                x=x(place), y=height - 10, words=words
            ))  # fmt: skip
    rule = Markup(
        '<line class="grid" x1="44" x2="{w}" y1="{y:.1f}" y2="{y:.1f}"/>'
        '<text class="tick side" x="38" y="{t:.1f}">{words}</text>'
    )
    heights = [(share, y(top * share)) for share in (0.0, 0.5, 1.0)]
    ticks += [rule.format(w=width, y=at, t=at + 4, words=f"{top * share:.0f}") for share, at in heights]
    likely = Markup('<path class="likely" d="M{0}Z"/>').format(" L".join([*upper, *lower]))
    return _wide("chart", width, height, label, *ticks, likely, Markup('<path class="course" d="M{0}"/>').format(line))


def bar_chart(rows: Sequence[tuple[str, float | None]], label: str, *, aim: float | None = None) -> Markup:
    """Bar chart, one bar a month with its value above; unknown values have no bar."""
    width, height, base = 640, 200, 160
    values = [value for _, value in rows if value is not None]
    if not values:
        return Markup("")
    top = max([*values, *([aim] if aim is not None else [])]) or 1.0
    step = width / max(1, len(rows))
    drawn = []
    for place, (name, value) in enumerate(rows):
        middle = (place + 0.5) * step
        drawn.append(
            Markup('<text class="tick" x="{x:.1f}" y="{y}">{name}</text>').format(x=middle, y=base + 18, name=name)
        )
        if value is None:
            continue
        high = value / top * (base - 30)
        drawn.append(Markup(
            '<rect class="bar-of" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="2"/>'
            '<text class="tick" x="{m:.1f}" y="{t:.1f}">{words}</text>'
        ).format(
            x=middle - step * 0.3, y=base - high, w=step * 0.6, h=max(1.0, high), m=middle, t=base - high - 6,
            words=f"{value:.3g}",
        ))  # fmt: skip
    if aim is not None:
        y = base - aim / top * (base - 30)
        drawn.append(Markup('<line class="aim" x1="0" x2="{w}" y1="{y:.1f}" y2="{y:.1f}"/>').format(w=width, y=y))
    return _wide("chart", width, height, label, *drawn)


def incident_trend(
    begins: str, step_seconds: int, points: Sequence[float | None], said: Sequence[Mapping[str, Any]],
    incident: Mapping[str, Any], zone: str, label: str,
) -> Markup:  # fmt: skip
    """Line of a metric around an incident; upright lines mark the declaration and each statement."""
    known = [point for point in points if point is not None]
    if not known:
        return Markup("")
    width, height, base, top = 900, 180, 150, max(known) or 1.0
    start, span = datetime.fromisoformat(begins), step_seconds * max(1, len(points) - 1)

    def x(seconds: float) -> float:
        return 44 + min(1.0, max(0.0, seconds / span)) * (width - 50)

    def y(value: float) -> float:
        return base - value / top * (base - 20)

    lines = "".join(
        "M" + " L".join(f"{x(place * step_seconds):.1f} {y(value):.1f}" for place, value in run)
        for run in _runs(points)
    )
    moments = [("declared", incident["declared_at"])] + [
        ("posted", one["posted_at"]) for one in said if one["posted_at"]
    ]
    marks, where = [], ZoneInfo(zone)
    for kind, moment in moments:
        at = datetime.fromisoformat(moment)
        place = x((at - start).total_seconds())
        marks.append(Markup(
            '<line class="said {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="12" y2="{base}"/>'
            '<text class="tick" x="{x:.1f}" y="{y}">{words}</text>'
        ).format(kind=kind, x=place, base=base, y=base + 18, words=f"{at.astimezone(where):%H:%M}"))  # fmt: skip
    side = Markup('<text class="tick side" x="38" y="24">{0:.3g}</text>').format(top)
    return _wide("chart", width, height, label, side, *marks, Markup('<path class="course" d="{0}"/>').format(lines))


def shift_chart(days: Mapping[str, Any], zone: str, label: str) -> Markup:
    """Shift chart: who has each role over the coming days, for roles that change hands; gaps stand out."""
    rows = [row for row in days["roles"] if row["calendar"] or len(row["spans"]) > 1]
    if not rows:
        return Markup("")
    begins, ends = (datetime.fromisoformat(days[name]) for name in ("from", "until"))
    where, width, left, lane = ZoneInfo(zone), 960, 190, 30
    whole = (ends - begins).total_seconds()

    def x(moment: str) -> float:
        return left + (datetime.fromisoformat(moment) - begins).total_seconds() / whole * (width - left - 4)

    people = list(dict.fromkeys(span["person"] for row in rows for span in row["spans"]))
    drawn = []
    day = begins.astimezone(where).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    height = 26 + lane * len(rows)
    while day < ends:
        at = x(day.isoformat())
        drawn.append(Markup(
            '<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{h}"/>'
            '<text class="tick" x="{x:.1f}" y="12">{d}</text>'
        ).format(x=at, h=height, d=f"{day:%m-%d}"))  # fmt: skip
        day += timedelta(days=1)
    for place, row in enumerate(rows):
        y = 24 + lane * place
        drawn.append(Markup('<text x="0" y="{y}">{title}</text>').format(y=y + 16, title=row["title"][:26]))
        for span in row["spans"]:
            start, end = x(span["from"]), x(span["to"])
            room = int((end - start) / 8)
            drawn.append(Markup(
                '<g class="shift s{n}{gap}"><rect x="{x:.1f}" y="{y}" width="{w:.1f}" height="22" rx="3"/>'
                '<text x="{t:.1f}" y="{b}">{short}</text><title>{name} {start} – {end}</title></g>'
            ).format(
                n=people.index(span["person"]) % 6, gap=" gap" if span["gap"] else "", x=start, y=y,
                w=max(1.0, end - start - 1), t=start + 4, b=y + 16, short=span["name"][:room] if room > 1 else "",
                name=span["name"], start=span["from"], end=span["to"],
            ))  # fmt: skip
    return _wide("timeline-picture", width, height, label, *drawn)


def _wide(kind: str, width: int, height: int, label: str, *parts: Markup) -> Markup:
    """A picture that is scrolled sideways where a screen is narrow."""
    opening = Markup(
        '<div class="wide" tabindex="0"><svg class="{0}" viewBox="0 0 {1} {2}" role="img" aria-label="{3}">'
    )
    return opening.format(kind, width, height, label) + Markup("").join(parts) + Markup("</svg></div>")


class _Range:
    def __init__(self, values: Sequence[float]) -> None:
        self._low, self._high = min(values), max(values)

    def y(self, value: float) -> float:
        spread = self._high - self._low
        share = (value - self._low) / spread if spread else 0.5
        return HEIGHT - _PAD - share * (HEIGHT - 2 * _PAD)


def _runs(points: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap; one point alone becomes a short dash."""
    runs: list[list[tuple[int, float]]] = []
    fresh = True
    for place, point in enumerate(points):
        if point is None:
            fresh = True
            continue
        if fresh:
            runs.append([])
            fresh = False
        runs[-1].append((place, point))
    return [run if len(run) > 1 else [run[0], (run[0][0] + 0.4, run[0][1])] for run in runs]  # type: ignore[list-item]
