"""Timeline chart: stages against time, with calls, acknowledgements, missed deadlines and publications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from domain.facts import FactKind
from domain.text import N_

K = FactKind
WIDTH: Final = 960
LABELS: Final = 210  # pixels for the stages' names
LANE: Final = 26
TOP: Final = 28
MOST_MARKS: Final = 600
# A mark has a shape as well as a colour: nothing depends on colour alone.
MARKS: Final[Mapping[str, tuple[str, str]]] = {
    K.DECLARED: ("flag", N_("declared")), K.MITIGATED: ("flag", N_("mitigated")), K.CLOSED: ("flag", N_("closed")),
    K.REOPENED: ("flag", N_("reopened")), K.CANCELLED: ("flag", N_("cancelled")),
    K.OPENED: ("call", N_("called")), K.ESCALATED: ("climb", N_("next one called")),
    K.ACKNOWLEDGED: ("answer", N_("acknowledged")), K.DONE: ("done", N_("done")), K.MISSED: ("missed", N_("missed")),
    K.PUBLISHED: ("public", N_("published")), K.IN_DOUBT: ("missed", N_("in doubt")),
    K.PUBLISH_FAILED: ("missed", N_("failed")), K.NOTICE_DEAD: ("missed", N_("not delivered")),
}  # fmt: skip
LEGEND: Final = (
    ("call", N_("called")), ("climb", N_("next one called")), ("answer", N_("acknowledged")), ("done", N_("done")),
    ("missed", N_("missed")), ("public", N_("published")),
)  # fmt: skip
_SHAPES: Final = {
    "flag": "M-1 8V-8H7L4 -4.500 7 -1H0V8Z",
    "call": "M-5 -4H5L0 5Z",
    "climb": "M-5 4H5L0 -5Z",
    "answer": "M0 -5A5 5 0 1 1 0 5 5 5 0 1 1 0 -5Z",
    "done": "M-5 -5H5V5H-5Z",
    "missed": "M-5 -3 -3 -5 0 -2 3 -5 5 -3 2 0 5 3 3 5 0 2 -3 5 -5 3 -2 0Z",
    "public": "M0 -7 2 -2 7 -2 3 1 5 6 0 3 -5 6 -3 1 -7 -2 -2 -2Z",
}
_ABOUT: Final = N_("The timeline as a picture; the list below says the same")
_TICKS: Final = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 604_800)  # seconds
_MOST_TICKS: Final = 9
_LONG: Final = 3  # a stage so many times as long as the usual one does not set the scale


class _Scale:
    def __init__(self, begins: datetime, ends: datetime) -> None:
        self.begins, self.ends = begins, max(ends, begins + timedelta(seconds=60))
        self._length = (self.ends - self.begins).total_seconds()

    def x(self, when: datetime) -> float:
        passed = (when - self.begins).total_seconds() / self._length
        return LABELS + min(1.0, max(0.0, passed)) * (WIDTH - LABELS - 12)

    def ticks(self, zone: ZoneInfo) -> Iterable[datetime]:
        step = next((one for one in _TICKS if self._length / one <= _MOST_TICKS), _TICKS[-1])
        offset = self.begins.astimezone(zone).utcoffset() or timedelta(0)
        first = -(-(self.begins.timestamp() + offset.total_seconds()) // step) * step - offset.total_seconds()
        while first <= self.ends.timestamp():
            yield datetime.fromtimestamp(first, zone)
            first += step


def timeline_svg(stages: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]], me: Any) -> Markup:
    """Timeline chart as SVG without style of its own; empty where there is nothing to draw.

    Args:
        stages: of the incident's document, with `opens_at`, `due_at`, `title`, `state`.
        entries: of its timeline.
        me: the reader, for language and zone.
    """
    lanes = [stage for stage in stages if stage["opens_at"] and stage["due_at"]]
    if not entries:
        return Markup("")
    scale = _scale(lanes, entries, me.now)
    zone = ZoneInfo(me.zone)
    height = TOP + LANE * (len(lanes) + 1) + 34
    about = me.translate(_ABOUT)
    opening = Markup(
        '<div class="wide" tabindex="0"><svg class="timeline-picture" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="{about}">'
    )
    parts = [opening.format(width=WIDTH, height=height, about=about)]
    parts += _grid(scale, zone, TOP + LANE * (len(lanes) + 1))
    parts += [_lane(stage, place, scale, me) for place, stage in enumerate(lanes, 1)]
    place_of = {stage["id"]: place for place, stage in reversed(list(enumerate(lanes, 1)))}
    parts += _marks(entries, place_of, scale, me)
    now = scale.x(me.now)
    parts.append(
        Markup('<line class="now-line" x1="{x:.1f}" x2="{x:.1f}" y1="14" y2="{y}"/>').format(x=now, y=height - 34)
    )
    parts += _legend(height - 10, me)
    parts.append(Markup("</svg></div>"))
    return Markup("").join(parts)


def _scale(lanes: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]], now: datetime) -> _Scale:
    windows = [(datetime.fromisoformat(one["opens_at"]), datetime.fromisoformat(one["due_at"])) for one in lanes]
    told = [datetime.fromisoformat(entry["at"]) for entry in entries]
    begins = min([*told, *(opens for opens, _ in windows if opens < now)])
    lengths = [(due - opens).total_seconds() for opens, due in windows]
    usual = median(lengths) if lengths else 0.0
    ends = [
        due for (opens, due), length in zip(windows, lengths, strict=True) if length <= _LONG * usual and opens <= now
    ]
    return _Scale(begins, max([*told, *ends]))


def _grid(scale: _Scale, zone: ZoneInfo, bottom: int) -> list[Markup]:
    found = []
    for tick in scale.ticks(zone):
        x = scale.x(tick)
        found.append(Markup('<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{y}"/>').format(x=x, y=bottom))
        words = f"{tick:%H:%M}" if tick.hour or tick.minute else f"{tick:%m-%d}"
        found.append(Markup('<text class="tick" x="{x:.1f}" y="12">{words}</text>').format(x=x, words=words))
    return found


def _lane(stage: Mapping[str, Any], place: int, scale: _Scale, me: Any) -> Markup:
    opens, due = datetime.fromisoformat(stage["opens_at"]), datetime.fromisoformat(stage["due_at"])
    left, right, y = scale.x(opens), scale.x(due), TOP + LANE * place
    title = me.text(stage["title"])
    return Markup(
        '<g class="lane {state}"><text x="0" y="{text}">{short}<title>{title}</title></text>'
        '<rect class="window" x="{left:.1f}" y="{y}" width="{width:.1f}" height="14" rx="3"/></g>'
    ).format(
        state=stage["state"], text=y + 12, short=_short(title), title=title, left=left, y=y,
        width=max(2.0, right - left),
    )  # fmt: skip


def _short(title: str) -> str:
    """So much of a name as fits beside its lane; a Chinese character is two wide."""
    room, found = 30, ""
    for character in title:
        room -= 2 if ord(character) > 0x2E80 else 1  # noqa: PLR2004 - from here on scripts are full-width
        if room < 0:
            return f"{found}…"
        found += character
    return found


def _marks(entries: Sequence[Mapping[str, Any]], place_of: Mapping[str, int], scale: _Scale, me: Any) -> list[Markup]:
    found = []
    for entry in entries[-MOST_MARKS:]:
        shape, _ = MARKS.get(entry["kind"], ("", ""))
        if not shape:
            continue
        place = place_of.get(str(entry["step"]).partition("/")[0], 0)
        at = datetime.fromisoformat(entry["at"])
        words = f"{me.clock(entry['at'])} {entry['step']} {me.fact(entry)}"
        drawn = _shape(shape, scale.x(at), TOP + LANE * place + 7, Markup("<title>{0}</title>").format(words))
        found.append(drawn)
    return found


def _legend(y: int, me: Any) -> list[Markup]:
    found, x = [], 6
    for shape, words in LEGEND:
        said = me.translate(words)
        found.append(_shape(shape, x, y - 4))
        found.append(
            Markup('<text class="tick legend" x="{x}" y="{y}">{words}</text>').format(x=x + 12, y=y, words=said)
        )
        x += 30 + 9 * sum(2 if ord(c) > 0x2E80 else 1 for c in said)  # noqa: PLR2004
    return found


def _shape(shape: str, x: float, y: float, inner: Markup = Markup("")) -> Markup:
    return Markup('<path class="mark {shape}" d="{path}" transform="translate({x:.1f} {y})">{inner}</path>').format(
        shape=shape, path=_SHAPES[shape], x=x, y=y, inner=inner
    )
