"""Plots as self-contained SVG: no script, no font, nothing fetched; light or dark as the reader's screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Final

import numpy as np

from engine.warning.sample_arrays import SECOND, Floats, Ints

WIDTH: Final = 1000
HEIGHT: Final = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 16, 64, 40
_COLUMNS: Final = 900  # a line of more points is drawn by its extremes in each column

STYLE: Final = """
svg{background:var(--paper);color:var(--ink);font:13px system-ui,-apple-system,"Segoe UI","Noto Sans CJK SC",sans-serif;
--paper:#fff;--ink:#1c2430;--soft:#5c6675;--grid:#e4e8ee;--value:#1f6feb;--base:#7a8594;--yellow:#b7791f;--red:#c62828}
@media(prefers-color-scheme:dark){svg{--paper:#12161c;--ink:#e6eaf0;--soft:#9aa5b4;--grid:#28303a;--value:#6cb0ff;
--base:#8b97a6;--yellow:#e8b44a;--red:#ff7b72}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.grid{stroke:var(--grid)}.value{stroke:var(--value);stroke-width:1.5}
.base{stroke:var(--base);stroke-width:1.2;stroke-dasharray:1 3;stroke-linecap:round}
.line{fill:none;stroke-linejoin:round}.limit{stroke-dasharray:6 4;stroke-width:1;stroke-opacity:.55}
.yellow{stroke:var(--yellow)}.red{stroke:var(--red)}.band.yellow{fill:var(--yellow)}.band.red{fill:var(--red)}
.band{stroke:none;fill-opacity:.2}.mark{stroke-width:2}.head{font-size:16px;font-weight:600}
""".replace("\n", "")


@dataclass(frozen=True, slots=True)
class PlotLine:
    """Metric over time. NaN leaves a gap. `shape`: its class in the style, such as `value` or `limit red`."""

    name: str
    at: Ints
    value: Floats
    shape: str = "value"
    scales: bool = True  # whether it widens the vertical range


@dataclass(frozen=True, slots=True)
class PlotBand:
    """Stretch of time that stands out; its beginning is marked."""

    start: int
    end: int
    shape: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines and bands over one stretch of time, microseconds since 1970, written in local time of `zone`."""

    title: str
    subtitle: str
    start: int
    end: int
    lines: Sequence[PlotLine]
    zone: tzinfo
    bands: Sequence[PlotBand] = field(default_factory=tuple)

    def svg(self) -> str:
        """Render the whole document."""
        low, high = self._range()
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(self.title)}. {escape(self.subtitle)}"><style>{STYLE}</style>',
            f'<text class="head" x="{_LEFT}" y="24">{escape(self.title)}</text>',
            f'<text class="soft" x="{_LEFT}" y="44">{escape(self.subtitle)}</text>',
            *self._grid(low, high),
            *self._bands(),
            *(self._line(line, low, high) for line in self.lines),
            *self._legend(),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _x(self, at: float) -> float:
        span = max(1, self.end - self.start)
        return _LEFT + (at - self.start) / span * (WIDTH - _LEFT - _RIGHT)

    @staticmethod
    def _y(value: float, low: float, high: float) -> float:
        share = (value - low) / (high - low)
        return HEIGHT - _BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - _TOP - _BOTTOM)

    def _range(self) -> tuple[float, float]:
        found = [line.value[np.isfinite(line.value)] for line in self.lines if line.scales]
        some = [values for values in found if values.size]
        if not some:
            return 0.0, 1.0
        low, high = min(float(values.min()) for values in some), max(float(values.max()) for values in some)
        if low > 0 and low < high / 2:
            low = 0.0  # a figure that comes near zero is read from zero
        margin = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
        return (low if low == 0 else low - margin), high + margin

    def _grid(self, low: float, high: float) -> Iterator[str]:
        for value in round_steps(low, high):
            y = self._y(value, low, high)
            yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>'
            yield f'<text class="soft" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:,.6g}</text>'
        for at, text in time_steps(self.start, self.end, self.zone):
            x = self._x(at)
            yield f'<path class="grid" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>'
            anchor = "middle" if x < WIDTH - 4 * _RIGHT else "end"
            yield f'<text class="soft" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 20}" text-anchor="{anchor}">{text}</text>'

    def _bands(self) -> Iterator[str]:
        for band in self.bands:
            x, end = self._x(band.start), self._x(band.end)
            wide = max(end - x, 2.0)
            height = HEIGHT - _TOP - _BOTTOM
            yield f"<g><title>{escape(band.note)}</title>"
            yield f'<rect class="band {band.shape}" x="{x:.1f}" y="{_TOP}" width="{wide:.1f}" height="{height}"/>'
            yield f'<path class="mark {band.shape}" d="M{x:.1f} {_TOP - 6}V{HEIGHT - _BOTTOM}"/></g>'

    def _line(self, line: PlotLine, low: float, high: float) -> str:
        at, value = thin_points(line.at, line.value)
        pieces, open_ = [], False
        for one, figure in zip(at.tolist(), value.tolist(), strict=True):
            if not math.isfinite(figure):
                open_ = False
                continue
            pieces.append(f"{'L' if open_ else 'M'}{self._x(one):.1f} {self._y(figure, low, high):.1f}")
            open_ = True
        return f'<path class="line {line.shape}" d="{"".join(pieces)}"/>'

    def _legend(self) -> Iterator[str]:
        x = float(_LEFT)
        for line in {line.name: line for line in self.lines if line.name}.values():
            yield f'<path class="line {line.shape}" d="M{x:.0f} {HEIGHT - 10}h22"/>'
            yield f'<text x="{x + 28:.0f}" y="{HEIGHT - 6}">{escape(line.name)}</text>'
            x += 56 + sum(13 if ord(letter) > 0x2E80 else 7 for letter in line.name)  # noqa: PLR2004 - CJK is wider


def thin_points(at: Ints, value: Floats) -> tuple[Ints, Floats]:
    """Reduce to what can be seen: first, least and greatest of each column, so that no peak is lost."""
    if at.size <= 2 * _COLUMNS:
        return at, value
    chosen: list[int] = []
    for part in np.array_split(np.arange(at.size), _COLUMNS):
        figures = value[part]
        known = part[np.isfinite(figures)]
        if not known.size:
            chosen.append(int(part[0]))
            continue
        picks = {int(known[0]), int(known[np.argmin(value[known])]), int(known[np.argmax(value[known])])}
        chosen += sorted(picks)
    return at[chosen], value[chosen]


def round_steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round values between low and high, a step of 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


_SPANS: Final = (
    (timedelta(seconds=10), "%H:%M:%S"), (timedelta(minutes=1), "%H:%M"), (timedelta(minutes=5), "%H:%M"),
    (timedelta(minutes=15), "%H:%M"), (timedelta(hours=1), "%H:%M"), (timedelta(hours=3), "%H:%M"),
    (timedelta(hours=6), "%m-%d %H:%M"), (timedelta(days=1), "%m-%d"), (timedelta(days=2), "%m-%d"),
    (timedelta(days=7), "%m-%d"), (timedelta(days=14), "%Y-%m-%d"), (timedelta(days=30), "%Y-%m-%d"),
    (timedelta(days=90), "%Y-%m-%d"), (timedelta(days=365), "%Y-%m-%d"),
)  # fmt: skip


def time_steps(start: int, end: int, zone: tzinfo, most: int = 10) -> Iterator[tuple[int, str]]:
    """Round local times between start and end."""
    span = timedelta(microseconds=end - start)
    step, form = next(((step, form) for step, form in _SPANS if span / step <= most), _SPANS[-1])
    began = datetime.fromtimestamp(start / SECOND, zone)
    midnight = began.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    skip = -(-(began.replace(tzinfo=None) - midnight) // step)
    wall = midnight + skip * step
    while (at := round(wall.replace(tzinfo=zone).timestamp() * SECOND)) <= end:
        yield at, wall.strftime(form)
        wall += step
